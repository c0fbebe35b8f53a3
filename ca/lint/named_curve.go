package lint

import (
	"encoding/asn1"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// namedCurve: the key stands on a named curve. Explicit parameters are refused:
// libraries compare only some of them.
func namedCurve() Lint {
	ecPublicKey := asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	curves := map[profile.Algorithm]asn1.ObjectIdentifier{
		profile.SM2:   {1, 2, 156, 10197, 1, 301},
		profile.ECDSA: {1, 2, 840, 10045, 3, 1, 7},
	}
	return Lint{ID: "key.named_curve", Clause: "RFC 5480 2.1.1; GM/T 0015", Effective: date(2012, 11, 22), Check: func(in Input) Finding {
		if !in.View.KeyType.Equal(ecPublicKey) {
			return fail("key type " + in.View.KeyType.String())
		}
		if in.View.Curve == nil {
			return fail("curve is not named")
		}
		for algorithm, curve := range curves {
			if in.View.Curve.Equal(curve) && (in.Profile == nil || in.Profile.Algorithm == algorithm) {
				return pass()
			}
		}
		return fail("curve " + in.View.Curve.String())
	}}
}
