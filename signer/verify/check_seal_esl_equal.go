package verify

import (
	"bytes"

	"github.com/emmansun/gmsm/sm3"
)

// checkSealFile: Seal.esl, when the package has one, is the seal that was signed;
// readers that draw from the file would show another picture otherwise.
func checkSealFile(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.2.3"
	if s.ses == nil {
		return skip(CheckSealFile, clause, ReasonNotJudged)
	}
	if s.sig.SealPath == "" {
		return skip(CheckSealFile, clause, ReasonNoSealFile)
	}
	// By digest: the file was hashed as a covered one already.
	got, err := s.pkg.Digest(s.sig.SealPath)
	if want := sm3.Sum(s.ses.Seal.Raw); err != nil || !bytes.Equal(got, want[:]) {
		return fail(CheckSealFile, clause, ReasonSealDiffers, s.sig.SealPath, effAltered)
	}
	return pass(CheckSealFile, clause, s.sig.SealPath)
}
