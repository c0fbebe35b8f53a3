package verify

import "github.com/yinxin-gov/yinxin/signer/seal"

// checkToken: a GB/T 20520 token over the signature value. One that does not hold
// is a finding, never ignored: who added it wanted it to be believed.
func checkToken(s *subject) outcome {
	const clause = "GB/T 38540-2020, 7.3; GB/T 20520-2006"
	switch {
	case s.ses == nil:
		return skip(CheckToken, clause, ReasonNotJudged)
	case s.token != nil:
	case s.ses.TimeStamp != nil && s.ses.Layout == seal.LayoutV1:
		// V1 has its token inside what is signed; over what, the text does not say.
		o := cannot(CheckToken, clause, ReasonTokenUnknown, s.sig.ValuePath)
		s.token = &o
	default:
		o := s.judgeToken(clause, s.ses.TimeStamp, s.ses.Value, s.at)
		s.token = &o
	}
	return *s.token
}
