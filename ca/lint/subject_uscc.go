package lint

import (
	"encoding/asn1"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// subjectUSCC: the unified social credit code of the owner stands where the
// profile wants it, with a right check digit.
func subjectUSCC() Lint {
	return Lint{ID: "subject.uscc", Clause: "GB 32100-2015 4; 电子签名法 art. 21", Effective: date(2015, 10, 1), Check: profiled(func(in Input, _ *smx509.Certificate, p profile.Profile) Finding {
		var codes []string
		switch p.USCC {
		case profile.USCCNone:
			return na("profile has no code")
		case profile.USCCIdentifier:
			codes = attribute(in.View.Subject, profile.OrganizationIdentifier())
		case profile.USCCInOrganization:
			codes = attribute(in.View.Subject, asn1.ObjectIdentifier{2, 5, 4, 10})
			if len(codes) == 1 && len(codes[0]) <= uscc.Length {
				return fail("O needs the name of the unit behind its code")
			}
		}
		if len(codes) != 1 || len(codes[0]) < uscc.Length || (p.USCC == profile.USCCIdentifier && len(codes[0]) != uscc.Length) {
			return fail("the unit's code is missing")
		}
		if !uscc.Valid(codes[0][:uscc.Length]) {
			return fail("not a unified social credit code: alphabet or check digit")
		}
		return pass()
	})}
}
