package report

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
)

// Certificate as it was seen. Of one that strict parsers refuse only DER and SM3
// stand here.
type Certificate struct {
	SM3       string `json:"sm3"`
	Subject   string `json:"subject"`
	Issuer    string `json:"issuer"`
	Serial    string `json:"serial"` // hex
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	Key       string `json:"key"`       // "SM2", "P-256", "RSA-2048", …
	Algorithm string `json:"algorithm"` // of the issuer's signature
	DER       []byte `json:"der"`
}

func certificate(der []byte) Certificate {
	out := Certificate{SM3: fingerprint(der), DER: der}
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		return out
	}
	out.Subject, out.Issuer, out.Serial = text.Name(c.Subject), text.Name(c.Issuer), fmt.Sprintf("%x", c.SerialNumber)
	out.NotBefore, out.NotAfter, out.Algorithm = stamp(c.NotBefore), stamp(c.NotAfter), c.SignatureAlgorithm.String()
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		out.Key = k.Params().Name
		if k.Curve == sm2.P256() {
			out.Key = "SM2"
		}
	case *rsa.PublicKey:
		out.Key = fmt.Sprintf("RSA-%d", k.N.BitLen())
	default:
		out.Key = fmt.Sprintf("%T", k)
	}
	return out
}
