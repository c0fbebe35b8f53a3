package verify

// checkCertList: the seal names the signer's certificate, or it was used by
// somebody else.
func checkCertList(s *subject) outcome {
	const clause = "GM/T 0031-2014, 6.2.2 c; GB/T 38540-2020, 7.3"
	if s.ses == nil {
		return skip(CheckCertList, clause, ReasonNotJudged)
	}
	if !s.ses.Seal.Lists(s.ses.CertDER) {
		return fail(CheckCertList, clause, ReasonNotListed, s.sig.ValuePath, effInvalid)
	}
	return pass(CheckCertList, clause, "")
}
