package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Config of a Service. Fields without another word are required.
type Config struct {
	Registry Registry
	Approver Approver // nil only when Founding
	Gate     Gate     // nil: every system may have certificates
	Horizon  Horizon  // the announced end of the service; nil: none is ever announced
	Hosts    Hosts
	KMC      KeyCentre
	// Suspensions keeps holds; nil: nothing can be held.
	Suspensions Suspensions
	// Persons finds what a leaver has; nil: Left is refused.
	Persons Persons
	// Deliveries keeps the pairs that were handed out; nil: no system gets one.
	Deliveries Deliveries
	// Recorder takes refusals, which change no row; required with Deliveries.
	Recorder Recorder

	// SM2 are the issuing authorities of this track. nil: SM2Issuing alone.
	SM2        Issuers
	SM2Issuing *smx509.Certificate
	SM2Root    *smx509.Certificate
	SM2Signer  crypto.Signer // key of SM2Issuing, from custody; signs messages

	Site profile.Site
	Now  func() time.Time
	Rand io.Reader
	// NewID makes ids of requests, pairs and events: UUIDv7.
	NewID func() string
	// Founding is true while a house is set up, and never afterwards: there is
	// no RA officer yet who could approve the first persons. IssueSM2 then asks
	// nobody for KindPerson, and says so in each event. Without an Approver
	// nothing else that needs one is issued.
	Founding bool
}

// Service issues and withdraws. It is safe for concurrent use.
type Service struct {
	cfg    Config
	linter *lint.Linter
	hosts  HostRule

	strangers Strangers
}

// New refuses to start on an authority that does not fit: other key, other
// root, out of its period, or not on the SM2 track.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Registry == nil, cfg.Hosts == nil, cfg.KMC == nil, cfg.Now == nil, cfg.Rand == nil, cfg.NewID == nil:
		return nil, errors.New("ca: needs registry, hosts, key centre, clock, randomness and ids")
	case cfg.Approver == nil && !cfg.Founding:
		return nil, errors.New("ca: needs an approver")
	case cfg.SM2 == nil && (cfg.SM2Issuing == nil || cfg.SM2Root == nil || cfg.SM2Signer == nil):
		return nil, errors.New("ca: needs the SM2 authority")
	case cfg.Deliveries != nil && cfg.Recorder == nil:
		return nil, errors.New("ca: needs a recorder of refusals")
	}
	if err := cfg.Site.Validate(); err != nil {
		return nil, err
	}
	if cfg.SM2 == nil {
		public, ok := cfg.SM2Signer.Public().(*ecdsa.PublicKey)
		if !ok || public.Curve != sm2.P256() {
			return nil, errors.New("ca: the signer does not hold the key of the SM2 issuing certificate")
		}
		if err := cfg.SM2Issuing.CheckSignatureFrom(cfg.SM2Root); err != nil {
			return nil, fmt.Errorf("ca: SM2 issuing certificate does not hang on the root: %w", err)
		}
		only := Issuer{Certificate: cfg.SM2Issuing, Signer: cfg.SM2Signer}
		if err := only.Usable(cfg.Now()); err != nil {
			return nil, err
		}
		cfg.SM2 = Sole(cfg.SM2Issuing, cfg.SM2Root, cfg.SM2Signer)
	}
	return &Service{cfg: cfg, linter: lint.New(), hosts: NewHostRule(cfg.Hosts)}, nil
}

// ChainOf is what stands above a certificate of this track: who issued it, the
// root, and what leads to an earlier root (DER). ErrNotFound for one of others.
func (s *Service) ChainOf(ctx context.Context, cert *smx509.Certificate) ([][]byte, error) {
	by, err := IssuerNamed(ctx, s.cfg.SM2, cert.RawIssuer, cert.AuthorityKeyId)
	if err != nil {
		return nil, err
	}
	return by.Chain(), nil
}

// current is who issues now.
func (s *Service) current(ctx context.Context) (Issuer, error) {
	by, err := s.cfg.SM2.Current(ctx)
	if err == nil {
		err = by.Usable(s.cfg.Now())
	}
	return by, err
}

// half is one certificate on its way through record → sign → record.
type half struct {
	draft *Draft
	row   Certificate
	by    Issuer
}

// draft builds and lints one certificate under an SM2 issuing authority.
func (s *Service) draft(ctx context.Context, by Issuer, name profile.Name, kind Kind, f profile.Fields, hosts []string) (half, error) {
	p, err := profile.Get(name)
	if err != nil {
		return half{}, err
	}
	if f.Serial, err = NewSerial(s.cfg.Rand); err != nil {
		return half{}, err
	}
	f.Issuer, f.Now = by.Certificate, s.cfg.Now()
	if err := Within(ctx, s.cfg.Horizon, kind, &f); err != nil {
		return half{}, err
	}
	d, err := NewDraft(p, s.cfg.Site, f)
	if err != nil {
		return half{}, fmt.Errorf("ca: draft %s: %w", name, err)
	}
	if err := d.Lint(s.linter, hosts); err != nil {
		return half{}, err
	}
	row := d.Row(kind)
	row.CreatedAt = s.cfg.Now().UTC().Truncate(time.Microsecond)
	return half{draft: d, row: row, by: by}, nil
}

// record is what issue writes down: before anything is signed, and after.
type record struct {
	before func([]Certificate) error
	after  func([]Certificate) (ledger.Receipt, error)
}

// plain is the record of certificates that nobody claimed.
func (s *Service) plain(ctx context.Context, reserved, issued ledger.Event) record {
	return record{
		before: func(rows []Certificate) error {
			_, err := s.cfg.Registry.Reserve(ctx, rows, nil, reserved)
			return err
		},
		after: func(rows []Certificate) (ledger.Receipt, error) { return s.cfg.Registry.Activate(ctx, rows, issued) },
	}
}

// issue records what will be signed, signs it, and records the result (design
// law 4). When the first record fails nothing was signed; when signing or the
// second record fails the rows stay pending, and no certificate is handed out.
func (s *Service) issue(halves []half, to record) (ledger.Receipt, error) {
	rows := make([]Certificate, len(halves))
	for i, h := range halves {
		rows[i] = h.row
	}
	if err := to.before(rows); err != nil {
		return ledger.Receipt{}, fmt.Errorf("ca: record before signing: %w", err)
	}
	for i := range halves {
		der, err := halves[i].draft.Sign(s.cfg.Rand, halves[i].by.Signer)
		if err != nil {
			return ledger.Receipt{}, err
		}
		rows[i].DER, rows[i].State = der, StateGood
		halves[i].row = rows[i]
	}
	receipt, err := to.after(rows)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("ca: record after signing: %w", err)
	}
	return receipt, nil
}

// event fills what all events of this room share; empty details are left out.
func (s *Service) event(kind string, actor ledger.Actor, object ledger.Object, details map[string]string) ledger.Event {
	maps.DeleteFunc(details, func(_, v string) bool { return v == "" })
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassCertificate, Time: s.cfg.Now().UTC().Truncate(time.Millisecond),
		Actor: actor, Object: object, Outcome: ledger.Success, Details: details,
	}
}

// certificateObject is how events name a certificate.
func certificateObject(c Certificate) ledger.Object {
	return ledger.Object{Kind: "certificate", ID: c.Name()}
}
