package ca

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Renewal asks for the follower of a pair. The CSR may be over the old signing
// key or a new one (rekey); Signature is by the old one over
// wire.RenewalMessage(Serial, CSR).
type Renewal struct {
	Serial    string // of the signing certificate
	CSR       []byte
	Signature []byte
}

// Recorder takes events that change no row.
type Recorder interface {
	Record(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// RenewSM2 makes the next pair of a system (GM/T 0034 ch. 12): for the same
// names, on the same approved request, with a new encryption key. Gate and hosts
// are asked again. The old pair stays good until its own end, so that what is
// signed or encrypted meanwhile is lost to nobody.
//
// The actor is the system, known by its mTLS certificate; the certificate that
// is renewed has to be its own and good: ErrNotFound, ErrRevoked, ErrState,
// ErrExpired or ErrProof otherwise, each on the ledger. A certificate has one
// follower: the same request again gets the same pair, another one ErrRenewed.
func (s *Service) RenewSM2(ctx context.Context, actor ledger.Actor, r Renewal) (DualResult, error) {
	if s.cfg.Deliveries == nil || actor.ID == "" {
		return DualResult{}, fmt.Errorf("%w: who renews, and where pairs are kept", ErrInvalid)
	}
	got, err := s.renew(ctx, actor, r)
	if err != nil {
		object := ledger.Object{Kind: "certificate", ID: r.Serial}
		if old, rerr := BySerial(ctx, s.cfg.Registry, s.cfg.SM2, r.Serial); rerr == nil {
			object = certificateObject(old)
		}
		return DualResult{}, s.refused(ctx, "ca.renewal.refused", actor, object, err)
	}
	return got, nil
}

func (s *Service) renew(ctx context.Context, actor ledger.Actor, r Renewal) (DualResult, error) {
	old, err := BySerial(ctx, s.cfg.Registry, s.cfg.SM2, r.Serial)
	if err != nil {
		return DualResult{}, fmt.Errorf("ca: read certificate: %w", err)
	}
	// What is another system's does not exist for this one.
	if old.Kind != KindSM2Sign || old.System != actor.ID || old.DER == nil {
		return DualResult{}, ErrNotFound
	}
	cert, err := smx509.ParseCertificate(old.DER)
	if err != nil {
		return DualResult{}, fmt.Errorf("ca: read certificate: %w", err)
	}
	public, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !sm2.VerifyASN1WithSM2(public, nil, wire.RenewalMessage(r.Serial, r.CSR), r.Signature) {
		return DualResult{}, ErrProof
	}
	basis := "renewal:" + old.Issuer + ":" + old.Serial
	// Asked again for a lost answer, perhaps after the old one ended.
	if got, again, err := s.delivered(ctx, basis, r.CSR); again || err != nil {
		return got, err
	}
	now := s.cfg.Now()
	switch {
	case old.State == StateRevoked:
		return DualResult{}, ErrRevoked
	case old.State != StateGood:
		return DualResult{}, fmt.Errorf("%w: %s", ErrState, old.State)
	case now.Before(old.NotBefore) || now.After(old.NotAfter):
		return DualResult{}, ErrExpired
	}
	request, err := s.approvedRequest(ctx, old.Request)
	if err != nil {
		return DualResult{}, err
	}
	request.Hosts = cert.DNSNames
	c := commission{basis: basis, csr: r.CSR, request: request, renews: old.Serial, before: cert, actor: actor}
	c.previous[0] = old.Name()
	switch d, err := s.cfg.Deliveries.DeliveryOf(ctx, old.Issuer, old.Serial); {
	case err == nil:
		c.previous[1] = d.Issuer + ":" + d.Enc
	case !errors.Is(err, ErrNotFound):
		return DualResult{}, fmt.Errorf("ca: read delivered pair: %w", err)
	}
	return s.fulfil(ctx, c)
}

// PairOrder asks for a pair on an order whose hosts were proved (ACME).
type PairOrder struct {
	Order    string // id; makes one pair, ever
	Request  string // approved request behind the account
	Hosts    []string
	CSR      []byte
	NotAfter time.Time // zero: as the profile says, which is never exceeded
}

// IssuePair makes it. It asks gate and hosts again; each of the hosts has to be
// one that was approved.
func (s *Service) IssuePair(ctx context.Context, actor ledger.Actor, o PairOrder) (DualResult, error) {
	if s.cfg.Deliveries == nil || actor.ID == "" || o.Order == "" || len(o.Hosts) == 0 {
		return DualResult{}, fmt.Errorf("%w: actor, order and hosts", ErrInvalid)
	}
	request, err := s.approvedRequest(ctx, o.Request)
	if err != nil {
		return DualResult{}, err
	}
	for _, h := range o.Hosts {
		if !slices.Contains(request.Hosts, h) {
			return DualResult{}, fmt.Errorf("%w: %q", ErrHost, h)
		}
	}
	request.Hosts = slices.Clone(o.Hosts)
	c := commission{basis: "acme:" + o.Order, csr: o.CSR, request: request, way: WayACME, ref: o.Order, actor: actor}
	if !o.NotAfter.IsZero() {
		if c.validity, err = s.untilThen(o.NotAfter, request); err != nil {
			return DualResult{}, err
		}
	}
	return s.fulfil(ctx, c)
}

// approvedRequest reads a request on which certificates may be issued: a second person
// approved it. The stored row counts, never what a caller brought.
func (s *Service) approvedRequest(ctx context.Context, id string) (Request, error) {
	r, err := s.cfg.Registry.Request(ctx, id)
	if err != nil {
		return Request{}, fmt.Errorf("ca: read request: %w", err)
	}
	if r.State != RequestApproved && r.State != RequestIssued || r.Approval == "" || r.DecidedBy == "" || r.DecidedBy == r.SubmittedBy {
		return Request{}, fmt.Errorf("%w: request is %s", ErrNotApproved, r.State)
	}
	return r, nil
}
