package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer/report"
)

type handlers struct{ cfg Config }

type body[T any] struct{ Body T }

func (h *handlers) status(ctx context.Context, _ *struct{}) (*body[wire.Status], error) {
	return &body[wire.Status]{h.cfg.Status(ctx)}, nil
}

func (h *handlers) anchors(ctx context.Context, _ *struct{}) (*body[wire.Anchors], error) {
	return &body[wire.Anchors]{h.cfg.Anchors(ctx)}, nil
}

func (h *handlers) head(ctx context.Context, _ *struct{}) (*body[wire.Head], error) {
	hd, err := h.cfg.Ledger.LedgerHead(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Head]{hd}, nil
}

func (h *handlers) enrol(ctx context.Context, in *body[wire.EnrolRequest]) (*body[wire.EnrolAnswer], error) {
	ans, err := h.cfg.Enroller.Enrol(ctx, in.Body)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.EnrolAnswer]{ans}, nil
}

func (h *handlers) acmeKey(ctx context.Context, in *body[wire.ACMEKeyRequest]) (*body[wire.ACMEKeyAnswer], error) {
	ans, err := h.cfg.Enroller.ACMEKey(ctx, in.Body.Token)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.ACMEKeyAnswer]{ans}, nil
}

type verifyInput struct {
	Report  string `query:"report" enum:"simple,detailed,diagnostic" doc:"a report of this level instead of the judgement"`
	RawBody []byte `contentType:"application/octet-stream"`
}

// verify is open to everybody. Who put a seal on, and who approved it, is told to
// enrolled systems only.
func (h *handlers) verify(ctx context.Context, in *verifyInput) (*body[any], error) {
	if in.Report == "" {
		rep, err := h.cfg.Verify(ctx, in.RawBody)
		if err != nil {
			return nil, h.problem(ctx, err)
		}
		return &body[any]{rep}, nil
	}
	_, err := Peer(ctx, h.cfg.Peers)
	known := err == nil
	if !known && !errors.Is(err, ErrNoPeer) && !errors.Is(err, ErrPeer) {
		return nil, h.problem(ctx, err)
	}
	rep, err := h.cfg.Report(ctx, in.RawBody, report.Level(in.Report), known)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[any]{rep}, nil
}

func (h *handlers) send(ctx context.Context, in *body[wire.SendRequest]) (*body[wire.Transfer], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	b := in.Body
	t, _, rcpt, err := h.cfg.Exchange.Send(ctx, actor, exchange.SendRequest{
		FromSystem: actor.ID, ToSystem: b.To, Resource: b.Resource, Purpose: b.Purpose, Fields: b.Fields, Carriers: b.Carriers,
		Name: b.Name, Document: b.Document, RequestID: requestID(ctx),
	})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := toWire(t)
	out.Receipt = rcpt
	return &body[wire.Transfer]{out}, nil
}

func (h *handlers) inbox(ctx context.Context, _ *struct{}) (*body[[]wire.Transfer], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	ts, err := h.cfg.Exchange.Inbox(ctx, actor.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := make([]wire.Transfer, len(ts))
	for i, t := range ts {
		out[i] = toWire(t)
	}
	return &body[[]wire.Transfer]{out}, nil
}

type idPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (h *handlers) envelope(ctx context.Context, in *idPath) (*huma.StreamResponse, error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	_, rc, err := h.cfg.Exchange.Fetch(ctx, actor, in.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return h.stream(ctx, "application/octet-stream", rc), nil
}

// receiptInput names its path parameter itself: huma sets no field of an
// embedded unexported struct.
type receiptInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body wire.ReceiptRequest
}

func (h *handlers) receipt(ctx context.Context, in *receiptInput) (*body[wire.Transfer], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	t, rcpt, err := h.cfg.Exchange.Receive(ctx, actor, in.ID, in.Body.Signature)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	out := toWire(t)
	out.Receipt = rcpt
	return &body[wire.Transfer]{out}, nil
}

func (h *handlers) confirm(ctx context.Context, in *body[wire.Confirmation]) (*body[wire.Confirmation], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	b := in.Body
	_, rcpt, err := h.cfg.Exchange.Confirm(ctx, actor, exchange.Confirmation{
		Decision: b.Decision, Action: authz.Action(b.Action), Resource: b.Resource, Target: b.Target, Purpose: b.Purpose, Document: b.Document, Log: b.Log, At: b.At,
	})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	b.Receipt = rcpt
	return &body[wire.Confirmation]{b}, nil
}

// limitLarge lets a few large bodies in at a time, because each stands in
// memory as a whole. Small ones never wait.
func (h *handlers) limitLarge() func(huma.Context, func(huma.Context)) {
	slots := make(chan struct{}, largeBodies)
	return func(hctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(hctx)
		if r.ContentLength >= 0 && r.ContentLength <= maxJSON {
			next(hctx)
			return
		}
		wait := time.NewTimer(largeWait)
		defer wait.Stop()
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next(hctx)
		case <-wait.C:
			h.write(hctx.Context(), w, errBusy)
		case <-hctx.Context().Done():
			h.write(hctx.Context(), w, fmt.Errorf("%w: %w", errBusy, hctx.Context().Err()))
		}
	}
}

func toWire(t exchange.Transfer) wire.Transfer {
	return wire.Transfer{
		ID: t.ID, From: t.FromSystem, To: t.ToSystem, Resource: t.Resource, Purpose: t.Purpose, Label: t.Label, Name: t.Name,
		Document: t.Document, Decision: t.Decision, Agreement: t.Agreement, Holding: t.Holding, State: string(t.State),
		SentAt: t.SentAt, FetchedAt: t.FetchedAt, ReceivedAt: t.ReceivedAt,
	}
}
