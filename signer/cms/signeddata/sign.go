package signeddata

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	encasn1 "encoding/asn1"
	"fmt"
	"sort"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// Spec is a message to be signed. Content or Digest is given, not both.
type Spec struct {
	Type    encasn1.ObjectIdentifier // of the content; nil: plain data
	Content []byte                   // embedded
	Digest  []byte                   // of detached content, by DigestFor(CertDER)
	Time    time.Time                // signingTime, a claim; zero: none
	CertDER []byte
	Chain   [][]byte // further certificates to carry
	NoCerts bool     // carries none, as a time-stamp request may ask

	// Stamp makes a time-stamp token over the signature value, which becomes an
	// unsigned attribute (ETSI EN 319 122-1, 5.3); nil: none.
	Stamp func(value []byte) (token []byte, err error)
}

// Sign writes a SignedData and verifies what it wrote, because a key in foreign
// custody may do anything.
func Sign(spec Spec, signer crypto.Signer) ([]byte, error) {
	cert, pub, t, err := trackOf(spec.CertDER)
	if err != nil {
		return nil, err
	}
	if key, ok := signer.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(key) {
		return nil, fmt.Errorf("%w: the key is not the certificate's", ErrCertificate)
	}
	if spec.Type == nil {
		spec.Type = t.data
	}
	digest := spec.Digest
	if spec.Content != nil {
		digest = t.digest.Of(spec.Content)
	}
	if len(digest) != t.digest.New().Size() {
		return nil, fmt.Errorf("%w: digest of %d bytes", ErrFormat, len(digest))
	}
	attrs, err := attributes(spec, t, cert, digest)
	if err != nil {
		return nil, err
	}
	var set cryptobyte.Builder
	set.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
	toSign, err := set.Bytes()
	if err != nil {
		return nil, fmt.Errorf("signeddata: attributes: %w", err)
	}
	var value []byte
	if t.digest.Hash == 0 {
		value, err = signer.Sign(rand.Reader, toSign, sm2.DefaultSM2SignerOpts)
	} else {
		value, err = signer.Sign(rand.Reader, t.digest.Of(toSign), t.digest.Hash)
	}
	if err != nil {
		return nil, fmt.Errorf("signeddata: sign: %w", err)
	}
	var unsigned []byte
	if spec.Stamp != nil {
		token, err := spec.Stamp(value)
		if err != nil {
			return nil, fmt.Errorf("signeddata: time-stamp: %w", err)
		}
		unsigned = attribute(oidTimeStamp, func(b *cryptobyte.Builder) { b.AddBytes(token) })
	}
	der, err := frame(spec, t, cert, attrs, value, unsigned)
	if err != nil {
		return nil, err
	}
	m, err := Parse(der)
	if err == nil {
		if spec.NoCerts {
			m.CertDER = spec.CertDER
		}
		err = m.Verify(digest)
	}
	if err != nil {
		return nil, fmt.Errorf("signeddata: verifying what was signed: %w", err)
	}
	return der, nil
}

// attributes are contentType, messageDigest, signingTime and
// signing-certificate-v2 in DER order.
func attributes(spec Spec, t track, cert *smx509.Certificate, digest []byte) ([]byte, error) {
	list := [][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(spec.Type) }),
		attribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) }),
		attribute(oidSigningCertV2, func(b *cryptobyte.Builder) { essCert(b, t.digest, cert) }),
	}
	if !spec.Time.IsZero() {
		at := spec.Time.UTC().Truncate(time.Second)
		if at.Year() < 1950 || at.Year() > 2049 {
			return nil, fmt.Errorf("%w: signing time %d out of UTCTime", ErrUnsupported, at.Year())
		}
		list = append(list, attribute(oidSigningTime, func(b *cryptobyte.Builder) { b.AddASN1UTCTime(at) }))
	}
	for _, a := range list {
		if a == nil {
			return nil, fmt.Errorf("%w: attributes", ErrFormat)
		}
	}
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i], list[j]) < 0 })
	return bytes.Join(list, nil), nil
}

func attribute(kind encasn1.ObjectIdentifier, value cryptobyte.BuilderContinuation) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(asn1.SET, value)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	return der
}

// essCert is SigningCertificateV2 (RFC 5035) of one certificate: it binds the
// signature to this certificate and no other of the same key.
func essCert(b *cryptobyte.Builder, d Digest, cert *smx509.Certificate) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if !d.OID.Equal(oidSHA256) { // the default, left out in DER
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(d.OID) })
				}
				b.AddASN1OctetString(d.Of(cert.Raw))
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(cert.RawIssuer) })
					})
					b.AddASN1BigInt(cert.SerialNumber)
				})
			})
		})
	})
}

func algorithm(b *cryptobyte.Builder, oid encasn1.ObjectIdentifier, null bool) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
}

// frame writes ContentInfo{SignedData}.
func frame(spec Spec, t track, cert *smx509.Certificate, attrs, value, unsigned []byte) ([]byte, error) {
	version := int64(1)
	if !spec.Type.Equal(t.data) {
		version = 3 // RFC 5652, 5.1
	}
	out := cryptobyte.NewBuilder(make([]byte, 0, len(spec.Content)+len(cert.Raw)+1024))
	out.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(t.frame)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(version)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { algorithm(b, t.digest.OID, t.null) })
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(spec.Type)
					if spec.Content != nil {
						b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(spec.Content) })
					}
				})
				if !spec.NoCerts {
					b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(carried(cert.Raw, spec.Chain)) })
				}
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { signerInfo(b, t, cert, attrs, value, unsigned) })
			})
		})
	})
	der, err := out.Bytes()
	if err != nil {
		return nil, fmt.Errorf("signeddata: encode: %w", err)
	}
	return der, nil
}

// carried are the certificates in DER order of a SET.
func carried(cert []byte, chain [][]byte) []byte {
	all := append([][]byte{cert}, chain...)
	sort.Slice(all, func(i, j int) bool { return bytes.Compare(all[i], all[j]) < 0 })
	return bytes.Join(all, nil)
}

func signerInfo(b *cryptobyte.Builder, t track, cert *smx509.Certificate, attrs, value, unsigned []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(cert.RawIssuer)
			b.AddASN1BigInt(cert.SerialNumber)
		})
		algorithm(b, t.digest.OID, t.null)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
		algorithm(b, t.signature, t.null)
		b.AddASN1OctetString(value)
		if unsigned != nil {
			b.AddASN1(tag1, func(b *cryptobyte.Builder) { b.AddBytes(unsigned) })
		}
	})
}
