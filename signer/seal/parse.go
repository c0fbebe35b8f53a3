package seal

import (
	"fmt"

	"github.com/emmansun/gmsm/smx509"
)

// ParseSeal reads an SESeal of any layout (a .esl file).
func ParseSeal(der []byte) (*Seal, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(der), MaxSize)
	}
	el, err := readOne(der)
	if err != nil {
		return nil, err
	}
	return parseSeal(el)
}

// ParseSignature reads an SES_Signature of any layout (SignedValue.dat). A CMS
// ContentInfo and a bare SEQUENCE{r,s} are ErrUnsupported: they carry no seal.
func ParseSignature(der []byte) (*Signature, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(der), MaxSize)
	}
	el, err := readOne(der)
	if err != nil {
		return nil, err
	}
	top, err := el.sequence("SES_Signature", 2)
	if err != nil {
		return nil, err
	}
	switch {
	case top[0].id == idOID:
		return nil, fmt.Errorf("%w: a CMS structure, not a seal signature", ErrUnsupported)
	case top[0].id == idInteger:
		return nil, fmt.Errorf("%w: a bare signature value without seal or certificate", ErrUnsupported)
	case len(top) == 3 || len(top) > 5:
		return nil, fmt.Errorf("%w: SES_Signature has %d elements", ErrFormat, len(top))
	}
	s := &Signature{TBS: top[0].full}
	if len(top) == 2 {
		s.Layout = LayoutV1
		err = s.readV1(top)
	} else {
		s.Layout = LayoutV4
		err = s.readV4(top)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// readV4 fills s from { toSign, cert, signatureAlgID, signature, [0] timeStamp }.
func (s *Signature) readV4(top []tlv) error {
	var r reader
	tbs, err := top[0].sequence("TBS_Sign", 5)
	if err != nil {
		return err
	}
	if err := s.readCommon(&r, tbs); err != nil {
		return err
	}
	if s.Seal.Layout == LayoutV5 {
		s.Layout = LayoutV5
	}
	if s.Time, err = r.time(tbs[2], idGenTime, "timeInfo"); err != nil {
		return err
	}
	// extDatas is [0] in the standard and untagged in files; nothing in it is
	// read, all of it is signed.
	if len(tbs) > 6 || len(tbs) == 6 && tbs[5].id != idContext0 && tbs[5].id != idSequence {
		r.warn(WarnExtra)
	}
	return s.readSigner(&r, top[1], top[2], top[3], top[4:])
}

// readV1 fills s from { toSign, signature }: certificate and algorithm stand
// inside what is signed.
func (s *Signature) readV1(top []tlv) error {
	var r reader
	tbs, err := top[0].sequence("TBS_Sign", 7)
	if err != nil {
		return err
	}
	if err := s.readCommon(&r, tbs); err != nil {
		return err
	}
	if err := s.readTimeV1(&r, tbs[2]); err != nil {
		return err
	}
	if len(tbs) > 7 {
		r.warn(WarnExtra)
	}
	return s.readSigner(&r, tbs[5], tbs[6], top[1], nil)
}

// readCommon reads version, seal, dataHash and propertyInfo.
func (s *Signature) readCommon(r *reader, tbs []tlv) (err error) {
	if s.Version, err = tbs[0].integer("TBS_Sign.version"); err != nil {
		return err
	}
	if s.Seal, err = parseSeal(tbs[1]); err != nil {
		return fmt.Errorf("eseal: %w", err)
	}
	if s.DataHash, err = r.bits(tbs[3], "dataHash"); err != nil {
		return err
	}
	if s.Property, err = r.text(tbs[4], "propertyInfo"); err != nil {
		return err
	}
	if s.Version != s.Seal.Version {
		r.warn(WarnVersion)
	}
	return nil
}

// readTimeV1 reads timeInfo of V1: text or UTCTime in a BIT STRING, or a
// time-stamp token, which is kept for the caller.
func (s *Signature) readTimeV1(r *reader, el tlv) (err error) {
	if el.id == idGenTime || el.id == idUTCTime {
		r.warn(WarnTime)
		s.Time, err = r.time(el, el.id, "timeInfo")
		return err
	}
	b, err := r.bits(el, "timeInfo")
	if err != nil {
		return err
	}
	if in, err := readOne(b); err == nil {
		if in.id == idUTCTime || in.id == idGenTime {
			s.Time, err = r.time(in, idUTCTime, "timeInfo")
			return err
		}
		if in.id == idSequence {
			r.warn(WarnTimeToken)
			s.TimeStamp = b
			return nil
		}
	}
	t, ok := ParseTime(string(b))
	if !ok {
		return fmt.Errorf("%w: timeInfo cannot be read as a time", ErrFormat)
	}
	s.Time = t
	r.warn(WarnTime)
	return nil
}

// readSigner reads who signed, how, and the value.
func (s *Signature) readSigner(r *reader, cert, alg, value tlv, stamp []tlv) (err error) {
	if s.CertDER, err = octets(cert, "cert"); err != nil {
		return err
	}
	if s.Algorithm, err = alg.oid("signatureAlgID"); err != nil {
		return err
	}
	if s.Value, err = r.value(value, "signature"); err != nil {
		return err
	}
	if len(stamp) == 1 {
		if s.TimeStamp, err = r.timestamp(stamp[0]); err != nil {
			return err
		}
	}
	r.checkCertificate(s.CertDER)
	if err := r.checkDER(s.TBS); err != nil {
		return err
	}
	s.Warnings = r.warnings
	return nil
}

// checkCertificate warns when a strict parser refuses the certificate.
func (r *reader) checkCertificate(der []byte) {
	if _, err := smx509.ParseCertificate(der); err != nil {
		r.warn(WarnCertificate)
	}
}

// checkDER warns when the signed bytes are not DER and bounds their depth.
func (r *reader) checkDER(signed []byte) error {
	el, err := readOne(signed)
	if err != nil {
		return err
	}
	ok, err := el.isDER(0)
	if err == nil && !ok {
		r.warn(WarnNotDER)
	}
	return err
}

// reencode brings one element to DER.
func reencode(full []byte) ([]byte, error) {
	el, err := readOne(full)
	if err != nil {
		return nil, err
	}
	return el.toDER(0)
}
