package seal

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

// wrap writes an element around parts, with the shortest length (DER).
func wrap(id byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n+6)
	out = append(out, id)
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// derUint writes an unsigned big-endian number as INTEGER.
func derUint(b []byte) []byte {
	b = bytes.TrimLeft(b, "\x00")
	if len(b) == 0 || b[0] >= 0x80 {
		return wrap(idInteger, []byte{0}, b)
	}
	return wrap(idInteger, b)
}

// derInt writes a small INTEGER that is not negative.
func derInt(n int) []byte {
	return derUint([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func derTime(t time.Time) []byte {
	return wrap(idGenTime, []byte(t.UTC().Format("20060102150405Z")))
}

func derUTCTime(t time.Time) []byte {
	return wrap(idUTCTime, []byte(t.UTC().Format("060102150405Z")))
}

func bitString(b []byte) []byte { return wrap(idBitString, []byte{0}, b) }

// algorithm is DER of SM2-with-SM3, 1.2.156.10197.1.501.
func algorithm() []byte {
	return []byte{idOID, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75}
}

// signMessage signs with SM2 and SM3 under the default user id. Any other
// option would make a crypto.Signer take msg for a digest. The nonce's
// randomness is the system's and nobody's choice.
func signMessage(key crypto.Signer, msg []byte) ([]byte, error) {
	return key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
}
