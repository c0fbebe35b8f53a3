package verify

import "time"

// skew is how far a signer's clock may run ahead of ours.
const skew = 10 * time.Minute

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
