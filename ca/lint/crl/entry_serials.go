package crl

import "github.com/yinxin-gov/yinxin/ca/lint"

// entrySerials: positive, at most 20 octets, and each once.
func entrySerials() Lint {
	return Lint{ID: "crl.entry_serials", Clause: "RFC 5280 4.1.2.2, 5.1.2.6", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		seen := make(map[string]bool, len(in.View.Entries))
		for _, e := range in.View.Entries {
			key := string(e.Serial.Bytes())
			switch {
			case e.Serial.Sign() <= 0 || e.Octets > 20:
				return fail("serial " + e.Serial.Text(16))
			case seen[key]:
				return fail("serial twice: " + e.Serial.Text(16))
			}
			seen[key] = true
		}
		return pass()
	}}
}
