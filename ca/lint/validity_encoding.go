package lint

import cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

// validityEncoding: UTCTime through 2049, GeneralizedTime after it. A two-digit
// year read as one of the other century ends a root, or never ends it.
func validityEncoding() Lint {
	return Lint{ID: "validity.encoding", Clause: "RFC 5280 4.1.2.5", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		for i, at := range []int{in.View.NotBefore.UTC().Year(), in.View.NotAfter.UTC().Year()} {
			want := cbasn1.UTCTime
			if at >= 2050 {
				want = cbasn1.GeneralizedTime
			}
			if in.View.TimeTags[i] != uint8(want) {
				return fail("a time is written in the type of the other half of the century")
			}
		}
		return pass()
	}}
}
