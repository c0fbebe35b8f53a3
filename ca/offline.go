package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Offline founds a house whose roots were made elsewhere and whose keys stay
// there (ca/ceremony). Prepare records what the roots shall sign, Complete what
// they signed; days may lie between. Every field is required.
type Offline struct {
	Organization string
	Agency       string
	Site         profile.Site // Site.OCSP names no responder of a root: see site
	SM2Root      *smx509.Certificate
	ECDSARoot    *smx509.Certificate
	SM2Issuing   *ecdsa.PublicKey // keys of the issuing authorities, from custody
	ECDSAIssuing *ecdsa.PublicKey
	Registry     Registry
	Actor        ledger.Actor
	Now          func() time.Time
	Rand         io.Reader
	NewID        func() string
}

// site is that of certificates under an offline root: nobody answers OCSP in its
// name between two ceremonies, so they name its list only.
func (o Offline) site() profile.Site {
	s := o.Site
	s.OCSP, s.Shards = "", 0
	return s
}

// Prepare checks both roots, drafts and lints both issuing authorities, and
// records all four as pending. It returns the two that are to be signed, SM2
// first, with their TBS.
func (o Offline) Prepare(ctx context.Context) ([]Certificate, error) {
	if o.Registry == nil || o.Now == nil || o.Rand == nil || o.NewID == nil || o.Organization == "" || o.SM2Root == nil || o.ECDSARoot == nil || o.SM2Issuing == nil || o.ECDSAIssuing == nil {
		return nil, errors.New("ca: an offline house needs both roots, both keys, registry, clock, randomness and ids")
	}
	if err := o.Site.Validate(); err != nil {
		return nil, err
	}
	now, linter := o.Now().UTC(), lint.New()
	var rows []Certificate
	for _, t := range []struct {
		root, issuing profile.Name
		cert          *smx509.Certificate
		public        *ecdsa.PublicKey
		suffix        string
	}{
		{profile.SM2Root, profile.SM2Issuing, o.SM2Root, o.SM2Issuing, " SM2 签发 CA"},
		{profile.ECDSARoot, profile.ECDSAIssuing, o.ECDSARoot, o.ECDSAIssuing, " ECDSA 签发 CA"},
	} {
		root, err := rootDraft(t.root, t.cert, now)
		if err != nil {
			return nil, err
		}
		p, err := profile.Get(t.issuing)
		if err != nil {
			return nil, err
		}
		serial, err := NewSerial(o.Rand)
		if err != nil {
			return nil, err
		}
		issuing, err := NewDraft(p, o.site(), profile.Fields{
			Serial: serial, Public: t.public, Issuer: t.cert, Now: now,
			Subject: profile.Subject{CommonName: o.Organization + t.suffix, Organization: o.Organization},
		})
		if err != nil {
			return nil, fmt.Errorf("ca: draft %s: %w", t.issuing, err)
		}
		for _, d := range []*Draft{root, issuing} {
			if err := d.Lint(linter, nil); err != nil {
				return nil, err
			}
			row := d.Row(KindCA)
			row.Agency, row.CreatedAt, row.Origin.Way = o.Agency, now.Truncate(time.Microsecond), WayHouse
			rows = append(rows, row)
		}
	}
	if _, err := o.Registry.Reserve(ctx, rows, nil, authorityEvent(o.NewID(), "ca.authority.reserved", o.Actor, now, rows)); err != nil {
		return nil, fmt.Errorf("ca: record authorities: %w", err)
	}
	return []Certificate{rows[1], rows[3]}, nil
}

// rootDraft reads a root that is signed already as a draft, so that it is linted
// and recorded as every other certificate.
func rootDraft(name profile.Name, cert *smx509.Certificate, now time.Time) (*Draft, error) {
	p, err := profile.Get(name)
	if err != nil {
		return nil, err
	}
	if err := cert.CheckSignatureFrom(cert); err != nil {
		return nil, fmt.Errorf("ca: %s is not signed by itself: %w", name, err)
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, fmt.Errorf("ca: %s is out of its period", name)
	}
	view, err := lint.Parse(cert.Raw)
	if err != nil {
		return nil, fmt.Errorf("ca: read %s: %w", name, err)
	}
	return &Draft{TBS: cert.RawTBSCertificate, Profile: p, View: view, Issuer: cert}, nil
}

// Complete takes the signatures of a ceremony, SM2 first, over exactly the bytes
// that Prepare recorded, and makes all four good. ceremony is the digest of its
// record, for the ledger. Done once, it may be repeated: the house may have ended
// between this record and its next step.
func (o Offline) Complete(ctx context.Context, tbs, signatures [2][]byte, ceremony string) (Authorities, error) {
	now := o.Now().UTC()
	var rows []Certificate
	for i, root := range []*smx509.Certificate{o.SM2Root, o.ECDSARoot} {
		own, err := o.pending(ctx, root.Raw, root.RawTBSCertificate, root)
		if err != nil {
			return Authorities{}, err
		}
		der, err := lint.Assemble(tbs[i], signatures[i])
		if err != nil {
			return Authorities{}, err
		}
		issued, err := o.pending(ctx, der, tbs[i], root)
		if err != nil {
			return Authorities{}, err
		}
		rows = append(rows, own, issued)
	}
	if !slices.ContainsFunc(rows, func(c Certificate) bool { return c.State != StateGood }) {
		return four(rows), nil
	}
	ev := authorityEvent(o.NewID(), "ca.authority.created", o.Actor, now, rows)
	ev.Details["ceremony"] = ceremony
	if _, err := o.Registry.Activate(ctx, rows, ev); err != nil {
		return Authorities{}, fmt.Errorf("ca: record signed authorities: %w", err)
	}
	return four(rows), nil
}

func four(rows []Certificate) Authorities {
	return Authorities{SM2Root: rows[0].DER, SM2Issuing: rows[1].DER, ECDSARoot: rows[2].DER, ECDSAIssuing: rows[3].DER}
}

// pending is the row of a certificate that was recorded with these very bytes,
// ready to be activated, or activated with this very signature.
func (o Offline) pending(ctx context.Context, der, tbs []byte, root *smx509.Certificate) (Certificate, error) {
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fmt.Errorf("ca: read signed certificate: %w", err)
	}
	if err := cert.CheckSignatureFrom(root); err != nil {
		return Certificate{}, fmt.Errorf("ca: the ceremony's signature does not verify: %w", err)
	}
	row, err := o.Registry.Certificate(ctx, IssuerID(root), FormatSerial(cert.SerialNumber))
	if err != nil {
		return Certificate{}, err
	}
	sum := sm3.Sum(tbs)
	if row.State == StateGood && bytes.Equal(row.DER, der) {
		return row, nil
	}
	if row.State != StatePending || row.Kind != KindCA || row.TBSSM3 != hex.EncodeToString(sum[:]) {
		return Certificate{}, fmt.Errorf("%w: %s is %s, or was recorded otherwise", ErrState, row.Serial, row.State)
	}
	row.DER = der
	return row, nil
}
