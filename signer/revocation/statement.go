package revocation

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// says is what an item tells of one certificate.
type says int

const (
	good     says = iota
	held          // certificateHold: may end
	released      // removeFromCRL of a delta: the hold ended
	revoked
)

// statement is one item about one certificate, with its signature checked.
type statement struct {
	is    says
	since time.Time // of revocation or hold
	// invalid is from when on the authority itself does not trust the key
	// (invalidityDate, RFC 5280 5.3.2); zero: not stated.
	invalid time.Time
	made    time.Time // thisUpdate
	until   time.Time // nextUpdate, or thisUpdate where none is stated
	item    Item
}

// from is when a revocation begins to count: the authority may know that the key
// was not the holder's alone before it revoked. A later date takes nothing back.
func (st *statement) from() time.Time {
	if !st.invalid.IsZero() && st.invalid.Before(st.since) {
		return st.invalid
	}
	return st.since
}

// statements collects what trustworthy items say of a certificate.
func (s *Set) statements(ctx context.Context, cert *smx509.Certificate) ([]statement, error) {
	var out []statement
	seen := map[string]bool{} // two certificates of one authority have one voice
	for _, issuer := range s.issuers {
		if !bytes.Equal(issuer.RawSubject, cert.RawIssuer) || seen[string(issuer.RawSubjectPublicKeyInfo)] || !keyFits(cert.AuthorityKeyId, issuer) {
			continue
		}
		if !signedBy(cert, issuer) {
			continue
		}
		seen[string(issuer.RawSubjectPublicKeyInfo)] = true
		for _, l := range s.lists {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			st, ok, err := l.about(cert, issuer)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, st)
			}
		}
		for _, r := range s.answers {
			if st, ok := r.about(cert, issuer); ok {
				out = append(out, st)
			}
		}
	}
	return out, nil
}

// keyFits compares key identifiers where both sides have one (RFC 5280 4.2.1.1).
func keyFits(id []byte, issuer *smx509.Certificate) bool {
	return len(id) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(id, issuer.SubjectKeyId)
}

// signedBy: the issuer is one, by its own extensions, and made this certificate.
func signedBy(cert, issuer *smx509.Certificate) bool {
	return curveFits(cert.SignatureAlgorithm, issuer) && cert.CheckSignatureFrom(issuer) == nil
}

// algorithms are the signatures that are accepted, by identifier. SHA-1 is none.
var algorithms = []struct {
	oid asn1.ObjectIdentifier
	is  smx509.SignatureAlgorithm
}{
	{asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}, smx509.SM2WithSM3},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, smx509.ECDSAWithSHA256},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, smx509.ECDSAWithSHA384},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, smx509.ECDSAWithSHA512},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, smx509.SHA256WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, smx509.SHA384WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, smx509.SHA512WithRSA},
}

func algorithmOf(oid asn1.ObjectIdentifier) (smx509.SignatureAlgorithm, error) {
	for _, a := range algorithms {
		if a.oid.Equal(oid) {
			return a.is, nil
		}
	}
	return 0, fmt.Errorf("%w: signature algorithm %v", ErrUnsupported, oid)
}

// curveFits keeps an SM2 key from verifying ECDSA and the other way round: the
// types of the library do not tell them apart.
func curveFits(a smx509.SignatureAlgorithm, by *smx509.Certificate) bool {
	key, ok := by.PublicKey.(*ecdsa.PublicKey)
	return !ok || (key.Curve == sm2.P256()) == (a == smx509.SM2WithSM3)
}

// holds checks a signature with the key of a certificate.
func holds(a smx509.SignatureAlgorithm, by *smx509.Certificate, signed, value []byte) bool {
	return curveFits(a, by) && by.CheckSignature(a, signed, value) == nil
}
