package verify

// checkStructureOfValue: the signature has a description and a value, and the
// value is of the form that it claims: an SES_Signature (GB/T 38540, 7.3 a) or a
// GB/T 35275 message.
func checkStructureOfValue(s *subject) outcome {
	const clause = "GB/T 38540-2020, 7.1; GB/T 33190-2016, 18.2"
	switch {
	case s.sig.Broken:
		return fail(CheckSES, clause, ReasonSigXML, s.sig.Path, effAltered)
	case s.sig.ValuePath == "":
		return fail(CheckSES, clause, ReasonValueMissing, s.sig.Path, effAltered)
	case s.form != "":
		return skip(CheckSES, clause, ReasonNotJudged)
	case s.kind == kindCMS:
		return checkMessage(s)
	case s.valueErr != nil:
		return fail(CheckSES, clause, ReasonMalformed, s.sig.ValuePath+": "+s.valueErr.Error(), effAltered)
	}
	if s.ses.Property != "" && s.ses.Property != s.sig.Path {
		if p, _ := s.pkg.Resolve("/OFD.xml", s.ses.Property); p != s.sig.Path {
			s.warn(WarnProperty, s.sig.Path)
		}
	}
	return pass(CheckSES, clause, s.sig.ValuePath)
}
