package lint

import (
	"strings"

	"github.com/emmansun/gmsm/smx509"
)

// revocationPoint: whoever relies on a certificate can find out whether it
// still holds (电子签名法 art. 22). Roots are withdrawn by hand.
func revocationPoint() Lint {
	return Lint{ID: "crl.present", Clause: "RFC 5280 4.2.1.13; 电子签名法 art. 22", Effective: date(2008, 5, 1), Check: parsed(func(_ Input, c *smx509.Certificate) Finding {
		if selfSigned(c) {
			return na("self-signed")
		}
		return httpURLs(c.CRLDistributionPoints, "CRL distribution point")
	})}
}

func httpURLs(urls []string, what string) Finding {
	if len(urls) == 0 {
		return fail(what + " is missing")
	}
	for _, u := range urls {
		if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
			return fail(what + " is not an http address")
		}
	}
	return pass()
}
