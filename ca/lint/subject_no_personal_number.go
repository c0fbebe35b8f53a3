package lint

import (
	"encoding/asn1"
	"regexp"
	"strings"

	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// PersonalNumber finds what looks like a resident identity number. The check digit
// is not asked for: a mistyped number still points at a person.
func PersonalNumber() *regexp.Regexp {
	return regexp.MustCompile(`(^|[^0-9])[1-9][0-9]{5}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]($|[^0-9])`)
}

// subjectNoPersonalNumber: no resident identity number (公民身份号码, GB 11643)
// stands anywhere in the subject or the alternative names.
func subjectNoPersonalNumber() Lint {
	resident := PersonalNumber()
	return Lint{ID: "subject.no_personal_number", Clause: "个人信息保护法 art. 6; GB 11643", Effective: date(2021, 11, 1), Check: func(in Input) Finding {
		for _, a := range in.View.Subject {
			if resident.MatchString(withoutUSCC(in.Profile, a)) {
				return fail("attribute " + a.Type.String() + " holds what looks like a resident identity number")
			}
		}
		if c := in.View.Cert; c != nil {
			for _, name := range append(append([]string{}, c.DNSNames...), c.EmailAddresses...) {
				if resident.MatchString(name) {
					return fail("an alternative name holds what looks like a resident identity number")
				}
			}
		}
		return pass()
	}}
}

// withoutUSCC drops the code of a unit where the profile puts one: some codes
// are 18 digits long and would look like a person.
func withoutUSCC(p *profile.Profile, a Attribute) string {
	if p == nil || len(a.Value) < uscc.Length || !uscc.Valid(a.Value[:uscc.Length]) {
		return a.Value
	}
	inPlace := p.USCC == profile.USCCIdentifier && a.Type.Equal(profile.OrganizationIdentifier()) ||
		p.USCC == profile.USCCInOrganization && a.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 10})
	if !inPlace {
		return a.Value
	}
	return strings.TrimPrefix(a.Value, a.Value[:uscc.Length])
}
