package app

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/ca/status"
)

// rootListNotice is how long before the end of an offline root's list people are
// told: a ceremony needs custodians, witnesses and a room.
const rootListNotice = 30 * 24 * time.Hour

// RootListEnds are the lists of offline roots, the first to end first; none where
// the roots are online.
func (h *House) RootListEnds(ctx context.Context) ([]status.Ending, error) {
	ends, err := h.CertStatus.Endings(ctx)
	if err != nil {
		return nil, fmt.Errorf("app: lists of the roots: %w", err)
	}
	return ends, nil
}

// rootListDue is when the first of those lists ends, and whether it is time for a
// ceremony; zero: the roots are online.
func (h *House) rootListDue(ctx context.Context) (time.Time, bool, error) {
	ends, err := h.RootListEnds(ctx)
	if err != nil || len(ends) == 0 {
		return time.Time{}, false, err
	}
	return ends[0].At, h.cfg.Now().Add(rootListNotice).After(ends[0].At), nil
}

// tellRootLists writes to the log when a ceremony is due.
func (h *House) tellRootLists(ctx context.Context) {
	switch at, due, err := h.rootListDue(ctx); {
	case err != nil && ctx.Err() == nil:
		h.cfg.Log.ErrorContext(ctx, "when the lists of the roots end is not known", "error", err)
	case due:
		h.cfg.Log.WarnContext(ctx, "a list of an offline root ends: hold a ceremony (key ceremony order)", "at", at.Format(time.RFC3339))
	}
}
