package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

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
		if path := s.sig.References[i].Path; path != "" {
			s.changed = append(s.changed, path)
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
