package crl

import "github.com/yinxin-gov/yinxin/ca/lint"

// entriesListed: a list without entries leaves the sequence out.
func entriesListed() Lint {
	return Lint{ID: "crl.entries", Clause: "RFC 5280 5.1.2.6", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		if in.View.EmptyList {
			return fail("revokedCertificates is empty instead of absent")
		}
		return pass()
	}}
}
