package revocation

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	encasn1 "encoding/asn1"
	"slices"

	"github.com/emmansun/gmsm/smx509"
)

// about is what the response says of a certificate of issuer. The oldest of two
// answers in one response does not count less: a response that contradicts itself
// is taken at its worst.
func (r *response) about(cert, issuer *smx509.Certificate) (st statement, ok bool) {
	want := serialOf(cert.SerialNumber)
	for i := range r.singles {
		s := &r.singles[i]
		if s.silent || !bytes.Equal(s.serial, want) || !s.names(issuer) || ok && s.is <= st.is {
			continue
		}
		item := r.item
		item.ThisUpdate, item.NextUpdate = s.made, s.until
		st, ok = statement{is: s.is, since: s.since.UTC(), made: s.made.UTC(), until: s.until.UTC(), item: item}, true
	}
	return st, ok && r.signedFor(issuer)
}

func (s *single) names(issuer *smx509.Certificate) bool {
	if s.digest == nil {
		return false
	}
	sum := func(b []byte) []byte { h := s.digest(); h.Write(b); return h.Sum(nil) }
	return subtle.ConstantTimeCompare(s.nameHash, sum(issuer.RawSubject))&subtle.ConstantTimeCompare(s.keyID, sum(keyBits(issuer))) == 1
}

// signedFor: the issuer signed itself, or a responder that it certified for this
// and that was in its period (RFC 6960 4.2.2.2). Such a responder is believed for
// the life of its certificate, as id-pkix-ocsp-nocheck has it.
func (r *response) signedFor(issuer *smx509.Certificate) bool {
	if r.is(issuer) && holds(r.algorithm, issuer, r.tbs, r.value) {
		return true
	}
	for _, c := range r.certs {
		if slices.Contains(c.ExtKeyUsage, smx509.ExtKeyUsageOCSPSigning) && r.is(c) && bytes.Equal(c.RawIssuer, issuer.RawSubject) && keyFits(c.AuthorityKeyId, issuer) && signedBy(c, issuer) &&
			!r.produced.Before(c.NotBefore) && !r.produced.After(c.NotAfter) && holds(r.algorithm, c, r.tbs, r.value) {
			return true
		}
	}
	return false
}

// is compares a certificate with the ResponderID.
func (r *response) is(c *smx509.Certificate) bool {
	if r.byName != nil {
		return bytes.Equal(r.byName, c.RawSubject)
	}
	sum := sha1.Sum(keyBits(c))
	return bytes.Equal(r.byKey, sum[:])
}

// keyBits is the content of the BIT STRING of a public key.
func keyBits(c *smx509.Certificate) []byte {
	var spki struct {
		Algorithm encasn1.RawValue
		Key       encasn1.BitString
	}
	if rest, err := encasn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil || len(rest) > 0 {
		return nil
	}
	return spki.Key.Bytes
}
