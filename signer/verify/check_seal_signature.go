package verify

import (
	"errors"

	"github.com/yinxin-gov/yinxin/signer/seal"
)

// checkSealSignature: the seal maker signed this seal (GB/T 38540, 6.3).
func checkSealSignature(s *subject) outcome {
	const clause = "GB/T 38540-2020, 6.3"
	if s.ses == nil {
		return skip(CheckSealSig, clause, ReasonNotJudged)
	}
	p, err := s.ses.Seal.MakerProof()
	s.note("maker", p, err)
	return mathematics(CheckSealSig, clause, err)
}

// mathematics turns the result of one SM2 verification into an outcome.
func mathematics(id, clause string, err error) outcome {
	switch {
	case err == nil:
		return pass(id, clause, "")
	case errors.Is(err, errNoCertificate):
		return cannot(id, clause, ReasonNoCert, "")
	case errors.Is(err, seal.ErrUnsupported):
		return cannot(id, clause, ReasonAlgorithm, err.Error())
	case errors.Is(err, seal.ErrSignature):
		return fail(id, clause, ReasonSignature, err.Error(), effAltered)
	}
	return fail(id, clause, ReasonMalformed, err.Error(), effAltered)
}
