package verify

// checkMakerChain: the maker's certificate leads to an anchor.
func checkMakerChain(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.1.2; GB/T 38540-2020, 6.3"
	if s.ses == nil {
		return skip(CheckMakerChain, clause, ReasonNotJudged)
	}
	return s.chain(CheckMakerChain, clause, s.maker, s.ses.Seal.Created)
}
