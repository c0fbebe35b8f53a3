package seal

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
)

// Proof is one SM2 signature with all that another implementation needs to
// check it again. Message is the signed bytes, before ZA and SM3.
type Proof struct {
	Key     *ecdsa.PublicKey
	Message []byte
	Value   []byte // DER SEQUENCE{r,s}
}

// Proof is the signer's signature as Verify judges it: where it verifies,
// Message is the encoding over which it does.
func (s *Signature) Proof() (Proof, error) {
	return prove("signer", s.CertDER, s.Algorithm, s.TBS, s.Value)
}

// MakerProof is the seal maker's signature as VerifyMaker judges it.
func (s *Seal) MakerProof() (Proof, error) {
	return prove("maker", s.MakerCertDER, s.Algorithm, s.signed, s.Value)
}

// prove tries the stored bytes first, then their DER encoding: some producers
// sign DER and store BER. Both are the same abstract value, so that accepting
// either cannot change what was signed. The proof is returned with ErrSignature
// too.
func prove(who string, certDER []byte, alg asn1.ObjectIdentifier, signed, value []byte) (Proof, error) {
	if !alg.Equal(oidSM2WithSM3) && !alg.Equal(oidSM2Sign) && !alg.Equal(oidSM2) {
		return Proof{}, fmt.Errorf("%w: %s signature algorithm %v", ErrUnsupported, who, alg)
	}
	pub, err := PublicKey(certDER)
	if err != nil {
		return Proof{}, fmt.Errorf("%s certificate: %w", who, err)
	}
	p := Proof{pub, signed, value}
	if sm2.VerifyASN1WithSM2(pub, nil, signed, value) {
		return p, nil
	}
	der, err := reencode(signed)
	if err == nil && !bytes.Equal(der, signed) && sm2.VerifyASN1WithSM2(pub, nil, der, value) {
		p.Message = der
		return p, nil
	}
	return p, fmt.Errorf("%w: %s", ErrSignature, who)
}
