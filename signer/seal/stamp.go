package seal

import "fmt"

// AddTimeStamp puts a token into a V4 signature that has none: timeStamp [0] over
// the signature value (GB/T 38540, 7.1). It stands beside what is signed, so the
// signature stays as it is.
func AddTimeStamp(der, token []byte) ([]byte, error) {
	el, err := readOne(der)
	if err != nil {
		return nil, err
	}
	top, err := el.sequence("SES_Signature", 4)
	if err != nil {
		return nil, err
	}
	if len(top) != 4 || len(token) == 0 {
		return nil, fmt.Errorf("%w: a time-stamp needs a V4 signature without one", ErrUnsupported)
	}
	out := wrap(idSequence, top[0].full, top[1].full, top[2].full, top[3].full,
		wrap(idContext0, wrap(idBitString, []byte{0}, token)))
	if len(out) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(out), MaxSize)
	}
	return out, nil
}
