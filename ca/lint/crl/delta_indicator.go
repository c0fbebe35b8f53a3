package crl

import (
	"encoding/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// deltaIndicator: critical, so that nobody takes a delta for a full list, and
// it names an earlier one.
func deltaIndicator() Lint {
	return Lint{ID: "crl.delta", Clause: "RFC 5280 5.2.4", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		e := in.View.Extension(asn1.ObjectIdentifier{2, 5, 29, 27})
		if e == nil {
			return na("full list")
		}
		base, n := in.View.Base(), in.View.Number()
		switch {
		case !e.Critical:
			return fail("delta CRL indicator is not critical")
		case base == nil || base.Sign() < 0:
			return fail("delta CRL indicator is no list number")
		case n == nil || base.Cmp(n) >= 0:
			return fail("a delta builds on an earlier list")
		}
		return pass()
	}}
}
