package lint

import (
	"crypto/ecdsa"
	"encoding/asn1"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// signatureAlgorithm: SM2 with SM3 or ECDSA with SHA-256, the one of the
// profile's track, and the one that the issuer's key can make.
func signatureAlgorithm() Lint {
	sm2sm3 := asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	ecdsaSHA256 := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	return Lint{ID: "signature.algorithm", Clause: "GM/T 0015; RFC 5758 3.2", Effective: date(2012, 11, 22), Check: func(in Input) Finding {
		var got profile.Algorithm
		switch {
		case in.View.Signature.Equal(sm2sm3):
			got = profile.SM2
		case in.View.Signature.Equal(ecdsaSHA256):
			got = profile.ECDSA
		default:
			return fail("algorithm " + in.View.Signature.String())
		}
		if in.Profile != nil && in.Profile.Algorithm != got {
			return fail("profile " + string(in.Profile.Name) + " does not sign with " + string(got))
		}
		if in.Issuer != nil && (got == profile.SM2) != issuerIsSM2(in.Issuer) {
			return fail("the issuer's key does not make " + string(got) + " signatures")
		}
		return pass()
	}}
}

func issuerIsSM2(issuer *smx509.Certificate) bool {
	pub, ok := issuer.PublicKey.(*ecdsa.PublicKey)
	return ok && pub.Curve == sm2.P256()
}
