package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

var _ sharing.FeedbackStore = (*Sharing)(nil)

type feedbackRow struct {
	bun.BaseModel `bun:"table:sharing_feedback"`

	ID       string                   `bun:"id,pk"`
	Consumer string                   `bun:"consumer"`
	Provider string                   `bun:"provider"`
	Revision int64                    `bun:"revision"`
	Body     nested[sharing.Feedback] `bun:"body"`
	GivenAt  bun.NullTime             `bun:"given_at"`
}

func (r feedbackRow) feedback() sharing.Feedback { return r.Body.V }

// AddFeedback implements sharing.FeedbackStore.
func (s *Sharing) AddFeedback(ctx context.Context, f sharing.Feedback, ev ledger.Event) (ledger.Receipt, error) {
	if f.Revision != 1 || !f.Open() {
		return ledger.Receipt{}, fmt.Errorf("%w: feedback %q starts at revision %d", sharing.ErrApplication, f.ID, f.Revision)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &feedbackRow{
			ID: f.ID, Consumer: string(f.Consumer), Provider: string(f.Provider), Revision: 1, Body: nested[sharing.Feedback]{f}, GivenAt: at(f.At),
		}, sharing.ErrExists, sharing.ErrNotFound, "feedback", f.ID)
	})
}

// MoveFeedback implements sharing.FeedbackStore.
func (s *Sharing) MoveFeedback(ctx context.Context, f sharing.Feedback, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE sharing_feedback SET revision = ?, body = ? WHERE id = ? AND revision = ?",
			f.Revision, nested[sharing.Feedback]{f}, f.ID, f.Revision-1)
		if err != nil || n == 1 {
			return err
		}
		now, err := one[feedbackRow](ctx, tx, "id = ?", f.ID)
		if err != nil {
			return found(err, sharing.ErrNotFound, "feedback", f.ID)
		}
		return fmt.Errorf("%w: feedback %q is at revision %d, not %d", sharing.ErrApplication, f.ID, now.Revision, f.Revision-1)
	})
}

// Feedback implements sharing.FeedbackStore.
func (s *Sharing) Feedback(ctx context.Context, id string) (sharing.Feedback, error) {
	r, err := one[feedbackRow](ctx, s.s.r, "id = ?", id)
	return r.feedback(), found(err, sharing.ErrNotFound, "feedback", id)
}

// Feedbacks implements sharing.FeedbackStore.
func (s *Sharing) Feedbacks(ctx context.Context, unit identity.USCC) ([]sharing.Feedback, error) {
	return list(ctx, s.s.r, feedbackRow.feedback, "given_at DESC, id DESC", "? = '' OR consumer = ? OR provider = ?", string(unit), string(unit), string(unit))
}
