package verify

import "time"

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
	late, after, proven := "", "", s.proven()
	for _, der := range certs {
		at, known, err := s.revokedBy(der, proven)
		switch {
		case err != nil || !known:
			s.warn(WarnNoRevocation, "")
		case !at.IsZero() && !at.After(used):
			return fail(CheckRevocation, clause, ReasonRevoked, s.dates(der, at), effInvalid)
		case !at.IsZero() && (proven.IsZero() || !at.After(proven)):
			late = s.dates(der, at)
		case !at.IsZero():
			after = s.dates(der, at)
		}
	}
	if late != "" {
		return cannot(CheckRevocation, clause, ReasonRevokedLater, late)
	}
	return pass(CheckRevocation, clause, after)
}

// dates names when a certificate was revoked, and from when on its authority does
// not trust the key where it says so.
func (s *subject) dates(der []byte, at time.Time) string {
	if d, ok := s.opt.Revocation.(Dates); ok {
		if revoked, invalid, err := d.Dates(s.ctx, der); err == nil && !invalid.IsZero() {
			return "revocationDate " + stamp(revoked) + ", invalidityDate " + stamp(invalid)
		}
	}
	return stamp(at)
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
