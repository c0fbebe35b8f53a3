package crl

import (
	"bytes"
	"encoding/asn1"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// authorityKeyID: by key identifier, that of the issuer.
func authorityKeyID() Lint {
	return Lint{ID: "crl.aki", Clause: "RFC 5280 5.2.1", Effective: rfc5280(), Check: issued(func(v *View, issuer *smx509.Certificate) lint.Finding {
		e := v.Extension(asn1.ObjectIdentifier{2, 5, 29, 35})
		if e == nil {
			return fail("authority key identifier is missing")
		}
		in := cryptobyte.String(e.Value)
		var outer, id cryptobyte.String
		if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&id, cbasn1.Tag(0).ContextSpecific()) ||
			!bytes.Equal(id, issuer.SubjectKeyId) {
			return fail("authority key identifier is not the issuer's")
		}
		return pass()
	})}
}
