package verify

import (
	"encoding/hex"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/seal"
)

// checkValue: the signer's SM2 signature over the stored bytes.
func checkValue(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 b; GB/T 38540-2020, 7.3"
	if !s.judged() {
		return skip(CheckValue, clause, ReasonNotJudged)
	}
	prove := s.messageProof
	if s.ses != nil {
		prove = s.ses.Proof
	}
	p, err := prove()
	s.note("signer", p, err)
	return mathematics(CheckValue, clause, err)
}

// messageProof is the signature of a message over its attributes as stored, over
// the content that it carries, or else over Signature.xml or its digest.
func (s *subject) messageProof() (seal.Proof, error) {
	if s.certDER == nil {
		return seal.Proof{}, errNoCertificate
	}
	pub, err := seal.PublicKey(s.certDER)
	if err != nil {
		return seal.Proof{}, fmt.Errorf("signer certificate: %w", err)
	}
	tries := [][]byte{s.msg.Attributes}
	switch {
	case s.msg.Attributes != nil:
	case s.msg.Content != nil:
		tries = [][]byte{s.msg.Content}
	default:
		xml, err := s.pkg.Read(s.sig.Path)
		if err != nil {
			return seal.Proof{}, fmt.Errorf("%w: %w", seal.ErrSignature, err)
		}
		sum := sm3.Sum(xml)
		tries = [][]byte{xml, sum[:]}
	}
	for _, m := range tries {
		if len(m) > 0 && sm2.VerifyASN1WithSM2(pub, nil, m, s.msg.Value) {
			return seal.Proof{Key: pub, Message: m, Value: s.msg.Value}, nil
		}
	}
	return seal.Proof{Key: pub, Message: tries[0], Value: s.msg.Value},
		fmt.Errorf("%w: signer %s", seal.ErrSignature, hex.EncodeToString(s.msg.Value[:min(8, len(s.msg.Value))]))
}
