package seal

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
)

// Verify checks the signer's signature over TBS (GB/T 38540, 7.3 b). It says
// nothing about the certificate, the seal maker or the document.
func (s *Signature) Verify() error {
	_, err := s.Proof()
	return err
}

// VerifyMaker checks the seal maker's signature over the seal (GB/T 38540,
// 6.3). It says nothing about the maker's certificate.
func (s *Seal) VerifyMaker() error {
	_, err := s.MakerProof()
	return err
}

// PublicKey takes the SM2 key out of a certificate. It walks the structure
// itself, because certificates of real government authorities exist that
// strict parsers refuse for an unrelated field; for one that they accept the
// result is the same. Explicit curve parameters are refused: they could name
// another generator.
func PublicKey(certDER []byte) (*ecdsa.PublicKey, error) {
	el, err := readOne(certDER)
	if err != nil {
		return nil, err
	}
	cert, err := el.sequence("Certificate", 3)
	if err != nil {
		return nil, err
	}
	tbs, err := cert[0].sequence("TBSCertificate", 6)
	if err != nil {
		return nil, err
	}
	if tbs[0].id == idContext0 { // version
		tbs = tbs[1:]
	}
	if len(tbs) < 6 { // serial, algorithm, issuer, validity, subject, key
		return nil, fmt.Errorf("%w: TBSCertificate lacks a key", ErrFormat)
	}
	spki, err := tbs[5].sequence("SubjectPublicKeyInfo", 2)
	if err != nil {
		return nil, err
	}
	alg, err := spki[0].sequence("key algorithm", 1)
	if err != nil {
		return nil, err
	}
	kind, err := alg[0].oid("key algorithm")
	if err != nil {
		return nil, err
	}
	if !kind.Equal(oidECKey) || len(alg) != 2 || alg[1].id != idOID {
		return nil, fmt.Errorf("%w: not a key on a named curve", ErrUnsupported)
	}
	curve, err := alg[1].oid("curve")
	if err != nil {
		return nil, err
	}
	if !curve.Equal(oidSM2) {
		return nil, fmt.Errorf("%w: not an SM2 key", ErrUnsupported)
	}
	if spki[1].id != idBitString || len(spki[1].body) < 2 || spki[1].body[0] != 0 {
		return nil, fmt.Errorf("%w: public key", ErrFormat)
	}
	pub, err := sm2.NewPublicKey(spki[1].body[1:]) // refuses a point off the curve
	if err != nil {
		return nil, fmt.Errorf("%w: public key: %v", ErrFormat, err)
	}
	return pub, nil
}
