package verify

import "time"

// checkSealToken: a token over the maker's signature of the seal (GM/T 0031-2025).
// One that does not hold proves no time and makes nobody's signature false: the
// seal stands on its maker's signature, and over what exactly the token is to be
// made is known from one implementation only. It is never passed over either.
func checkSealToken(s *subject) outcome {
	const clause = "GM/T 0031-2025; GB/T 20520-2006"
	switch {
	case s.ses == nil:
		return skip(CheckSealToken, clause, ReasonNotJudged)
	case s.ses.Seal.TimeStamp == nil:
		return skip(CheckSealToken, clause, ReasonNoToken)
	}
	trusted := s.trusted // of the signature; the seal's says nothing of it
	o := s.judgeToken(clause, s.ses.Seal.TimeStamp, s.ses.Seal.Value, time.Time{})
	s.trusted = trusted
	if o.ID = CheckSealToken; o.Result == Fail {
		o = cannot(CheckSealToken, clause, o.Reason, o.Detail)
	}
	return o
}
