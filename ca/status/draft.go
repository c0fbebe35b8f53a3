package status

import (
	"bytes"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint/crl"
)

// errCaptured stops the library after it built the to-be-signed bytes.
var errCaptured = errors.New("status: to-be-signed bytes taken")

// capture stands in for the issuer's key while a list is built, as in
// ca.NewDraft: it takes the bytes and signs nothing.
type capture struct {
	public crypto.PublicKey
	tbs    []byte
}

func (c *capture) Public() crypto.PublicKey { return c.public }

func (c *capture) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errCaptured
}

func (c *capture) SignMessage(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	c.tbs = bytes.Clone(msg)
	return nil, errCaptured
}

// draft builds and lints what would be signed; no key is touched.
func (s *Service) draft(i *issuer, c CRL, entries []smx509.RevocationListEntry, final bool) (CRL, error) {
	template := &smx509.RevocationList{
		SignatureAlgorithm: i.lists.algorithm(), RevokedCertificateEntries: entries,
		Number: big.NewInt(c.Number), ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate,
	}
	var err error
	if template.ExtraExtensions, err = s.listExtensions(i, c, final); err != nil {
		return CRL{}, err
	}
	key := &capture{public: i.Certificate.PublicKey}
	if _, err := smx509.CreateRevocationList(nil, template, i.Certificate, key); !errors.Is(err, errCaptured) {
		if err == nil {
			err = errors.New("library signed without the key")
		}
		return CRL{}, fmt.Errorf("status: build list: %w", err)
	}
	view, err := crl.ParseTBS(key.tbs)
	if err != nil {
		return CRL{}, fmt.Errorf("status: read back list: %w", err)
	}
	if err := s.linter.Check(crl.Input{View: view, Issuer: i.Certificate}); err != nil {
		return CRL{}, fmt.Errorf("%w: %w", ErrLint, err)
	}
	sum := sm3.Sum(key.tbs)
	c.TBS, c.TBSSM3, c.Entries, c.State = key.tbs, hex.EncodeToString(sum[:]), len(entries), CRLPending
	return c, nil
}

// listExtensions are those that the library does not write: what a delta builds
// on (RFC 5280 5.2.4), what a partition speaks of (5.2.5), and where the delta
// of a full list is (5.2.6).
func (s *Service) listExtensions(i *issuer, c CRL, final bool) ([]pkix.Extension, error) {
	var out []pkix.Extension
	add := func(last int, critical bool, write cryptobyte.BuilderContinuation) error {
		var b cryptobyte.Builder
		write(&b)
		der, err := b.Bytes()
		if err != nil {
			return fmt.Errorf("status: encode extension of a list: %w", err)
		}
		out = append(out, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, last}, Critical: critical, Value: der})
		return nil
	}
	if c.Delta() {
		if err := add(27, true, func(b *cryptobyte.Builder) { b.AddASN1Int64(c.Base) }); err != nil {
			return nil, err
		}
	}
	if c.Shard != "" {
		// The address of the full list, in its delta too: it names the scope.
		scope := distributionPointName(s.cfg.Site.CRLAddress(c.Issuer, c.Shard, false))
		if err := add(28, true, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, scope) }); err != nil {
			return nil, err
		}
	}
	if !c.Delta() && !i.offline() && !final {
		delta := distributionPointName(s.cfg.Site.CRLAddress(c.Issuer, c.Shard, true))
		if err := add(46, false, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, delta) })
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// distributionPointName writes distributionPoint [0] → fullName [0] → URI.
func distributionPointName(address string) cryptobyte.BuilderContinuation {
	constructed := cbasn1.Tag(0).ContextSpecific().Constructed()
	return func(b *cryptobyte.Builder) {
		b.AddASN1(constructed, func(b *cryptobyte.Builder) {
			b.AddASN1(constructed, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(address)) })
			})
		})
	}
}

// entry writes one revoked certificate. A node whose clock runs ahead may have
// revoked in our future; a list never speaks of its own.
func entry(serial *big.Int, reason int, at, thisUpdate time.Time) smx509.RevocationListEntry {
	at = at.UTC().Truncate(time.Second)
	if at.After(thisUpdate) {
		at = thisUpdate
	}
	return smx509.RevocationListEntry{SerialNumber: serial, ReasonCode: reason, RevocationTime: at}
}
