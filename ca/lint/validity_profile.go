package lint

import (
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// validityProfile: no longer than the profile permits; both ends count (RFC
// 5280 4.1.2.5).
func validityProfile() Lint {
	return Lint{ID: "validity.profile", Clause: "house rule; ca/profile", Effective: date(2026, 1, 1), Check: profiled(func(in Input, _ *smx509.Certificate, p profile.Profile) Finding {
		if length := in.View.NotAfter.Sub(in.View.NotBefore) + time.Second; length > p.Validity {
			return fail("valid for " + length.String() + ", profile permits " + p.Validity.String())
		}
		return pass()
	})}
}
