package ca

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Delivery is a pair that was handed out: on an enrolment token, on the proof of
// an older key (renewal), or on an ACME order. What it was made on makes one pair,
// ever, and whoever asks again with the same CSR gets that pair again: a lost
// answer costs nothing. The envelope opens to the key of the CSR only.
type Delivery struct {
	Basis     string    `json:"basis"` // "token:" hash, "renewal:" issuer ":" serial, or "acme:" order
	CSRSM3    string    `json:"csr_sm3"`
	Issuer    string    `json:"issuer"`
	Sign      string    `json:"sign"` // serials
	Enc       string    `json:"enc"`
	Renews    string    `json:"renews,omitempty"` // serial of the signing certificate before it
	Envelope  []byte    `json:"-"`
	CreatedAt time.Time `json:"created_at"`
}

// Claim is what one caller takes to make a pair.
type Claim struct {
	Basis      string
	Token      string // hash of the enrolment token that it uses up; empty: none
	Now, Until time.Time
}

// Deliveries is the store of them. A basis is claimed, then delivered; a claim
// that runs out is free again, so that a dead process blocks nobody for long.
type Deliveries interface {
	// Begin is Registry.Reserve for the pair of a claim, and takes the claim: ErrBusy
	// while another caller has the basis, ErrExists when it was delivered. A token
	// is marked used and its request issued, exactly once; ErrToken when the hash is
	// unknown, used, or expired at Now. All of it or nothing.
	Begin(ctx context.Context, c Claim, certs []Certificate, key *EscrowedKey, ev ledger.Event) (ledger.Receipt, error)
	// ReleaseDelivery gives up the claim that ends at until.
	ReleaseDelivery(ctx context.Context, basis string, until time.Time) error
	// Deliver is Activate for the pair of d, and stores d; ErrBusy when the claim
	// that ends at until is not held any more. The receipt is that of the first
	// event; further ones are durable.
	Deliver(ctx context.Context, d Delivery, until time.Time, certs []Certificate, evs ...ledger.Event) (ledger.Receipt, error)
	// Delivery is ErrBusy while somebody makes the pair at now, ErrNotFound when
	// nobody did.
	Delivery(ctx context.Context, basis string, now time.Time) (Delivery, error)
	// DeliveryOf finds it by its signing certificate; ErrNotFound.
	DeliveryOf(ctx context.Context, issuer, serial string) (Delivery, error)
}

// Outcomes of deliveries.
var (
	// ErrBusy: another caller is making this pair at this moment.
	ErrBusy = errors.New("ca: the pair is being made")
	// ErrExpired: too late to renew; a new enrolment is the way.
	ErrExpired = errors.New("ca: certificate is out of its period")
	// ErrProof: the request is not signed by the key that it names.
	ErrProof = errors.New("ca: renewal is not signed by the certificate's key")
	// ErrRenewed: a certificate has one follower.
	ErrRenewed = errors.New("ca: certificate was renewed already, with another request")
)

// claimLife is how long one caller may take to make a pair.
const claimLife = time.Minute

// commission is a pair to be made.
type commission struct {
	basis    string
	csr      []byte
	request  Request // hosts: those of this pair
	validity time.Duration
	until    time.Time // of the gate, set by fulfil
	renews   string
	before   *smx509.Certificate // the one that is renewed
	way      Way
	ref      string    // Origin.Ref
	previous [2]string // Origin.Previous of both halves
	actor    ledger.Actor
	token    string // claimed with the first record; empty: none
	beside   []Companion
}

func csrDigest(csr []byte) string {
	sum := sm3.Sum(csr)
	return hex.EncodeToString(sum[:])
}

// fulfil refuses what can be refused, then claims the basis with the first
// record, which decides races, and issues; the pair becomes good in the
// transaction that records its delivery.
func (s *Service) fulfil(ctx context.Context, c commission) (DualResult, error) {
	csr, err := ParseCSR(c.csr)
	if err != nil {
		return DualResult{}, err
	}
	if err := fits(csr, c.request); err != nil {
		return DualResult{}, err
	}
	if c.before != nil {
		c.way = WayOf(c.before, csr.PublicKey)
	}
	if c.until, err = s.admit(ctx, c.request); err != nil {
		return DualResult{}, err
	}
	got, err := s.deliver(ctx, c, csr.PublicKey.(*ecdsa.PublicKey))
	if !errors.Is(err, errDelivered) {
		return got, err
	}
	got, again, err := s.delivered(ctx, c.basis, c.csr)
	if err == nil && !again {
		err = fmt.Errorf("ca: claimed pair is gone: %w", ErrNotFound)
	}
	return got, err
}

// errDelivered: the pair was made before.
var errDelivered = errors.New("ca: pair is delivered")

func (s *Service) deliver(ctx context.Context, c commission, public *ecdsa.PublicKey) (DualResult, error) {
	pair := s.cfg.NewID()
	halves, key, err := s.draftPair(ctx, pair, c.request, public, c.validity, c.until)
	if err != nil {
		return DualResult{}, err
	}
	for i := range halves {
		o := &halves[i].row.Origin
		o.Way, o.Ref, o.Previous = c.way, c.ref, c.previous[i]
	}
	reserved := s.pairEvent("ca.pair.reserved", c.actor, c.request, pair, halves)
	issued := s.pairEvent("ca.certificate.issued", c.actor, c.request, pair, halves)
	for _, ev := range []ledger.Event{reserved, issued} {
		if c.token == "" { // the hash of one stays out of the ledger
			ev.Details["basis"] = c.basis
		}
		if c.renews != "" {
			ev.Details["renews"] = c.renews
		}
	}
	events := []ledger.Event{issued}
	for _, beside := range c.beside {
		ev, err := beside(ctx, c.request)
		if err != nil {
			return DualResult{}, err
		}
		events = append(events, ev)
	}
	if err := ctx.Err(); err != nil {
		return DualResult{}, err
	}
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	claim := Claim{Basis: c.basis, Now: now, Until: now.Add(claimLife)}
	if c.token != "" {
		claim.Token, reserved.Details["token"] = TokenHash(c.token), "used"
		c.request.State, c.request.TokenUsed = RequestIssued, now
		// From its claim on the token is gone: the pair is finished, whether the
		// caller waits or not.
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(context.WithoutCancel(ctx), claimLife)
		defer stop()
	}
	begun := false
	receipt, err := s.issue(halves, record{
		before: func(rows []Certificate) error {
			_, err := s.cfg.Deliveries.Begin(ctx, claim, rows, &key.Escrow, reserved)
			if errors.Is(err, ErrExists) {
				return errDelivered
			}
			begun = err == nil
			return err
		},
		after: func(rows []Certificate) (ledger.Receipt, error) {
			return s.cfg.Deliveries.Deliver(ctx, Delivery{
				Basis: c.basis, CSRSM3: csrDigest(c.csr), Issuer: rows[0].Issuer, Sign: rows[0].Serial, Enc: rows[1].Serial,
				Renews: c.renews, Envelope: key.Envelope, CreatedAt: s.cfg.Now().UTC().Truncate(time.Microsecond),
			}, claim.Until, rows, events...)
		},
	})
	if err != nil && begun {
		// The cause counts; a claim that stays runs out.
		_ = s.cfg.Deliveries.ReleaseDelivery(context.WithoutCancel(ctx), c.basis, claim.Until)
	}
	if err != nil {
		return DualResult{}, err
	}
	return dual(c.request, pair, halves, key.Envelope, receipt, c.renews), nil
}

// delivered looks whether a basis made its pair already; the CSR has to be the
// same, and both certificates good.
func (s *Service) delivered(ctx context.Context, basis string, csr []byte) (DualResult, bool, error) {
	d, err := s.cfg.Deliveries.Delivery(ctx, basis, s.cfg.Now())
	switch {
	case errors.Is(err, ErrNotFound):
		return DualResult{}, false, nil
	case err != nil: // ErrBusy too
		return DualResult{}, false, fmt.Errorf("ca: read delivered pair: %w", err)
	case d.CSRSM3 != csrDigest(csr):
		return DualResult{}, false, ErrRenewed
	}
	got, err := s.again(ctx, d)
	return got, err == nil, err
}

// again makes the answer of a delivered pair once more.
func (s *Service) again(ctx context.Context, d Delivery) (DualResult, error) {
	sign, err := s.Status(ctx, d.Issuer, d.Sign)
	if err != nil {
		return DualResult{}, err
	}
	enc, err := s.Status(ctx, d.Issuer, d.Enc)
	if err != nil {
		return DualResult{}, err
	}
	for _, c := range []Certificate{sign, enc} {
		if c.State == StateRevoked {
			return DualResult{}, ErrRevoked
		}
	}
	r, err := s.cfg.Registry.Request(ctx, sign.Request)
	if err != nil {
		return DualResult{}, fmt.Errorf("ca: read request: %w", err)
	}
	cert, err := smx509.ParseCertificate(sign.DER)
	if err != nil {
		return DualResult{}, fmt.Errorf("ca: read certificate: %w", err)
	}
	by, err := IssuerNamed(ctx, s.cfg.SM2, cert.RawIssuer, cert.AuthorityKeyId)
	if err != nil {
		return DualResult{}, err
	}
	got := dual(r, sign.Pair, []half{{row: sign, by: by}, {row: enc, by: by}}, d.Envelope, ledger.Receipt{}, d.Renews)
	got.Again = true
	return got, nil
}

// PairOf gives a pair that was made without a token again, found by the serial
// of either half; ErrNotFound for any other certificate.
func (s *Service) PairOf(ctx context.Context, serial string) (DualResult, error) {
	if s.cfg.Deliveries == nil {
		return DualResult{}, ErrNotFound
	}
	row, err := BySerial(ctx, s.cfg.Registry, s.cfg.SM2, serial)
	if err != nil {
		return DualResult{}, err
	}
	if row.Kind == KindSM2Enc || row.Kind == KindSM2EncTest {
		both, err := s.halves(ctx, row)
		if err != nil {
			return DualResult{}, err
		}
		row = both[0]
	}
	d, err := s.cfg.Deliveries.DeliveryOf(ctx, row.Issuer, row.Serial)
	if err != nil {
		return DualResult{}, fmt.Errorf("ca: read delivered pair: %w", err)
	}
	if strings.HasPrefix(d.Basis, basisToken) {
		return DualResult{}, ErrNotFound
	}
	return s.again(ctx, d)
}
