package crl

import "github.com/yinxin-gov/yinxin/ca/lint"

// updates: says when it was made and until when it may be relied on; times are
// UTCTime through 2049 and GeneralizedTime afterwards, in entries too.
func updates() Lint {
	return Lint{ID: "crl.updates", Clause: "RFC 5280 5.1.2.4, 5.1.2.5", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		v := in.View
		switch {
		case v.NextUpdate.IsZero():
			return fail("nextUpdate is missing")
		case !v.NextUpdate.After(v.ThisUpdate):
			return fail("nextUpdate is not after thisUpdate")
		}
		for _, t := range v.Times {
			if t.Generalized != (t.At.Year() >= 2050) {
				return fail("form of a time in " + t.At.UTC().Format("2006"))
			}
		}
		return pass()
	}}
}
