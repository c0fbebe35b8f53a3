package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
)

// Copies is the register of copies (authz/sharing): a system sees its own, a provider
// those of its resources.
type Copies interface {
	Of(ctx context.Context, actor ledger.Actor, resource, after string, limit int) ([]sharing.Copy, error)
	In(ctx context.Context, system, after string, limit int) ([]sharing.Copy, error)
	Lineage(ctx context.Context, actor ledger.Actor, id string) (sharing.Lineage, error)
	Destroyed(ctx context.Context, actor ledger.Actor, d sharing.Destruction) (sharing.Destruction, ledger.Receipt, error)
	Recall(ctx context.Context, actor ledger.Actor, t sharing.Task) (sharing.Task, ledger.Receipt, error)
}

func (h *handlers) copyRoutes(a huma.API, op func(id, method, path, summary string, maxBody int64) huma.Operation) {
	huma.Register(a, op("holdings", http.MethodGet, wire.PathHoldings, "What the calling system keeps and kept", 0), h.holdings)
	keep := op("keep", http.MethodPost, wire.PathHoldings, "Register a copy made of copies of the calling system (decided)", maxJSON)
	keep.DefaultStatus = http.StatusCreated
	huma.Register(a, keep, h.keep)
	huma.Register(a, op("destruction", http.MethodPost, wire.PathHoldings+"/{id}/destruction", "Report by a signature that a copy was destroyed", maxJSON), h.destruction)
	huma.Register(a, op("recall", http.MethodPost, wire.PathHoldings+"/{id}/recall", "Ask for the destruction of a copy, as its provider", maxJSON), h.recall)
	huma.Register(a, op("lineage", http.MethodGet, wire.PathHoldings+"/{id}/lineage", "What a copy was made of and what was made of it", 0), h.lineage)
}

type pageInput struct {
	After string `query:"after" maxLength:"128" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type copiesInput struct {
	ID string `path:"id" maxLength:"128"`
	pageInput
}

func (h *handlers) copiesOf(ctx context.Context, in *copiesInput) (*body[wire.Copies], error) {
	return h.copyPage(ctx, in.Limit, func(actor ledger.Actor) ([]sharing.Copy, error) {
		return h.cfg.Copies.Of(ctx, actor, in.ID, in.After, in.Limit)
	})
}

func (h *handlers) holdings(ctx context.Context, in *pageInput) (*body[wire.Copies], error) {
	return h.copyPage(ctx, in.Limit, func(actor ledger.Actor) ([]sharing.Copy, error) {
		return h.cfg.Copies.In(ctx, actor.ID, in.After, in.Limit)
	})
}

func (h *handlers) copyPage(ctx context.Context, limit int, read func(ledger.Actor) ([]sharing.Copy, error)) (*body[wire.Copies], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	all, err := read(actor)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	now, out := time.Now(), wire.Copies{Copies: make([]wire.Copy, len(all))}
	for i, c := range all {
		out.Copies[i] = wireCopy(c, now)
	}
	if len(all) == limit {
		out.Next = all[len(all)-1].ID
	}
	return &body[wire.Copies]{out}, nil
}

func wireCopy(c sharing.Copy, now time.Time) wire.Copy {
	out := wire.Copy{
		ID: c.ID, System: c.System, Agency: string(c.Agency), Resource: c.Resource, Agreement: c.Agreement, Sources: c.Sources, Label: c.Label,
		Payload: c.Payload, At: c.At, Due: c.Due, Overdue: c.OverdueAt(now), Ended: c.Ended,
	}
	if c.Destruction != nil {
		out.Evidence = c.Destruction.Digest()
	}
	for _, t := range c.Tasks {
		out.Tasks = append(out.Tasks, wire.Task{Due: t.Due, Why: string(t.Why), Note: t.Note})
	}
	return out
}

func (h *handlers) keep(ctx context.Context, in *body[wire.KeepRequest]) (*body[wire.Copy], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	b := in.Body
	made, _, err := h.cfg.Exchange.Keep(ctx, actor, exchange.KeepRequest{Sources: b.Sources, Purpose: b.Purpose, Label: b.Label, Payload: b.Payload, Until: b.Until})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Copy]{wireCopy(sharing.Copy{Holding: made, Due: made.Until}, made.At)}, nil
}

type destructionInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body wire.DestructionRequest
}

func (h *handlers) destruction(ctx context.Context, in *destructionInput) (*body[wire.Copy], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	d, _, err := h.cfg.Copies.Destroyed(ctx, actor, sharing.Destruction{Holding: in.ID, Method: in.Body.Method, At: in.Body.At.UTC(), Signature: in.Body.Signature})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Copy]{wire.Copy{ID: d.Holding, System: d.System, Payload: d.Payload, Ended: d.RecordedAt, Evidence: d.Digest()}}, nil
}

type recallInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body wire.RecallRequest
}

func (h *handlers) recall(ctx context.Context, in *recallInput) (*body[wire.Task], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	t, _, err := h.cfg.Copies.Recall(ctx, actor, sharing.Task{Holding: in.ID, Due: in.Body.Due, Why: sharing.WhyProvider, Note: in.Body.Note})
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Task]{wire.Task{Due: t.Due, Why: string(t.Why), Note: t.Note}}, nil
}

func (h *handlers) lineage(ctx context.Context, in *entryInput) (*body[wire.Lineage], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	got, err := h.cfg.Copies.Lineage(ctx, actor, in.ID)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	now, out := time.Now(), wire.Lineage{Cut: got.Cut, Copies: make([]wire.Copy, len(got.Copies)), Made: make([]wire.Making, len(got.Made))}
	for i, c := range got.Copies {
		out.Copies[i] = wireCopy(sharing.Copy{Holding: c, Due: c.Until}, now)
	}
	for i, m := range got.Made {
		out.Made[i] = wire.Making{From: m[0], To: m[1]}
	}
	return &body[wire.Lineage]{out}, nil
}
