// Package seal holds the data structures of electronic seals (电子印章) and of
// the signatures made with them: GB/T 38540-2020 ("V4"), GM/T 0031-2014 ("V1")
// and GM/T 0031-2025 ("V5").
//
// It reads all three leniently, because real producers deviate, and reports
// every deviation as a warning code; it verifies the seal maker's and the
// signer's SM2 signatures over the stored bytes, and it writes DER: V4, and V1
// where a receiver asks for it. It judges mathematics only: certificate chains, periods,
// revocation and the digests of the document belong to signer/verify.
//
// It refuses input over MaxSize, nesting over 32, indefinite lengths, trailing
// bytes, any signature algorithm but SM2 with SM3, and explicit curve
// parameters. It never panics on foreign bytes.
package seal

import (
	"bytes"
	"crypto/subtle"
	"encoding/asn1"
	"errors"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// MaxSize bounds one structure; the largest seal seen in the field is 60 kB.
const MaxSize = 8 << 20

// Outcomes that callers branch on.
var (
	// ErrFormat: the bytes are not such a structure.
	ErrFormat = errors.New("seal: malformed structure")
	// ErrSignature: the signature does not fit the bytes and the key.
	ErrSignature = errors.New("seal: signature does not verify")
	// ErrUnsupported: well formed, but of a kind or an algorithm not handled here.
	ErrUnsupported = errors.New("seal: unsupported structure or algorithm")
)

// Layouts. The layout decides, not the version number in the header: a real
// file has the V1 layout with version 4.
const (
	LayoutV1 = "V1" // GM/T 0031-2014
	LayoutV4 = "V4" // GB/T 38540-2020
	LayoutV5 = "V5" // GM/T 0031-2025: V4 with version 5
)

// Warning codes: deviations that were accepted.
const (
	WarnNotDER       = "encoding.not_der"       // BER that is not DER
	WarnUnusedBits   = "bitstring.unused_bits"  // BIT STRING with a non-zero count of unused bits
	WarnRawSignature = "signature.raw_rs"       // 64 bytes r‖s instead of DER
	WarnVersion      = "version.mismatch"       // version number does not fit the layout
	WarnTime         = "time.form"              // time in another form than the standard's
	WarnTimeToken    = "time.token"             // V1 timeInfo is a token: Time is zero, TimeStamp holds it
	WarnText         = "text.encoding"          // text that is not UTF-8
	WarnCertificate  = "certificate.malformed"  // a certificate that strict parsers refuse
	WarnExtra        = "structure.extra_fields" // elements behind the known ones
)

// Algorithm identifiers.
var (
	oidSM2WithSM3 = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	oidSM2        = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}
	oidSM2Sign    = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301, 1}
	oidECKey      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
)

// Picture is the seal's picture (印模). Width and Height are millimetres.
type Picture struct {
	Type   string // as stored: "PNG", "png", "GIF", "ofd", …
	Data   []byte
	Width  int
	Height int
}

// Seal is a parsed SESeal. Byte slices alias the input.
type Seal struct {
	Layout       string // LayoutV1, LayoutV4 or LayoutV5
	Version      int    // of the header, as stored
	ID           string // esID
	Vendor       string
	Type         int // property.type: 1 organisation, 2 person (V1); vendors use more
	Name         string
	CertListType int      // 1 certificates, 2 digests; V1 has certificates only
	Certs        [][]byte // certificate DER, type 1
	CertDigests  [][]byte // SM3 of certificates, type 2
	Created      time.Time
	ValidFrom    time.Time
	ValidUntil   time.Time
	Picture      Picture
	MakerCertDER []byte
	Algorithm    asn1.ObjectIdentifier
	Value        []byte // maker's signature, DER SEQUENCE{r,s}
	TimeStamp    []byte // V5 only, not judged here
	Raw          []byte // the whole SESeal as stored
	Warnings     []string

	signed []byte // what the maker signed, as stored
}

// Signature is a parsed SES_Signature. Byte slices alias the input.
type Signature struct {
	Version   int
	Layout    string // LayoutV1, LayoutV4 or LayoutV5
	Seal      *Seal
	Time      time.Time
	DataHash  []byte
	Property  string // absolute path of Signature.xml
	CertDER   []byte // signer
	Algorithm asn1.ObjectIdentifier
	Value     []byte // signer's signature, DER SEQUENCE{r,s}
	TBS       []byte // what the signer signed, as stored
	TimeStamp []byte // GB/T 20520 token over Value, not judged here; nil when absent
	Warnings  []string
}

// Lists reports whether the seal names the certificate: byte-equal to an entry
// (GM/T 0031-2014, 6.2.2 c), or by its SM3 digest for list type 2.
func (s *Seal) Lists(certDER []byte) bool {
	if len(certDER) == 0 {
		return false
	}
	for _, c := range s.Certs {
		if bytes.Equal(c, certDER) {
			return true
		}
	}
	if len(s.CertDigests) == 0 {
		return false
	}
	sum := sm3.Sum(certDER)
	digests := [][]byte{sum[:]}
	// Some vendors write the SM2 digest, SM3(Z‖certificate), Z of the
	// certificate's own key: it names one certificate just as well.
	if pub, err := PublicKey(certDER); err == nil {
		if h, err := sm2.NewHash(pub); err == nil {
			h.Write(certDER)
			digests = append(digests, h.Sum(nil))
		}
	}
	for _, d := range s.CertDigests {
		for _, sum := range digests {
			if subtle.ConstantTimeCompare(d, sum) == 1 {
				return true
			}
		}
	}
	return false
}

// ActiveAt reports whether t lies in the seal's period, both ends included.
func (s *Seal) ActiveAt(t time.Time) bool {
	return !t.Before(s.ValidFrom) && !t.After(s.ValidUntil)
}
