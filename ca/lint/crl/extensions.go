package crl

import (
	"encoding/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// extensions: none twice, and critical are only those two that change what a
// list speaks of.
func extensions() Lint {
	deltaID, idp := asn1.ObjectIdentifier{2, 5, 29, 27}, asn1.ObjectIdentifier{2, 5, 29, 28}
	return Lint{ID: "crl.extensions", Clause: "RFC 5280 5.2", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		seen := map[string]bool{}
		for _, e := range in.View.Extensions {
			id := e.ID.String()
			switch {
			case seen[id]:
				return fail("extension twice: " + id)
			case e.Critical && !e.ID.Equal(deltaID) && !e.ID.Equal(idp):
				return fail("critical extension " + id)
			}
			seen[id] = true
		}
		return pass()
	}}
}
