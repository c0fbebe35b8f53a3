package crl

import (
	"encoding/asn1"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// freshest: a full list may say where its delta is; a delta has none itself.
func freshest() Lint {
	return Lint{ID: "crl.freshest", Clause: "RFC 5280 5.2.6", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		e := in.View.Extension(asn1.ObjectIdentifier{2, 5, 29, 46})
		switch {
		case e == nil:
			return na("no delta announced")
		case in.View.Extension(asn1.ObjectIdentifier{2, 5, 29, 27}) != nil:
			return fail("a delta names a delta")
		}
		// SEQUENCE OF DistributionPoint → distributionPoint [0] → fullName [0].
		points := cryptobyte.String(e.Value)
		var list, point, name, full cryptobyte.String
		constructed := cbasn1.Tag(0).ContextSpecific().Constructed()
		if !points.ReadASN1(&list, cbasn1.SEQUENCE) || !points.Empty() || !list.ReadASN1(&point, cbasn1.SEQUENCE) ||
			!point.ReadASN1(&name, constructed) || !name.ReadASN1(&full, constructed) {
			return fail("freshest CRL has no address")
		}
		return httpNames(full)
	}}
}

// httpNames checks GeneralNames that have to be addresses.
func httpNames(names cryptobyte.String) lint.Finding {
	if names.Empty() {
		return fail("no address")
	}
	for !names.Empty() {
		var uri cryptobyte.String
		if !names.ReadASN1(&uri, cbasn1.Tag(6).ContextSpecific()) ||
			!strings.HasPrefix(string(uri), "http://") && !strings.HasPrefix(string(uri), "https://") {
			return fail("not an http address")
		}
	}
	return pass()
}
