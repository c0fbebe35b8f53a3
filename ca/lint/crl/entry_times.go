package crl

import "github.com/yinxin-gov/yinxin/ca/lint"

// entryTimes: nothing is revoked in the list's future.
func entryTimes() Lint {
	return Lint{ID: "crl.entry_times", Clause: "RFC 5280 5.1.2.6", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		for _, e := range in.View.Entries {
			if e.At.After(in.View.ThisUpdate) {
				return fail("revoked after thisUpdate: " + e.Serial.Text(16))
			}
		}
		return pass()
	}}
}
