package verify

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
