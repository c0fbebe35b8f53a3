package lint

import (
	"encoding/asn1"

	"github.com/emmansun/gmsm/smx509"
)

// usagePair: of a dual certificate (双证书) one half signs and the other
// encrypts. The encryption key is escrowed; one that may also sign would let the
// key centre sign for its owner. Known without a profile, so it judges the
// certificates of others too.
func usagePair() Lint {
	const (
		signs    = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment | smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign
		encrypts = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
	)
	curve := asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}
	return Lint{ID: "usage.pair", Clause: "GM/T 0015; GM/T 0034 (双证书)", Effective: date(2012, 11, 22), Check: parsed(func(in Input, c *smx509.Certificate) Finding {
		switch {
		case !in.View.Curve.Equal(curve):
			return na("no SM2 key")
		case c.KeyUsage&signs != 0 && c.KeyUsage&encrypts != 0:
			return fail("one key both signs and encrypts")
		}
		return pass()
	})}
}
