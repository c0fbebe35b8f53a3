package app

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/reclass"
)

// openReclass builds the room of changed labels.
func (h *House) openReclass() (err error) {
	h.Reclass, err = reclass.New(reclass.Config{
		Store: h.rooms.Reclass, Catalogue: h.rooms.Sharing, People: h.rooms.Identity, Answers: h.Approvals, Now: h.cfg.Now, NewID: newID,
	})
	return err
}

// relabelAsked is the open question about a label: a lowering that waits, or a
// raising that nobody confirmed yet.
func (h *House) relabelAsked(ctx context.Context, id string) (approval.Subject, error) {
	a, err := h.Reclass.Act(ctx, id)
	if errors.Is(err, reclass.ErrNotFound) || err == nil && a.State != reclass.Proposed && a.State != reclass.Raised {
		return approval.Subject{}, nil
	}
	return a.Subject(), err
}
