package verify

// checkSelfTest is the negative test of 电子签名法 art. 13 (3): a change to the
// signature must be found. With one bit of the value flipped the check that
// accepted it must refuse it; a verifier that does not is worth nothing.
func checkSelfTest(list []outcome, again func() outcome) outcome {
	const clause = "电子签名法, 13 (3)"
	for _, o := range list {
		if o.ID != CheckValue || o.Result != Pass {
			continue
		}
		if got := again(); got.Result != Fail {
			return fail(CheckSelfTest, clause, ReasonSelfTest, string(got.Result), effInvalid)
		}
		return pass(CheckSelfTest, clause, "")
	}
	return skip(CheckSelfTest, clause, ReasonNotJudged)
}

// flipped is checkValue of the same signature with another value.
func (s *subject) flipped() outcome {
	other := subject{ctx: s.ctx, opt: &Options{}, pkg: s.pkg, sig: s.sig, certDER: s.certDER}
	switch {
	case s.ses != nil:
		ses := *s.ses
		ses.Value = flip(ses.Value)
		other.ses = &ses
	case s.msg != nil:
		msg := *s.msg
		msg.Value = flip(msg.Value)
		other.msg = &msg
	}
	return checkValue(&other)
}

// flip changes the last bit: of s in every DER signature, so that the structure
// stays and only the mathematics can tell.
func flip(value []byte) []byte {
	out := append([]byte{}, value...)
	if len(out) > 0 {
		out[len(out)-1] ^= 1
	}
	return out
}
