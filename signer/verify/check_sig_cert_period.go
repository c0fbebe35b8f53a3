package verify

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
