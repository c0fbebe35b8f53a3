package lint

import "github.com/emmansun/gmsm/smx509"

// subjectKeyID: needed to find the issuer of anything below and the key of a
// recipient.
func subjectKeyID() Lint {
	return Lint{ID: "ski.present", Clause: "RFC 5280 4.2.1.2", Effective: date(2008, 5, 1), Check: parsed(func(_ Input, c *smx509.Certificate) Finding {
		if n := len(c.SubjectKeyId); n < 8 || n > 32 {
			return fail("subject key identifier is missing or has an odd length")
		}
		return pass()
	})}
}
