package lint

import (
	"encoding/asn1"

	"github.com/emmansun/gmsm/smx509"
)

// authorityBit: only a profile of an authority carries the CA bit and
// keyCertSign, with its path length; without a profile the two must agree.
func authorityBit() Lint {
	return Lint{ID: "constraints.ca", Clause: "RFC 5280 4.2.1.3, 4.2.1.9", Effective: date(2008, 5, 1), Check: parsed(func(in Input, c *smx509.Certificate) Finding {
		mayCertify := c.KeyUsage&smx509.KeyUsageCertSign != 0
		if c.IsCA != mayCertify {
			return fail("CA bit and keyCertSign disagree")
		}
		if c.IsCA {
			if e := in.View.extension(asn1.ObjectIdentifier{2, 5, 29, 19}); e == nil || !e.Critical {
				return fail("basic constraints of an authority are not critical")
			}
		}
		p := in.Profile
		switch {
		case p == nil:
			return pass()
		case c.IsCA != p.CA:
			return fail("profile " + string(p.Name) + " does not fit the CA bit")
		case p.CA && c.MaxPathLen != p.PathLen:
			return fail("path length differs from profile " + string(p.Name))
		}
		return pass()
	})}
}
