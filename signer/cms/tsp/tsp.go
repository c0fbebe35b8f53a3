// Package tsp writes and reads time-stamp requests, responses and tokens (时间戳)
// of RFC 3161, on both algorithm tracks: ECDSA with SHA-256, and SM2 with SM3 in
// the frame of GB/T 35275 (GM/T 0033, GB/T 20520).
//
// Verify checks what the mathematics and the certificate alone can tell: the
// imprint, the signature, the certificate's one purpose (critical, RFC 3161 2.3)
// and its period at the time of the token. The chain is the caller's.
//
// It refuses anything that is not DER, unknown digests, critical extensions, and
// requests over a few kilobytes.
package tsp

import (
	"crypto"
	encasn1 "encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// Outcomes that callers branch on.
var (
	// ErrFormat: the bytes are not such a message.
	ErrFormat = errors.New("tsp: malformed message")
	// ErrUnsupported: well formed, but of a kind or an algorithm not handled here.
	ErrUnsupported = errors.New("tsp: unsupported message or algorithm")
	// ErrImprint: the token is over something else.
	ErrImprint = errors.New("tsp: token over another value")
	// ErrSignature: the token's signature does not verify.
	ErrSignature = errors.New("tsp: signature of the token does not verify")
	// ErrUsage: the signer's certificate is not one of a time-stamp service.
	ErrUsage = errors.New("tsp: certificate not for time-stamps")
	// ErrRefused: the service answered that it makes no token.
	ErrRefused = errors.New("tsp: request refused")
)

// OIDInfo is the content type of a token.
func OIDInfo() encasn1.ObjectIdentifier {
	return encasn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
}

var oidEKU = encasn1.ObjectIdentifier{2, 5, 29, 37}

// Imprint is the digest that is stamped.
type Imprint struct {
	Digest signeddata.Digest
	Value  []byte
}

// Over makes the imprint of some bytes.
func Over(d signeddata.Digest, content []byte) Imprint { return Imprint{d, d.Of(content)} }

func (i Imprint) write(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(i.Digest.OID)
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(i.Value)
	})
}

func (i *Imprint) read(in *cryptobyte.String) error {
	var seq, alg, sum cryptobyte.String
	var oid encasn1.ObjectIdentifier
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!seq.ReadASN1(&sum, asn1.OCTET_STRING) || !seq.Empty() {
		return fmt.Errorf("%w: imprint", ErrFormat)
	}
	d, err := signeddata.DigestOf(oid)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if len(sum) != d.New().Size() {
		return fmt.Errorf("%w: imprint of %d bytes", ErrFormat, len(sum))
	}
	i.Digest, i.Value = d, sum
	return nil
}

// Info is a TSTInfo.
type Info struct {
	Policy   encasn1.ObjectIdentifier
	Imprint  Imprint
	Serial   *big.Int
	Time     time.Time
	Accuracy time.Duration // 0: not stated; whole milliseconds
	Nonce    *big.Int      // nil: none
}

// Sign makes a token. With certs it carries the certificate and chain.
func Sign(info Info, certDER []byte, chain [][]byte, certs bool, key crypto.Signer) ([]byte, error) {
	if _, err := usable(certDER, info.Time); err != nil {
		return nil, err
	}
	content, err := info.der()
	if err != nil {
		return nil, err
	}
	return signeddata.Sign(signeddata.Spec{Type: OIDInfo(), Content: content, CertDER: certDER, Chain: chain, NoCerts: !certs}, key)
}

func (i Info) der() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(i.Policy)
		i.Imprint.write(b)
		b.AddASN1BigInt(i.Serial)
		b.AddASN1GeneralizedTime(i.Time.UTC().Truncate(time.Second))
		if i.Accuracy > 0 {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if s := int64(i.Accuracy / time.Second); s > 0 {
					b.AddASN1Int64(s)
				}
				if ms := int64(i.Accuracy % time.Second / time.Millisecond); ms > 0 {
					b.AddASN1Int64WithTag(ms, asn1.Tag(0).ContextSpecific())
				}
			})
		}
		if i.Nonce != nil {
			b.AddASN1BigInt(i.Nonce)
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("tsp: encode: %w", err)
	}
	return der, nil
}
