package verify

// checkBase: a signature that builds on another one names one that is there
// (OFD 2.0, Relative); whether that one holds is its own verdict.
func checkBase(s *subject) outcome {
	const clause = "GB/T 33190-2016, 18.1"
	if s.sig.Relative == "" {
		return skip(CheckBase, clause, ReasonNoBase)
	}
	for i := range s.all {
		if o := &s.all[i]; o != s.sig && o.ID == s.sig.Relative {
			return pass(CheckBase, clause, o.ID)
		}
	}
	return fail(CheckBase, clause, ReasonBaseMissing, s.sig.Relative, effAltered)
}
