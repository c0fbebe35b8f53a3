package verify

import (
	"context"
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
	return s.judgeParsed(clause, t, t.Imprint.Digest.Of(value), claimed)
}

// TimeStamp judges a time-stamp that stands alone, over content of which the
// digest by t.Imprint.Digest is known. Of the options Trust, Now and Revocation
// count.
func TimeStamp(ctx context.Context, t *tsp.Token, digest []byte, opt Options) (Check, Verdict) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &subject{ctx: ctx, opt: &opt, now: opt.Now()}
	o := s.judgeParsed("RFC 3161, 2.4.2; GB/T 20520-2006", t, digest, time.Time{})
	return o.Check, o.effect.verdict()
}

// judgeParsed takes the service's certificate from the anchors when the token
// does not carry it.
func (s *subject) judgeParsed(clause string, t *tsp.Token, digest []byte, claimed time.Time) outcome {
	if t.CertDER == nil && s.opt.Trust != nil {
		t.Adopt(s.opt.Trust.Anchors()...)
	}
	err := t.VerifyDigest(digest)
	if t.CertDER == nil && !errors.Is(err, tsp.ErrImprint) {
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
	// Whoever got hold of the key makes tokens of any time: once the certificate is
	// revoked its tokens prove none, until somebody can tell why (RFC 3161, 4); those that are
	// proven to be older do.
	if s.opt.Revocation != nil {
		at, known, err := s.revokedBy(t.CertDER, s.opt.Proven)
		if err != nil || !known {
			s.warn(WarnNoRevocation, "")
		} else if !at.IsZero() && (s.opt.Proven.IsZero() || !at.After(s.opt.Proven)) {
			return cannot(CheckToken, clause, ReasonTokenRevoked, stamp(at))
		}
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
