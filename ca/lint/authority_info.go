package lint

import (
	"github.com/emmansun/gmsm/smx509"
)

// authorityInfo: says where the issuer's certificate is; responders that it
// names are http addresses.
func authorityInfo() Lint {
	return Lint{ID: "aia.present", Clause: "RFC 5280 4.2.2.1; 电子签名法 art. 22", Effective: date(2008, 5, 1), Check: parsed(func(_ Input, c *smx509.Certificate) Finding {
		if selfSigned(c) {
			return na("self-signed")
		}
		if len(c.OCSPServer) > 0 {
			if f := httpURLs(c.OCSPServer, "OCSP responder"); f.Outcome == Fail {
				return f
			}
		}
		return httpURLs(c.IssuingCertificateURL, "address of the issuer's certificate")
	})}
}
