package revocation

import (
	encasn1 "encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tag0 = asn1.Tag(0).ContextSpecific()
	tag1 = asn1.Tag(1).ContextSpecific()
	tag2 = asn1.Tag(2).ContextSpecific()
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }

// kindOf tells an OCSPResponse and a CertificateList from a Certificate: the first
// begins with ENUMERATED, and inside the second a SEQUENCE (the algorithm) stands
// first or behind a bare INTEGER, where a version 3 certificate has [0].
func kindOf(der []byte) Kind {
	in := cryptobyte.String(der)
	var seq, tbs cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) {
		return ""
	}
	if seq.PeekASN1Tag(asn1.ENUM) {
		return OCSP
	}
	if !seq.ReadASN1(&tbs, asn1.SEQUENCE) || tbs.PeekASN1Tag(tag0.Constructed()) {
		return ""
	}
	if tbs.PeekASN1Tag(asn1.INTEGER) && !tbs.SkipASN1(asn1.INTEGER) {
		return ""
	}
	for range 2 { // algorithm and issuer
		if !tbs.SkipASN1(asn1.SEQUENCE) {
			return ""
		}
	}
	if tbs.PeekASN1Tag(asn1.UTCTime) || tbs.PeekASN1Tag(asn1.GeneralizedTime) {
		return CRL
	}
	return ""
}

// extension of a list, an entry or a response.
type extension struct {
	id       encasn1.ObjectIdentifier
	critical bool
	value    cryptobyte.String
}

// maxExtensions bounds those of one place; RFC 5280 knows nine.
const maxExtensions = 32

// readExtensions reads SEQUENCE OF Extension; none may stand twice (RFC 5280 4.2).
func readExtensions(in *cryptobyte.String) ([]extension, error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, malformed("extensions")
	}
	var out []extension
	for !list.Empty() {
		var one cryptobyte.String
		var e extension
		if len(out) == maxExtensions || !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&e.id) ||
			one.PeekASN1Tag(asn1.BOOLEAN) && !one.ReadASN1Boolean(&e.critical) ||
			!one.ReadASN1(&e.value, asn1.OCTET_STRING) || !one.Empty() {
			return nil, malformed("extension")
		}
		for _, have := range out {
			if have.id.Equal(e.id) {
				return nil, malformed("extension that stands twice")
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// refuseCritical: what must be understood and is not spoils the whole.
func refuseCritical(list []extension) error {
	for _, e := range list {
		if e.critical {
			return fmt.Errorf("%w: critical extension %v", ErrUnsupported, e.id)
		}
	}
	return nil
}

// readTime reads a Time of either form.
func readTime(in *cryptobyte.String, at *time.Time) bool {
	ok := in.PeekASN1Tag(asn1.UTCTime) && in.ReadASN1UTCTime(at) || in.PeekASN1Tag(asn1.GeneralizedTime) && in.ReadASN1GeneralizedTime(at)
	*at = at.UTC()
	return ok
}

// readSigned takes SEQUENCE{tbs, algorithm, signature, …} apart. The bytes of tbs
// are what is signed.
func readSigned(in *cryptobyte.String, tbs *cryptobyte.String, alg *encasn1.ObjectIdentifier, value *[]byte) bool {
	var algorithm cryptobyte.String
	var bits encasn1.BitString
	ok := in.ReadASN1Element(tbs, asn1.SEQUENCE) && in.ReadASN1(&algorithm, asn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(alg) &&
		in.ReadASN1BitString(&bits) && bits.BitLength%8 == 0
	*value = bits.Bytes
	return ok
}
