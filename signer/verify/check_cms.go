package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

const clauseCMS = "GM/T 0099-2020, 7.2.2; GB/T 35275-2017"

// checkMessage: the value of Type="Sign" is a GB/T 35275 message. A record that
// calls itself a seal and holds such a message shows a picture that nobody
// signed as one.
func checkMessage(s *subject) outcome {
	if s.valueErr != nil {
		return fail(CheckCMS, clauseCMS, ReasonMalformed, s.sig.ValuePath+": "+s.valueErr.Error(), effAltered)
	}
	if s.sig.Type != ofd.TypeSign {
		return cannot(CheckCMS, clauseCMS, ReasonType, s.sig.Type)
	}
	return pass(CheckCMS, clauseCMS, s.sig.ValuePath)
}

// messageHash judges what the message binds: in form (a) its content is
// SM3(Signature.xml), raw or as base64 text; in form (b) the attribute
// messageDigest is. A message that carries neither binds by its value alone.
func (s *subject) messageHash(clause string) outcome {
	got, err := s.pkg.Digest(s.sig.Path)
	if err != nil {
		return fail(CheckDataHash, clause, ReasonFileDamaged, s.sig.Path, effAltered)
	}
	stated := s.msg.Digest
	if c := s.msg.Content; c != nil {
		if s.msg.Digest != nil {
			if sum := sm3.Sum(c); !bytes.Equal(s.msg.Digest, sum[:]) {
				return fail(CheckDataHash, clause, ReasonSignature, expected(s.sig.ValuePath, s.msg.Digest, sum[:]), effAltered)
			}
		}
		stated = c
		if text, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(c))); err == nil && len(text) == sm3.Size {
			stated = text
		}
	}
	switch {
	case stated == nil:
		return skip(CheckDataHash, clause, ReasonByValue)
	case len(stated) != sm3.Size:
		return fail(CheckDataHash, clause, ReasonSigXMLHash, fmt.Sprintf("%s: %d bytes signed", s.sig.Path, len(stated)), effAltered)
	case !bytes.Equal(stated, got):
		return fail(CheckDataHash, clause, ReasonSigXMLHash, expected(s.sig.Path, stated, got), effAltered)
	}
	return pass(CheckDataHash, clause, s.sig.Path)
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
