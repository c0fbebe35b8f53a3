package verify

import "github.com/yinxin-gov/yinxin/signer/ofd"

const clauseCMS = "GM/T 0099-2020, 7.2.2; GB/T 35275-2017"

// checkMessage: the value of Type="Sign" is a GB/T 35275 message. A record that
// calls itself a seal and holds such a message shows a picture that nobody
// signed as one.
func checkMessage(s *subject) outcome {
	if s.valueErr != nil {
		return fail(CheckCMS, clauseCMS, ReasonMalformed, s.sig.ValuePath+": "+s.valueErr.Error(), effAltered)
	}
	if s.sig.Type != ofd.TypeSign {
		return cannot(CheckCMS, clauseCMS, ReasonType, s.sig.Type)
	}
	return pass(CheckCMS, clauseCMS, s.sig.ValuePath)
}
