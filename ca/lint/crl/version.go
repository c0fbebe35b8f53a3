package crl

import (
	"strconv"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// version: extensions, and so every list of ours, need version 2.
func version() Lint {
	return Lint{ID: "crl.version", Clause: "RFC 5280 5.1.2.1", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		if in.View.Version != 2 {
			return fail("version " + strconv.Itoa(in.View.Version))
		}
		return pass()
	}}
}
