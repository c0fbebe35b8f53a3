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

// Spec is a message to be signed. Content or Digest is given, not both.
type Spec struct {
	Type    encasn1.ObjectIdentifier // of the content; nil: plain data
	Content []byte                   // embedded
	Digest  []byte                   // of content that stands elsewhere, by DigestFor(CertDER)
	Time    time.Time                // signingTime, a claim; zero: none
	CertDER []byte
	Chain   [][]byte // further certificates to carry
	NoCerts bool     // carries none, as a time-stamp request may ask

	// Unbound leaves signing-certificate-v2 out of the attributes; Direct leaves
	// out all of them and signs the Content itself. OFD readers know the message
	// of GB/T 35275 in these two forms only.
	Unbound, Direct bool

	// Stamp makes a time-stamp token over the signature value, which becomes an
	// unsigned attribute (ETSI EN 319 122-1, 5.3); nil: none.
	Stamp func(value []byte) (token []byte, err error)
}

// Sign writes a SignedData, enveloping Content or detached when there is none,
// and verifies what it wrote, because a key in foreign custody may do anything.
func Sign(spec Spec, signer crypto.Signer) ([]byte, error) {
	size := int64(detached)
	if spec.Content != nil {
		size = int64(len(spec.Content))
	}
	head, tail, err := sign(spec, size, signer)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(head)+len(spec.Content)+len(tail))
	return append(append(append(out, head...), spec.Content...), tail...), nil
}

// Around signs a content of any size whose digest is known, and returns what
// stands before and behind it in an enveloping message. DER names every length
// in front, and those of a signature value and a time-stamp are known only when
// they are there: that is why the content is digested before anything is written.
func Around(spec Spec, size int64, signer crypto.Signer) (head, tail []byte, err error) {
	if size < 0 || spec.Content != nil || spec.Direct {
		return nil, nil, fmt.Errorf("%w: a size and a digest are needed", ErrFormat)
	}
	return sign(spec, size, signer)
}

func sign(spec Spec, size int64, signer crypto.Signer) (head, tail []byte, err error) {
	fail := func(err error) ([]byte, []byte, error) { return nil, nil, err }
	cert, pub, t, err := trackOf(spec.CertDER)
	if err != nil {
		return fail(err)
	}
	if key, ok := signer.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(key) {
		return fail(fmt.Errorf("%w: the key is not the certificate's", ErrCertificate))
	}
	if spec.Type == nil {
		spec.Type = t.data
	}
	var attrs, toSign []byte
	if spec.Direct {
		if toSign = spec.Content; len(toSign) == 0 || likeAttributes(toSign, size) {
			return fail(fmt.Errorf("%w: content to be signed without attributes", ErrUnsupported))
		}
	} else {
		if spec.Content != nil {
			spec.Digest = t.digest.Of(spec.Content)
		}
		if attrs, toSign, err = signedAttributes(spec, t, cert); err != nil {
			return fail(err)
		}
	}
	value, err := t.sign(signer, toSign)
	if err != nil {
		return fail(fmt.Errorf("signeddata: sign: %w", err))
	}
	var unsigned []byte
	if spec.Stamp != nil {
		token, err := spec.Stamp(value)
		if err != nil {
			return fail(fmt.Errorf("signeddata: time-stamp: %w", err))
		}
		unsigned = attribute(oidTimeStamp, func(b *cryptobyte.Builder) { b.AddBytes(token) })
	}
	if head, tail, err = frame(spec, t, cert, size, attrs, value, unsigned); err != nil {
		return fail(err)
	}
	if err := check(spec, framed{head, tail, max(size, 0)}); err != nil {
		return fail(fmt.Errorf("signeddata: verifying what was signed: %w", err))
	}
	return head, tail, nil
}

// sign signs bytes with the key of a track; SM2 digests them itself, with ZA.
func (t track) sign(signer crypto.Signer, b []byte) ([]byte, error) {
	if t.digest.Hash == 0 {
		return signer.Sign(rand.Reader, b, sm2.DefaultSM2SignerOpts)
	}
	return signer.Sign(rand.Reader, t.digest.Of(b), t.digest.Hash)
}

// check reads a message back as a stranger would.
func check(spec Spec, written framed) error {
	f, err := openFile(written, written.len(), false)
	if err != nil {
		return err
	}
	m := f.Signers[0]
	if m.Err != nil {
		return m.Err
	}
	if spec.NoCerts {
		m.CertDER = spec.CertDER
	}
	if _, raw := SM2Value(m.Value); raw {
		return fmt.Errorf("%w: the key gave r‖s, not DER", ErrSignature) // read, never written
	}
	if !spec.Direct {
		return m.Verify(spec.Digest)
	}
	h, err := m.Hash()
	if err != nil {
		return err
	}
	h.Write(spec.Content)
	return m.Verify(h.Sum(nil))
}

// signedAttributes are the attributes as they stand inside the message, and as
// the SET that is signed.
func signedAttributes(spec Spec, t track, cert *smx509.Certificate) (attrs, set []byte, err error) {
	if len(spec.Digest) != t.digest.New().Size() {
		return nil, nil, fmt.Errorf("%w: digest of %d bytes", ErrFormat, len(spec.Digest))
	}
	if attrs, err = attributes(spec, t, cert); err != nil {
		return nil, nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
	if set, err = b.Bytes(); err != nil {
		return nil, nil, fmt.Errorf("signeddata: attributes: %w", err)
	}
	return attrs, set, nil
}

// attributes are contentType, messageDigest, signingTime and
// signing-certificate-v2 in DER order.
func attributes(spec Spec, t track, cert *smx509.Certificate) ([]byte, error) {
	list := [][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(spec.Type) }),
		attribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(spec.Digest) }),
	}
	if !spec.Unbound {
		list = append(list, attribute(oidSigningCertV2, func(b *cryptobyte.Builder) { essCert(b, t.digest, cert) }))
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
