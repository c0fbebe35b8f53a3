package lint

import (
	"encoding/asn1"
	"slices"
)

// extensionsCritical: critical is only what RFC 5280 lets be so and every
// verifier reads. Identifiers, addresses and alternative names are not: a
// verifier that does not know one would refuse the certificate for it.
func extensionsCritical() Lint {
	return Lint{ID: "extensions.critical", Clause: "RFC 5280 4.2, 4.2.1.1, 4.2.1.2, 4.2.1.6, 4.2.2.1", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		// keyUsage, basicConstraints, nameConstraints, policyMappings,
		// policyConstraints, extKeyUsage, inhibitAnyPolicy.
		may := []int{15, 19, 30, 33, 36, 37, 54}
		for _, e := range in.View.Extensions {
			standard := len(e.ID) == 4 && e.ID[:3].Equal(asn1.ObjectIdentifier{2, 5, 29})
			if e.Critical && !(standard && slices.Contains(may, e.ID[3])) {
				return fail("extension is critical: " + e.ID.String())
			}
		}
		return pass()
	}}
}
