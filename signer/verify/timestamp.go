package verify

import (
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// judgeToken judges a token over value: structure, imprint, signature, the one
// purpose of its certificate, its chain at its own time, and that it is not older
// than the claim. One that holds gives the trusted time.
func (s *subject) judgeToken(clause string, der, value []byte, claimed time.Time) outcome {
	if der == nil {
		return skip(CheckToken, clause, ReasonNoToken)
	}
	s.tokenDER = der
	t, err := tsp.ParseToken(der)
	if err != nil {
		return s.tokenFault(clause, err)
	}
	return s.judgeParsed(clause, t, t.Verify(value), claimed)
}

func (s *subject) judgeParsed(clause string, t *tsp.Token, err error, claimed time.Time) outcome {
	if t.CertDER == nil {
		return cannot(CheckToken, clause, ReasonTokenCert, "")
	}
	if err != nil {
		return s.tokenFault(clause, err)
	}
	c, err := readCertificate(t.CertDER)
	detail := stamp(t.Time)
	switch {
	case err != nil:
		return cannot(CheckToken, clause, ReasonCertBad, "")
	case t.Time.After(s.now.Add(skew)):
		return fail(CheckToken, clause, ReasonFuture, detail+" after "+stamp(s.now), effInvalid)
	case claimed.After(t.Time.Add(skew)):
		return fail(CheckToken, clause, ReasonTokenEarly, detail+" before "+stamp(claimed), effInvalid)
	case s.opt.Trust == nil:
		return cannot(CheckToken, clause, ReasonNoAnchor, c.subject)
	}
	// Its period is judged with the token; here it is who vouches for it.
	if o := s.chain(CheckToken, clause, c, t.Time, t.Certs...); o.Result != Pass {
		return o
	}
	s.trusted = t.Time
	return pass(CheckToken, clause, detail+" "+c.subject)
}

// tokenFault turns what is wrong with a token into an outcome.
func (s *subject) tokenFault(clause string, err error) outcome {
	switch {
	case errors.Is(err, tsp.ErrUnsupported):
		return cannot(CheckToken, clause, ReasonTokenUnknown, err.Error())
	case errors.Is(err, tsp.ErrImprint):
		return fail(CheckToken, clause, ReasonTokenImprint, err.Error(), effInvalid)
	case errors.Is(err, tsp.ErrSignature):
		return fail(CheckToken, clause, ReasonTokenValue, err.Error(), effInvalid)
	case errors.Is(err, tsp.ErrUsage):
		return fail(CheckToken, clause, ReasonTokenUsage, err.Error(), effInvalid)
	}
	return fail(CheckToken, clause, ReasonTokenBad, err.Error(), effInvalid)
}
