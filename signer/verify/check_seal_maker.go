package verify

// checkMaker: the maker's certificate may sign and was valid when the seal was
// made; neither standard names the time, this is the house's rule (reference
// §5.2 f1).
func checkMaker(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.1.2; GB/T 38540-2020, 6.3"
	if s.ses == nil {
		return skip(CheckMaker, clause, ReasonNotJudged)
	}
	if s.maker == nil {
		return cannot(CheckMaker, clause, ReasonCertBad, "")
	}
	se := s.ses.Seal
	if se.ValidFrom.Before(s.maker.notBefore) {
		s.warn(WarnEarlySeal, s.sig.ValuePath)
	}
	if !s.maker.validAt(se.Created) {
		return fail(CheckMaker, clause, ReasonPeriod, span(se.Created, s.maker.notBefore, s.maker.notAfter), effInvalid)
	}
	if s.maker.full == nil {
		return cannot(CheckMaker, clause, ReasonCertBad, s.maker.subject)
	}
	if o, bad := usage(CheckMaker, clause, s.maker); bad {
		return o
	}
	return pass(CheckMaker, clause, s.maker.subject)
}
