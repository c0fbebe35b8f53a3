package tsp

import (
	"crypto/subtle"
	encasn1 "encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

// Token is a parsed token, not verified yet.
type Token struct {
	Info
	CertDER []byte   // of the service; nil when the token does not carry it
	Certs   [][]byte // all that it carries

	message *signeddata.Message
}

// ParseToken reads a token.
func ParseToken(der []byte) (*Token, error) {
	m, err := signeddata.Parse(der)
	switch {
	case errors.Is(err, signeddata.ErrUnsupported):
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	case !m.Type.Equal(OIDInfo()) || m.Content == nil:
		return nil, fmt.Errorf("%w: no time-stamp information inside", ErrFormat)
	}
	t := &Token{CertDER: m.CertDER, Certs: m.Certs, message: m}
	return t, t.readInfo(m.Content)
}

func (t *Token) readInfo(der cryptobyte.String) error {
	bad := fmt.Errorf("%w: TSTInfo", ErrFormat)
	var in cryptobyte.String
	var version int
	if !der.ReadASN1(&in, asn1.SEQUENCE) || !der.Empty() || !in.ReadASN1Integer(&version) || version != 1 ||
		!in.ReadASN1ObjectIdentifier(&t.Policy) {
		return bad
	}
	if err := t.Imprint.read(&in); err != nil {
		return err
	}
	t.Serial = new(big.Int)
	if !in.ReadASN1Integer(t.Serial) || !readTime(&in, &t.Time) {
		return bad
	}
	if in.PeekASN1Tag(asn1.SEQUENCE) {
		var acc cryptobyte.String
		if !in.ReadASN1(&acc, asn1.SEQUENCE) || !t.readAccuracy(acc) {
			return bad
		}
	}
	var ordering bool
	if in.PeekASN1Tag(asn1.BOOLEAN) && !in.ReadASN1Boolean(&ordering) {
		return bad
	}
	if in.PeekASN1Tag(asn1.INTEGER) {
		t.Nonce = new(big.Int)
		if !in.ReadASN1Integer(t.Nonce) {
			return bad
		}
	}
	return t.readRest(in)
}

// readRest passes over the name of the service, which its certificate says
// better, and refuses extensions that must be understood (RFC 3161, 2.4.2).
func (t *Token) readRest(in cryptobyte.String) error {
	var name, list cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&name, &has, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!in.ReadOptionalASN1(&list, &has, asn1.Tag(1).ContextSpecific().Constructed()) || !in.Empty() {
		return fmt.Errorf("%w: TSTInfo", ErrFormat)
	}
	for !list.Empty() {
		var one cryptobyte.String
		var oid encasn1.ObjectIdentifier
		critical := false
		if !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) ||
			one.PeekASN1Tag(asn1.BOOLEAN) && !one.ReadASN1Boolean(&critical) {
			return fmt.Errorf("%w: extension of TSTInfo", ErrFormat)
		}
		if critical {
			return fmt.Errorf("%w: critical extension %v", ErrUnsupported, oid)
		}
	}
	return nil
}

// readTime reads a GeneralizedTime, which may have fractions of a second here.
func readTime(in *cryptobyte.String, at *time.Time) bool {
	var raw cryptobyte.String
	if !in.ReadASN1(&raw, asn1.GeneralizedTime) || len(raw) > 32 {
		return false
	}
	t, err := time.Parse("20060102150405.999999999Z", string(raw))
	*at = t.UTC()
	return err == nil
}

func (t *Token) readAccuracy(in cryptobyte.String) bool {
	var s, ms, us int64
	if in.PeekASN1Tag(asn1.INTEGER) && !in.ReadASN1Integer(&s) {
		return false
	}
	for i, v := range []*int64{&ms, &us} {
		tag := asn1.Tag(i).ContextSpecific()
		if in.PeekASN1Tag(tag) && !in.ReadASN1Int64WithTag(v, tag) {
			return false
		}
	}
	if s < 0 || s > 1e6 || ms < 0 || ms > 999 || us < 0 || us > 999 || !in.Empty() {
		return false
	}
	t.Accuracy = time.Duration(s)*time.Second + time.Duration(ms)*time.Millisecond + time.Duration(us)*time.Microsecond
	return true
}

// Adopt takes the service's certificate from a list when the token does not
// carry it, as a request may ask (RFC 3161, 2.4.1): the one that the signer names
// and under which its signature holds. It reports whether the token now has one.
func (t *Token) Adopt(certs ...[]byte) bool {
	for _, der := range certs {
		if t.CertDER != nil {
			return true
		}
		t.message.CertDER = der
		if t.message.VerifyValue() == nil {
			t.CertDER = der
		}
	}
	return t.CertDER != nil
}

// Verify checks the token over content.
func (t *Token) Verify(content []byte) error { return t.VerifyDigest(t.Imprint.Digest.Of(content)) }

// VerifyDigest checks the token over content of which the digest is known, by
// t.Imprint.Digest.
func (t *Token) VerifyDigest(digest []byte) error {
	if subtle.ConstantTimeCompare(digest, t.Imprint.Value) != 1 {
		return ErrImprint
	}
	t.message.CertDER = t.CertDER
	err := t.message.VerifyContent()
	switch {
	case errors.Is(err, signeddata.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	_, err = usable(t.CertDER, t.Time)
	return err
}

// usable checks the certificate of a time-stamp service: its only purpose, stated
// critically, and its period at the time of the token (RFC 3161, 2.3).
func usable(der []byte, at time.Time) (*smx509.Certificate, error) {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUsage, err)
	}
	critical := false
	for _, e := range cert.Extensions {
		critical = critical || e.Id.Equal(oidEKU) && e.Critical
	}
	switch {
	case cert.IsCA || !critical || len(cert.UnknownExtKeyUsage) > 0 || len(cert.ExtKeyUsage) != 1 ||
		cert.ExtKeyUsage[0] != smx509.ExtKeyUsageTimeStamping:
		return nil, fmt.Errorf("%w: time-stamping must be its one purpose, critical", ErrUsage)
	case at.Before(cert.NotBefore) || at.After(cert.NotAfter):
		return nil, fmt.Errorf("%w: outside its period at %s", ErrUsage, at.UTC().Format(time.RFC3339))
	}
	return cert, nil
}
