package verify

import "bytes"

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
	case s.repeated():
		return fail(CheckSES, clause, ReasonRepeated, s.sig.ValuePath, effAltered)
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

// repeated reports whether an earlier record has the same signed value: one seal
// that is shown twice, which the open list lets anybody do.
func (s *subject) repeated() bool {
	own, err := s.pkg.Digest(s.sig.ValuePath)
	if err != nil {
		return false
	}
	for i := range s.all {
		o := &s.all[i]
		if o == s.sig {
			return false
		}
		if o.ValuePath == "" {
			continue
		}
		if d, err := s.pkg.Digest(o.ValuePath); err == nil && bytes.Equal(d, own) {
			return true
		}
	}
	return false
}
