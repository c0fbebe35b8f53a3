package lint

import (
	"encoding/asn1"
	"strings"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
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
			if len(codes) == 1 && len(codes[0]) <= usccLength {
				return fail("O needs the name of the unit behind its code")
			}
		}
		if len(codes) != 1 || len(codes[0]) < usccLength || (p.USCC == profile.USCCIdentifier && len(codes[0]) != usccLength) {
			return fail("the unit's code is missing")
		}
		if !validUSCC(codes[0][:usccLength]) {
			return fail("not a unified social credit code: alphabet or check digit")
		}
		return pass()
	})}
}

const (
	usccLength   = 18
	usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100-2015 table 1: no I, O, S, V, Z
)

// validUSCC computes C18 = 31 - (Σ Ci·3^(i-1) mod 31), GB 32100-2015 4.6. The
// register of agencies (authz/identity) judges the same; this room may not
// import it, and a certificate is judged even where no register is.
func validUSCC(code string) bool {
	if len(code) != usccLength {
		return false
	}
	sum, weight := 0, 1
	for i := range usccLength {
		v := strings.IndexByte(usccAlphabet, code[i])
		if v < 0 {
			return false
		}
		if i == usccLength-1 {
			return v == (31-sum%31)%31
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	return false
}
