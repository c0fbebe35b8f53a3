package stepca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// issuer walks lint → record → sign → record around the custody signer.
type issuer struct {
	registry ca.Registry
	issuers  ca.Issuers
	site     profile.Site
	horizon  ca.Horizon
	lint     *lint.Linter
	now      func() time.Time
	rand     io.Reader
}

func newIssuer(cfg Config) *issuer {
	return &issuer{registry: cfg.Registry, issuers: cfg.Issuers, site: cfg.Site, horizon: cfg.Horizon, lint: lint.New(), now: cfg.Now, rand: cfg.Rand}
}

// order is one certificate to make.
type order struct {
	profile    profile.Name
	kind       ca.Kind
	subject    profile.Subject
	hosts      []string
	registered []string // what the lint holds hosts against
	public     crypto.PublicKey
	validity   time.Duration
	until      time.Time  // the latest end; zero: none
	request    ca.Request // for the house's own certificates: agency and service only
	renews     string     // serial of the certificate that this one follows, or ""
	origin     ca.Origin  // Names are the draft's
	once       ca.OneTime // the token that this certificate uses up; zero: none
	actor      ledger.Actor
}

// issue makes the certificate of o. The draft that is linted and reserved
// holds the very bytes that are signed. When the registry does not take the
// reservation the signer is never called; when the signer fails the row stays
// pending, which is the record that a signature was wanted and not made.
func (i *issuer) issue(ctx context.Context, o order) (*x509.Certificate, error) {
	by, err := i.issuers.Current(ctx)
	if err == nil {
		err = by.Usable(i.now())
	}
	if err != nil {
		return nil, fmt.Errorf("stepca: %w", err)
	}
	draft, err := i.draft(ctx, by, o)
	if err != nil {
		return nil, err
	}
	if err := draft.Lint(i.lint, o.registered); err != nil {
		return nil, err
	}
	row := draft.Row(o.kind)
	row.Agency, row.System, row.Request = o.request.Agency, o.request.System, o.request.ID
	row.Origin.Way, row.Origin.Ref, row.Origin.Previous = o.origin.Way, o.origin.Ref, o.origin.Previous
	row.CreatedAt = i.now().UTC().Truncate(time.Microsecond)
	ev, err := i.event("ca.certificate.reserved", o, row)
	if err != nil {
		return nil, err
	}
	// A registry may notice an ended context late; nothing starts after Close.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.once.ID == "" {
		_, err = i.registry.Reserve(ctx, []ca.Certificate{row}, nil, ev)
	} else {
		_, err = i.registry.ReserveOnce(ctx, o.once, []ca.Certificate{row}, ev)
	}
	if err != nil {
		return nil, fmt.Errorf("stepca: record before signing: %w", err)
	}
	der, err := draft.Sign(i.rand, by.Signer)
	if err != nil {
		return nil, err
	}
	row.DER, row.State = der, ca.StateGood
	if ev, err = i.event("ca.certificate.issued", o, row); err != nil {
		return nil, err
	}
	if _, err := i.registry.Activate(ctx, []ca.Certificate{row}, ev); err != nil {
		return nil, fmt.Errorf("stepca: record issued certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("stepca: parse issued certificate: %w", err)
	}
	return cert, nil
}

func (i *issuer) draft(ctx context.Context, by ca.Issuer, o order) (*ca.Draft, error) {
	public, ok := o.public.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: the key is not an ECDSA key", ca.ErrCSR)
	}
	p, err := profile.Get(o.profile)
	if err != nil {
		return nil, err
	}
	serial, err := ca.NewSerial(i.rand)
	if err != nil {
		return nil, err
	}
	f := profile.Fields{
		Serial: serial, Subject: o.subject, Public: public, Hosts: o.hosts,
		Issuer: by.Certificate, Now: i.now(), Validity: o.validity, NotAfter: o.until,
	}
	if err := ca.Within(ctx, i.horizon, o.kind, &f); err != nil {
		return nil, err
	}
	draft, err := ca.NewDraft(p, i.site, f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ca.ErrCSR, err)
	}
	return draft, nil
}
