package lint

import (
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// extendedKeyUsage: exactly the purposes of the profile, in any order; critical
// where the purpose wants it (RFC 3161, 2.3).
func extendedKeyUsage() Lint {
	return Lint{ID: "usage.extended", Clause: "RFC 5280 4.2.1.12", Effective: date(2008, 5, 1), Check: profiled(func(_ Input, c *smx509.Certificate, p profile.Profile) Finding {
		got, want := slices.Sorted(slices.Values(c.ExtKeyUsage)), slices.Sorted(slices.Values(p.ExtKeyUsage))
		if !slices.Equal(got, want) || len(c.UnknownExtKeyUsage) > 0 {
			return fail(fmt.Sprintf("purposes %v and %d unknown, profile %s wants %v", got, len(c.UnknownExtKeyUsage), p.Name, want))
		}
		critical := false
		for _, e := range c.Extensions {
			critical = critical || e.Critical && e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37})
		}
		if critical != p.CriticalPurpose() {
			return fail(fmt.Sprintf("purposes critical: %v, profile %s wants %v", critical, p.Name, p.CriticalPurpose()))
		}
		return pass()
	})}
}
