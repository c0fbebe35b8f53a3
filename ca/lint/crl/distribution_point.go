package crl

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// distributionPoint: a list that speaks of some certificates only says so
// critically, and names the address that those certificates name.
func distributionPoint() Lint {
	return Lint{ID: "crl.idp", Clause: "RFC 5280 5.2.5", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		e := in.View.Extension(asn1.ObjectIdentifier{2, 5, 29, 28})
		switch {
		case e == nil:
			return na("complete list")
		case !e.Critical:
			return fail("issuing distribution point is not critical")
		}
		// IssuingDistributionPoint → distributionPoint [0] → fullName [0].
		point := cryptobyte.String(e.Value)
		var outer, name, full cryptobyte.String
		constructed := cbasn1.Tag(0).ContextSpecific().Constructed()
		if !point.ReadASN1(&outer, cbasn1.SEQUENCE) || !point.Empty() || !outer.ReadASN1(&name, constructed) || !name.ReadASN1(&full, constructed) {
			return fail("issuing distribution point has no address")
		}
		return httpNames(full)
	}}
}
