package verify

// checkFormat stands only where the signed value is of a kind that cannot be
// judged; digests, references and coverage are checked all the same.
func (s *subject) checkFormat() outcome {
	return cannot(CheckFormat, clauseCMS, s.form, s.sig.ValuePath)
}
