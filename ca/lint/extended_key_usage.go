package lint

import (
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// extendedKeyUsage: exactly the purposes of the profile, in any order.
func extendedKeyUsage() Lint {
	return Lint{ID: "usage.extended", Clause: "RFC 5280 4.2.1.12", Effective: date(2008, 5, 1), Check: profiled(func(_ Input, c *smx509.Certificate, p profile.Profile) Finding {
		got, want := slices.Sorted(slices.Values(c.ExtKeyUsage)), slices.Sorted(slices.Values(p.ExtKeyUsage))
		if !slices.Equal(got, want) || len(c.UnknownExtKeyUsage) > 0 {
			return fail(fmt.Sprintf("purposes %v and %d unknown, profile %s wants %v", got, len(c.UnknownExtKeyUsage), p.Name, want))
		}
		return pass()
	})}
}
