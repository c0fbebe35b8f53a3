package crl

import "github.com/yinxin-gov/yinxin/ca/lint"

// parses: what a strict parser refuses is not published.
func parses() Lint {
	return Lint{ID: "crl.parses", Clause: "RFC 5280 5.1", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		if in.View.Refused != nil {
			return fail(in.View.Refused.Error())
		}
		return pass()
	}}
}
