package verify

// checkSealPeriod: the seal was in its period at the claimed time of signing.
func checkSealPeriod(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.3 f; GB/T 38540-2020, 7.3"
	if s.ses == nil {
		return skip(CheckSealPeriod, clause, ReasonNotJudged)
	}
	se := s.ses.Seal
	if s.at.IsZero() {
		return cannot(CheckSealPeriod, clause, ReasonNoTime, "")
	}
	detail := span(s.at, se.ValidFrom, se.ValidUntil)
	if !se.ActiveAt(s.at) {
		return fail(CheckSealPeriod, clause, ReasonPeriod, detail, effInvalid)
	}
	return pass(CheckSealPeriod, clause, detail)
}
