package lint

import (
	"encoding/asn1"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// keyUsage: critical and exactly what the profile says. For a pair this is what
// keeps an escrowed key from ever signing.
func keyUsage() Lint {
	return Lint{ID: "usage.key", Clause: "RFC 5280 4.2.1.3; GM/T 0015", Effective: date(2012, 11, 22), Check: profiled(func(in Input, c *smx509.Certificate, p profile.Profile) Finding {
		e := in.View.extension(asn1.ObjectIdentifier{2, 5, 29, 15})
		if e == nil || !e.Critical {
			return fail("key usage is missing or not critical")
		}
		if c.KeyUsage != p.KeyUsage {
			return fail(fmt.Sprintf("key usage %#x, profile %s wants %#x", int(c.KeyUsage), p.Name, int(p.KeyUsage)))
		}
		return pass()
	})}
}
