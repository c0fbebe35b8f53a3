package verify

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
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

// checkReferences: every covered file is there and has its digest.
func checkReferences(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.2.2; GM/T 0031-2014, 6.2.3 e"
	if s.sig.Broken {
		return skip(CheckReferences, clause, ReasonNotJudged)
	}
	if len(s.sig.References) == 0 {
		// Nothing is protected: whatever the mathematics say, this signs no document.
		return fail(CheckReferences, clause, ReasonNoReferences, s.sig.Path, effInvalid)
	}
	if !s.sig.SM3Check() {
		o := cannot(CheckReferences, clause, ReasonDigest, s.sig.CheckMethod)
		o.effect = effPartial // nothing is shown to be unchanged
		return o
	}
	var wrong []string
	reason, n := "", 0
	for i := range s.sig.References {
		why, detail := s.reference(&s.sig.References[i])
		if why == "" {
			continue
		}
		if n++; n == 1 {
			reason = why
		}
		if len(wrong) < maxEvidence {
			wrong = append(wrong, detail)
		}
	}
	if n > 0 {
		return fail(CheckReferences, clause, reason, strings.Join(wrong, "; "), effAltered)
	}
	return pass(CheckReferences, clause, fmt.Sprintf("%d/%d", len(s.sig.References), len(s.sig.References)))
}

// reference judges one covered file; reason is empty when it is unchanged.
func (s *subject) reference(r *ofd.Reference) (reason, detail string) {
	if !r.Found {
		if r.Path == "" {
			return ReasonFileMissing, r.FileRef
		}
		return ReasonFileMissing, r.Path
	}
	got, err := s.pkg.Digest(r.Path)
	switch {
	case errors.Is(err, ofd.ErrNoEntry):
		return ReasonFileMissing, r.Path
	case err != nil:
		return ReasonFileDamaged, r.Path
	case !bytes.Equal(got, r.Value):
		return ReasonFileChanged, expected(r.Path, r.Value, got)
	}
	return "", ""
}

func expected(path string, want, got []byte) string {
	return fmt.Sprintf("%s expected %s actual %s", path, hex.EncodeToString(want), hex.EncodeToString(got))
}

// checkCoverage: everything that OFD.xml reaches, and OFD.xml, is protected.
// Extra files that nothing reaches are a warning.
func checkCoverage(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.2.2; GM/T 0099-2020, 7.4"
	for _, f := range s.cov.Unreferenced {
		s.warn(WarnUnreferenced, f)
	}
	if len(s.cov.Uncovered) == 0 {
		return pass(CheckCoverage, clause, fmt.Sprintf("%d", len(s.cov.Covered)))
	}
	list := s.cov.Uncovered[:min(len(s.cov.Uncovered), maxEvidence)]
	return fail(CheckCoverage, clause, ReasonUncovered, strings.Join(list, "; "), effPartial)
}
