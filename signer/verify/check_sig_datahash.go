package verify

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/emmansun/gmsm/sm3"
)

// checkDataHash: the seal signs SM3 over the raw bytes of Signature.xml; no XML
// canonicalisation, one added newline is a change.
func checkDataHash(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 e; GB/T 38540-2020, 7.3"
	if !s.judged() || s.sig.Path == "" {
		return skip(CheckDataHash, clause, ReasonNotJudged)
	}
	if s.msg != nil {
		return s.messageHash(clauseCMS)
	}
	got, err := s.pkg.Digest(s.sig.Path)
	if err != nil {
		return fail(CheckDataHash, clause, ReasonFileDamaged, s.sig.Path, effAltered)
	}
	if !bytes.Equal(got, s.ses.DataHash) {
		return fail(CheckDataHash, clause, ReasonSigXMLHash, expected(s.sig.Path, s.ses.DataHash, got), effAltered)
	}
	return pass(CheckDataHash, clause, s.sig.Path)
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
