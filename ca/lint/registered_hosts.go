package lint

import (
	"slices"
	"strings"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// registeredHosts: every DNS name is one that the system registered, spelled
// the same; no wildcard, no address, e-mail or URI. A profile without hosts has
// no alternative name at all.
func registeredHosts() Lint {
	return Lint{ID: "san.hosts", Clause: "电子签名法 art. 20, 21; RFC 5280 4.2.1.6", Effective: date(2008, 5, 1), Check: profiled(func(in Input, c *smx509.Certificate, p profile.Profile) Finding {
		if len(c.IPAddresses)+len(c.EmailAddresses)+len(c.URIs) > 0 {
			return fail("alternative names may be DNS names only")
		}
		if !p.Hosts {
			if len(c.DNSNames) > 0 {
				return fail("profile " + string(p.Name) + " has no alternative names")
			}
			return pass()
		}
		if len(c.DNSNames) == 0 {
			return fail("a host name is missing")
		}
		for _, name := range c.DNSNames {
			switch {
			case strings.Contains(name, "*") || name != strings.ToLower(name):
				return fail("host name with wildcard or capitals: " + name)
			case in.Hosts != nil && !slices.Contains(in.Hosts, name):
				return fail("host is not registered for the system: " + name)
			}
		}
		if in.Hosts == nil {
			return na("registered hosts not given")
		}
		return pass()
	})}
}
