package crl

import (
	"bytes"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// issuerName: byte for byte the subject of the issuer, or path validation does
// not find the list.
func issuerName() Lint {
	return Lint{ID: "crl.issuer", Clause: "RFC 5280 5.1.2.3", Effective: rfc5280(), Check: issued(func(v *View, issuer *smx509.Certificate) lint.Finding {
		if len(v.RawIssuer) <= 2 || !bytes.Equal(v.RawIssuer, issuer.RawSubject) {
			return fail("issuer is not the subject of the issuing certificate")
		}
		return pass()
	})}
}
