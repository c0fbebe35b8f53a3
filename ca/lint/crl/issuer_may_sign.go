package crl

import (
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// issuerMaySign: an authority with the cRLSign bit, in its period.
func issuerMaySign() Lint {
	return Lint{ID: "crl.issuer_may_sign", Clause: "RFC 5280 4.2.1.3, 6.3.3 (f)", Effective: rfc5280(), Check: issued(func(v *View, issuer *smx509.Certificate) lint.Finding {
		switch {
		case !issuer.IsCA || issuer.KeyUsage&smx509.KeyUsageCRLSign == 0:
			return fail("the issuer may not sign lists")
		case v.ThisUpdate.Before(issuer.NotBefore) || v.ThisUpdate.After(issuer.NotAfter):
			return fail("thisUpdate is out of the issuer's period")
		}
		return pass()
	})}
}
