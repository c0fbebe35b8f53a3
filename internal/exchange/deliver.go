package exchange

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Fetch decides again, for the receiver this time, and hands out the envelope
// once the first fetch is on record. The caller closes it.
func (s *Service) Fetch(ctx context.Context, actor ledger.Actor, id string) (Transfer, io.ReadCloser, error) {
	t, err := s.mine(ctx, actor, id)
	if err != nil {
		return Transfer{}, nil, err
	}
	for range decisions - 1 {
		got, body, err := s.fetch(ctx, actor, t)
		if !errors.Is(err, ErrStale) {
			return got, body, err
		}
	}
	return s.fetch(ctx, actor, t)
}

func (s *Service) fetch(ctx context.Context, actor ledger.Actor, t Transfer) (Transfer, io.ReadCloser, error) {
	dec, err := s.cfg.Decider.Decide(ctx, authz.Request{
		SubjectType: authz.SubjectSystem, SubjectID: t.ToSystem, Action: authz.ActionCopy, Resource: t.Resource, Target: t.ToSystem,
		TargetLabel: &t.Label, Purpose: t.Purpose, Caller: actor,
	})
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: decide: %w", err)
	}
	if !dec.Allow {
		return Transfer{}, nil, &DeniedError{dec}
	}
	// Opened before the record: what is recorded as fetched can be read.
	body, err := s.cfg.Blobs.Get(ctx, t.Blob)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: envelope: %w", err)
	}
	if t, err = s.fetched(ctx, actor, t, dec); err != nil {
		return Transfer{}, nil, errors.Join(err, body.Close())
	}
	return t, body, nil
}

// fetched records the first fetch; a later one, or one at the same time, finds
// it recorded. Each has its own decision on the ledger.
func (s *Service) fetched(ctx context.Context, actor ledger.Actor, t Transfer, dec authz.Decision) (Transfer, error) {
	if t.State != StateSent {
		return t, nil
	}
	next := t
	next.State, next.FetchedAt, next.Facts = StateFetched, s.now(), dec.Revision
	ev := s.event("exchange.transfer.fetched", actor, next)
	ev.Details["fetch_decision"] = dec.ID
	rcpt, err := s.cfg.Store.MoveTransfer(ctx, next, []State{StateSent}, ev)
	switch {
	case err == nil, committed(rcpt):
		return next, nil
	case !errors.Is(err, ErrState):
		return Transfer{}, fmt.Errorf("exchange: record fetch: %w", err)
	}
	now, err := s.cfg.Store.Transfer(ctx, t.ID)
	if err != nil {
		return Transfer{}, err
	}
	if now.State == StateSent {
		return Transfer{}, fmt.Errorf("%w: %s", ErrState, now.State)
	}
	return now, nil
}

// Receive checks the receiver's signature and registers the holding (收讫确认,
// 电子签名法 art. 10; X14-23b).
func (s *Service) Receive(ctx context.Context, actor ledger.Actor, id string, signature []byte) (Transfer, ledger.Receipt, error) {
	t, err := s.mine(ctx, actor, id)
	if err != nil {
		return Transfer{}, ledger.Receipt{}, err
	}
	if t.State != StateFetched {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("%w: %s", ErrState, t.State)
	}
	certDER, err := s.cfg.Certificates.Signing(ctx, t.ToSystem)
	if err != nil {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: receiver's certificate: %w", err)
	}
	if err := checkReceipt(certDER, t, signature); err != nil {
		return Transfer{}, ledger.Receipt{}, err
	}
	t.State, t.ReceivedAt, t.ReceiptSig, t.Holding = StateReceived, s.now(), signature, t.ID
	if err := s.hold(ctx, actor, t); err != nil {
		return Transfer{}, ledger.Receipt{}, err
	}
	ev := s.event("exchange.transfer.received", actor, t)
	// Which certificate answers for the signature, for an auditor years later.
	ev.Details["receipt_sm3"], ev.Details["certificate_sm3"] = SM3Hex(signature), SM3Hex(certDER)
	rcpt, err := s.cfg.Store.MoveTransfer(ctx, t, []State{StateFetched}, ev)
	if err != nil && !committed(rcpt) {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: record receipt: %w", err)
	}
	return t, rcpt, nil
}

func checkReceipt(certDER []byte, t Transfer, signature []byte) error {
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return fmt.Errorf("exchange: receiver's certificate: %w", err)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != sm2.P256() || len(signature) == 0 || !sm2.VerifyASN1WithSM2(pub, nil, wire.ReceiptPayload(t.ID, t.Document), signature) {
		return ErrReceipt
	}
	return nil
}

// hold registers the copy under the transfer's id: a retry after a crash
// between the two commits finds it and goes on.
func (s *Service) hold(ctx context.Context, actor ledger.Actor, t Transfer) error {
	origin, copied, err := s.item(ctx, t.Resource)
	if err != nil {
		return err
	}
	h := sharing.Holding{
		ID: t.Holding, System: t.ToSystem, Agency: identity.USCC(t.Receiver), Resource: origin.ID, Agreement: t.Agreement,
		Label: level.Join(t.Label, origin.Label), Payload: t.Document, Transfer: t.ID, At: t.ReceivedAt,
	}
	if t.Agreement != "" {
		a, err := s.cfg.Catalogue.Agreement(ctx, t.Agreement)
		if err != nil {
			return fmt.Errorf("exchange: agreement of the transfer: %w", err)
		}
		h.Until = a.NotAfter
	}
	if copied != nil { // a copy of a copy is never lower and never lasts longer
		h.Sources, h.Label = []string{copied.ID}, level.Join(h.Label, copied.Label)
		h.Until = earlier(h.Until, copied.Until)
	}
	ev := s.event("sharing.holding.registered", actor, t)
	ev.Object, ev.After = ledger.Object{Kind: "holding", ID: h.ID}, h.Label.String()
	rcpt, err := s.cfg.Catalogue.AddHolding(ctx, h, ev)
	if err == nil || committed(rcpt) || errors.Is(err, sharing.ErrExists) {
		return nil
	}
	return fmt.Errorf("exchange: register holding: %w", err)
}

// earlier is the first end of two; zero is no end.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
