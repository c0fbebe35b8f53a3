package crl

import (
	"encoding/asn1"
	"fmt"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// entryReasons: a known reason, not critical; "unspecified" is left out, and
// removeFromCRL stands in delta lists only. No other extension of an entry is
// critical: nobody could read the list.
func entryReasons() Lint {
	return Lint{ID: "crl.entry_reasons", Clause: "RFC 5280 5.3.1", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		isDelta := in.View.Extension(asn1.ObjectIdentifier{2, 5, 29, 27}) != nil
		for _, e := range in.View.Entries {
			for _, x := range e.Extensions {
				if x.Critical {
					return fail("critical extension " + x.ID.String() + " of " + e.Serial.Text(16))
				}
			}
			switch {
			case !e.HasReason:
			case e.Reason <= 0 || e.Reason == 7 || e.Reason > 10:
				return fail(fmt.Sprintf("reason %d of %s", e.Reason, e.Serial.Text(16)))
			case e.Reason == ReasonRemove && !isDelta:
				return fail("removeFromCRL in a complete list: " + e.Serial.Text(16))
			}
		}
		return pass()
	}}
}
