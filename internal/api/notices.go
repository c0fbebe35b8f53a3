package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Notices is what changes of level ask of the systems that keep copies
// (authz/reclass).
type Notices interface {
	On(ctx context.Context, system, after string, limit int) ([]reclass.Notice, error)
	Acknowledge(ctx context.Context, id, evidence, note string, actor ledger.Actor) (reclass.Notice, ledger.Receipt, error)
}

func (h *handlers) noticeRoutes(a huma.API, op func(id, method, path, summary string, maxBody int64) huma.Operation) {
	huma.Register(a, op("notices", http.MethodGet, wire.PathNotices, "What changes of level ask of the calling system", 0), h.notices)
	huma.Register(a, op("follow-notice", http.MethodPost, wire.PathNotices+"/{act}/{copy}", "Report what the calling system did about a copy", maxJSON), h.followNotice)
}

func (h *handlers) notices(ctx context.Context, in *pageInput) (*body[wire.Notices], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	all, err := h.cfg.Notices.On(ctx, actor.ID, in.After, in.Limit)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	now, out := time.Now(), wire.Notices{Notices: make([]wire.Notice, len(all))}
	for i, n := range all {
		out.Notices[i] = wireNotice(n, now)
	}
	if len(all) == in.Limit {
		out.Next = all[len(all)-1].ID
	}
	return &body[wire.Notices]{out}, nil
}

func wireNotice(n reclass.Notice, now time.Time) wire.Notice {
	return wire.Notice{
		ID: n.ID, Act: n.Act, Copy: n.Holding, Kind: n.Kind, Before: n.Before, After: n.After, Due: n.Due, Overdue: n.Overdue(now),
		Done: n.DoneAt, By: n.DoneBy, Evidence: n.Evidence, Note: n.Note,
	}
}

type followInput struct {
	Act  string `path:"act" maxLength:"128"`
	Copy string `path:"copy" maxLength:"128"`
	Body wire.FollowRequest
}

func (h *handlers) followNotice(ctx context.Context, in *followInput) (*body[wire.Notice], error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	n, _, err := h.cfg.Notices.Acknowledge(ctx, in.Act+"/"+in.Copy, in.Body.Evidence, in.Body.Note, actor)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return &body[wire.Notice]{wireNotice(n, n.DoneAt)}, nil
}
