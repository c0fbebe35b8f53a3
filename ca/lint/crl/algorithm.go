package crl

import (
	"crypto/ecdsa"
	"encoding/asn1"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// algorithm: SM2 with SM3 or ECDSA with SHA-256, the same inside and outside,
// and one that the issuer's key can make.
func algorithm() Lint {
	sm2sm3 := asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	ecdsaSHA256 := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	return Lint{ID: "crl.algorithm", Clause: "RFC 5280 5.1.1.2; GM/T 0015", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		v := in.View
		isSM2 := v.Signature.Equal(sm2sm3)
		switch {
		case !v.Outer.Equal(v.Signature):
			return fail("algorithms inside and outside differ")
		case !isSM2 && !v.Signature.Equal(ecdsaSHA256):
			return fail("algorithm " + v.Signature.String())
		}
		if in.Issuer != nil {
			if key, ok := in.Issuer.PublicKey.(*ecdsa.PublicKey); !ok || (key.Curve == sm2.P256()) != isSM2 {
				return fail("the issuer's key does not make such signatures")
			}
		}
		return pass()
	}}
}
