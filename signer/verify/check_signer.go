package verify

import (
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// skew is how far a signer's clock may run ahead of ours.
const skew = 10 * time.Minute

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

// checkCertForm: the signer's certificate reads. One with bytes that strict
// parsers refuse is judged by its front fields only and never passes.
func checkCertForm(s *subject) outcome {
	const clause = "GB/T 20518-2018"
	switch {
	case s.form == ReasonRaw, s.msg != nil && s.certDER == nil:
		return cannot(CheckCertForm, clause, ReasonNoCert, s.sig.ValuePath)
	case !s.judged():
		return skip(CheckCertForm, clause, ReasonNotJudged)
	case s.signer == nil:
		return fail(CheckCertForm, clause, ReasonCertBad, "", effInvalid)
	case s.signer.full == nil:
		return cannot(CheckCertForm, clause, ReasonCertBad, s.signer.subject)
	}
	return pass(CheckCertForm, clause, s.signer.subject)
}

// checkChain: the signer's certificate leads to an anchor, at signing time.
func checkChain(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 c; GB/T 38540-2020, 7.3"
	if !s.judged() {
		return skip(CheckChain, clause, ReasonNotJudged)
	}
	var carried [][]byte
	if s.msg != nil {
		carried = s.msg.Certs
	}
	return s.chain(CheckChain, clause, s.signer, s.at, carried...)
}

// chain judges a chain at the time at which the certificate was used; whether the
// certificate itself was in its period then is another check. Without an anchor
// the mathematics may hold, but nobody vouches for the name.
func (s *subject) chain(id, clause string, c *certificate, at time.Time, carried ...[]byte) outcome {
	switch {
	case s.opt.Trust == nil:
		return cannot(id, clause, ReasonNoAnchor, "")
	case c == nil:
		return cannot(id, clause, ReasonCertBad, "")
	}
	if !c.validAt(at) {
		at = c.notAfter // the period is judged apart; the chain still tells who vouched
	}
	links, ok := c.chains(s.opt.Trust, at, append(carried[:len(carried):len(carried)], s.opt.Carried...)...)
	for _, l := range links {
		s.note(l.who, l.Proof, nil)
	}
	if !ok {
		return cannot(id, clause, ReasonUntrusted, c.subject)
	}
	return pass(id, clause, c.subject)
}

// checkUsage: the signer's certificate is for signing.
func checkUsage(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 c; GB/T 20518-2018"
	if !s.judged() || s.signer == nil || s.signer.full == nil {
		return skip(CheckUsage, clause, ReasonNotJudged)
	}
	if o, bad := usage(CheckUsage, clause, s.signer); bad {
		return o
	}
	if s.signer.full.KeyUsage&smx509.KeyUsageCertSign != 0 {
		s.warn(WarnKeyCertSign, s.sig.ValuePath)
	}
	return pass(CheckUsage, clause, "")
}

// usage refuses authorities and certificates that are not for signing.
func usage(id, clause string, c *certificate) (outcome, bool) {
	switch {
	case c.full.IsCA:
		return fail(id, clause, ReasonCertIsCA, c.subject, effInvalid), true
	case !c.signs():
		return fail(id, clause, ReasonCertUsage, c.subject, effInvalid), true
	}
	return outcome{}, false
}

// checkCertPeriod: the signer's certificate was in its period at the claimed time.
func checkCertPeriod(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 d; GB/T 38540-2020, 7.3"
	if !s.judged() || s.signer == nil {
		return skip(CheckCertPeriod, clause, ReasonNotJudged)
	}
	if s.at.IsZero() {
		return cannot(CheckCertPeriod, clause, ReasonNoTime, "")
	}
	detail := span(s.at, s.signer.notBefore, s.signer.notAfter)
	if !s.signer.validAt(s.at) {
		return fail(CheckCertPeriod, clause, ReasonPeriod, detail, effInvalid)
	}
	return pass(CheckCertPeriod, clause, detail)
}

// checkTime: the claimed time is there and not in the future. It stays the
// signer's own claim unless a time-stamp bounds it.
func checkTime(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 d; GB/T 38540-2020, 7.3"
	if !s.judged() {
		return skip(CheckTime, clause, ReasonNotJudged)
	}
	if s.at.IsZero() {
		return cannot(CheckTime, clause, ReasonNoTime, "")
	}
	if s.at.After(s.now.Add(skew)) {
		return fail(CheckTime, clause, ReasonFuture, stamp(s.at)+" after "+stamp(s.now), effInvalid)
	}
	if checkToken(s); s.trusted.IsZero() {
		s.warn(WarnClaimedTime, "")
	}
	return pass(CheckTime, clause, stamp(s.at))
}

// checkRevocation: no known revocation before signing. A revocation after it
// needs a trusted time to be harmless.
func checkRevocation(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 d; GB/T 38540-2020, 7.3"
	if !s.judged() {
		return skip(CheckRevocation, clause, ReasonNotJudged)
	}
	certs := [][]byte{s.certDER}
	if s.ses != nil {
		certs = append(certs, s.ses.Seal.MakerCertDER)
	}
	return s.revocation(clause, s.at, certs...)
}

// revocation asks for certificates that were used at a time.
func (s *subject) revocation(clause string, used time.Time, certs ...[]byte) outcome {
	if s.opt.Revocation == nil {
		s.warn(WarnNoRevocation, "")
		return skip(CheckRevocation, clause, ReasonNoRevocation)
	}
	late, proven := "", s.proven()
	for _, der := range certs {
		at, known, err := s.revokedBy(der, proven)
		switch {
		case err != nil || !known:
			s.warn(WarnNoRevocation, "")
		case !at.IsZero() && !at.After(used):
			return fail(CheckRevocation, clause, ReasonRevoked, stamp(at), effInvalid)
		case !at.IsZero() && (proven.IsZero() || !at.After(proven)):
			late = stamp(at)
		}
	}
	if late != "" {
		return cannot(CheckRevocation, clause, ReasonRevokedLater, late)
	}
	return pass(CheckRevocation, clause, "")
}

// proven is the earliest time at which the signature is known to have existed;
// zero when there is none.
func (s *subject) proven() time.Time {
	if p := s.opt.Proven; !p.IsZero() && (s.trusted.IsZero() || p.Before(s.trusted)) {
		return p
	}
	return s.trusted
}

// revokedBy asks for the time up to which a revocation matters: the proven one,
// or now, because without it the signature may have been made this minute.
func (s *subject) revokedBy(der []byte, proven time.Time) (time.Time, bool, error) {
	dated, ok := s.opt.Revocation.(Dated)
	if !ok {
		return s.opt.Revocation.RevokedAt(s.ctx, der)
	}
	if proven.IsZero() {
		proven = s.now
	}
	return dated.RevokedBy(s.ctx, der, proven)
}
