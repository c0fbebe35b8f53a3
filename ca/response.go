package ca

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Wire is the pair as it travels; response adds the form of GM/T 0092-2020.
func (d DualResult) Wire(response bool) (wire.Pair, error) {
	p := wire.Pair{
		System: d.Request.System, SignCert: d.SignCert, EncCert: d.EncCert, EnvelopedKey: d.Envelope, Chain: d.Chain, Renews: d.Renews, Receipt: d.Receipt,
	}
	if !response {
		return p, nil
	}
	var err error
	p.Response, err = d.Response()
	return p, err
}

// Response is the pair in the form of GM/T 0092-2020: the signing certificate,
// the enveloped encryption key [0] and the encryption certificate [1]. Sets hold
// one certificate each, since a SET OF has no order of its own; the chain is
// elsewhere. The library writes this form only from an open private key, which
// never leaves the key centre.
func (d DualResult) Response() ([]byte, error) {
	if len(d.SignCert) == 0 || len(d.EncCert) == 0 || len(d.Envelope) == 0 {
		return nil, errors.New("ca: a response needs both certificates and the envelope")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(d.SignCert) })
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(d.Envelope) })
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(d.EncCert) })
	})
	return b.Bytes()
}
