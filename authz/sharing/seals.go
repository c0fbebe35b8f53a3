package sharing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
)

// parties are those whose seals an agreement needs (西政办发〔2014〕14号
// art. 26: applicant, provider and the information office).
func (a Agreement) parties() []identity.USCC {
	return []identity.USCC{a.Provider, a.Consumer, a.Office}
}

// SealTerms makes a party's seal over the digest of drafted terms. The key is
// the one of the seal's certificate. The signature covers the 32 bytes of the
// digest, which already bind domain and terms; At is the party's own claim.
func SealTerms(a Agreement, key crypto.Signer, certDER []byte, party identity.USCC, sealID string, at time.Time) (PartySeal, error) {
	if !slices.Contains(a.parties(), party) {
		return PartySeal{}, fmt.Errorf("%w: %s is no party", ErrInvalid, party)
	}
	digest, err := a.checkDigest()
	if err != nil {
		return PartySeal{}, err
	}
	sig, err := key.Sign(rand.Reader, digest, sm2.DefaultSM2SignerOpts)
	if err != nil {
		return PartySeal{}, fmt.Errorf("sealing the terms: %w", err)
	}
	s := PartySeal{Party: party, SealID: sealID, CertDER: certDER, Signature: sig, At: at.UTC().Truncate(time.Millisecond)}
	if _, err := s.verify(digest); err != nil {
		return PartySeal{}, err
	}
	return s, nil
}

// AddSeal returns the agreement with one more seal, or says why that seal may
// not stand: wrong terms, not a party, a party that sealed already.
func AddSeal(a Agreement, s PartySeal) (Agreement, error) {
	a.Seals = append(slices.Clone(a.Seals), s)
	if err := a.checkSeals(); err != nil {
		return Agreement{}, err
	}
	return a, nil
}

// VerifySeals checks that exactly the three parties sealed exactly these
// terms, each with a seal and a key of its own. It is pure: whether a
// certificate is to be trusted is the Service's question. ErrUnsealed says
// that something is missing or does not verify.
func VerifySeals(a Agreement) error {
	if len(a.Seals) != len(a.parties()) {
		return fmt.Errorf("%w: %d of %d seals", ErrUnsealed, len(a.Seals), len(a.parties()))
	}
	return a.checkSeals()
}

// checkSeals verifies each seal that is there, and that none stands for two
// parties: not one party twice, nor one seal or key under two names.
func (a Agreement) checkSeals() error {
	digest, err := a.checkDigest()
	if err != nil {
		return err
	}
	if len(a.Seals) > len(a.parties()) {
		return fmt.Errorf("%w: more seals than parties", ErrUnsealed)
	}
	keys := make([][]byte, len(a.Seals))
	for i, s := range a.Seals {
		if !slices.Contains(a.parties(), s.Party) {
			return fmt.Errorf("%w: a seal of %s, who is no party", ErrUnsealed, s.Party)
		}
		if keys[i], err = s.verify(digest); err != nil {
			return err
		}
		for j, t := range a.Seals[:i] {
			if s.Party == t.Party || s.SealID == t.SealID || bytes.Equal(keys[i], keys[j]) {
				return fmt.Errorf("%w: one seal stands for two parties", ErrUnsealed)
			}
		}
	}
	return nil
}

// Active reports nil when at is inside the period and before a termination.
// It looks at dates only; see InForce.
func Active(a Agreement, at time.Time) error {
	switch {
	case at.Before(a.NotBefore):
		return fmt.Errorf("%w: it begins on %s", ErrNotInForce, a.NotBefore.UTC().Format(timeForm))
	case !at.Before(a.NotAfter):
		return fmt.Errorf("%w: it ended on %s", ErrNotInForce, a.NotAfter.UTC().Format(timeForm))
	case !a.Terminated.IsZero() && !at.Before(a.Terminated):
		return fmt.Errorf("%w: it was terminated on %s", ErrNotInForce, a.Terminated.UTC().Format(timeForm))
	}
	return nil
}

// InForce reports nil when the agreement binds at that time: Active, and
// sealed by its three parties (VerifySeals, three SM2 verifications; callers
// in a hurry keep that answer by Digest and seals, never the dates').
func InForce(a Agreement, at time.Time) error {
	if err := Active(a, at); err != nil {
		return err
	}
	return VerifySeals(a)
}

// checkDigest returns the digest's bytes if they are those of the terms.
func (a Agreement) checkDigest() ([]byte, error) {
	raw, err := Terms(a)
	if err != nil {
		return nil, err
	}
	sum := sm3.Sum(raw)
	if a.Digest != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: the digest is not that of the terms", ErrUnsealed)
	}
	return sum[:], nil
}

// verify returns the public key that made the signature.
func (s PartySeal) verify(digest []byte) ([]byte, error) {
	if s.SealID == "" || s.At.IsZero() {
		return nil, fmt.Errorf("%w: a seal without number or time", ErrUnsealed)
	}
	cert, err := smx509.ParseCertificate(s.CertDER)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate of %s does not parse", ErrUnsealed, s.Party)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !sm2.IsSM2PublicKey(pub) || !sm2.VerifyASN1WithSM2(pub, nil, digest, s.Signature) {
		return nil, fmt.Errorf("%w: the seal of %s does not verify", ErrUnsealed, s.Party)
	}
	return cert.RawSubjectPublicKeyInfo, nil
}
