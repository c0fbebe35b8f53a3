package lint

import (
	"bytes"

	"github.com/emmansun/gmsm/smx509"
)

// authorityKeyID: names the issuer's key, and truly that key when the issuer is
// known. A self-signed root may leave it out.
func authorityKeyID() Lint {
	return Lint{ID: "aki.matches", Clause: "RFC 5280 4.2.1.1", Effective: date(2008, 5, 1), Check: parsed(func(in Input, c *smx509.Certificate) Finding {
		self := selfSigned(c)
		switch {
		case self && len(c.AuthorityKeyId) == 0:
			return pass()
		case len(c.AuthorityKeyId) == 0:
			return fail("authority key identifier is missing")
		case !self && in.Issuer != nil && !bytes.Equal(c.AuthorityKeyId, in.Issuer.SubjectKeyId):
			return fail("authority key identifier is not the issuer's key")
		case !self && in.Issuer != nil && !bytes.Equal(c.RawIssuer, in.Issuer.RawSubject):
			return fail("issuer name is not the subject of the issuer")
		}
		return pass()
	})}
}

// selfSigned: a root. One that names itself and another key as its issuer is a
// certificate of one root by another (RFC 4210 4.4).
func selfSigned(c *smx509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && (len(c.AuthorityKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId))
}
