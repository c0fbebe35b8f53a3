package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

var _ ra.Requests = (*CA)(nil)

type enrolmentRow struct {
	bun.BaseModel `bun:"table:ca_enrolment"`

	Request string  `bun:"request,pk"`
	Purpose string  `bun:"purpose"`
	Batch   string  `bun:"batch"`
	OpenKey *string `bun:"open_key"` // unique; NULL once nobody waits for a decision
}

type reviewRow struct {
	bun.BaseModel `bun:"table:ca_review"`

	Request    string       `bun:"request,pk"`
	ReviewedBy string       `bun:"reviewed_by"`
	ReviewedAt bun.NullTime `bun:"reviewed_at"`
	Evidence   string       `bun:"evidence"`
}

// AddRequests implements ra.Requests. A request starts as submitted; a review, a
// decision or a token in it is refused with ca.ErrNotApproved.
func (c *CA) AddRequests(ctx context.Context, rs []ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	rows, marks := make([]requestRow, len(rs)), make([]enrolmentRow, len(rs))
	for i, r := range rs {
		if r.State != ca.RequestSubmitted || r.ReviewedBy != "" || r.DecidedBy != "" || r.TokenHash != "" {
			return ledger.Receipt{}, fmt.Errorf("%w: request %q starts as %q", ca.ErrNotApproved, r.ID, r.State)
		}
		rows[i] = requestRow{
			ID: r.ID, Agency: r.Agency, System: r.System, CommonName: r.CommonName, Organization: r.Organization,
			Hosts: nested[[]string]{r.Hosts}, SubmittedBy: r.SubmittedBy, State: string(r.State), CreatedAt: at(r.CreatedAt),
		}
		key := ca.OpenKey(r)
		marks[i] = enrolmentRow{Request: r.ID, Purpose: string(r.Purpose), Batch: r.Batch, OpenKey: &key}
	}
	if len(rs) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: no request", ca.ErrInvalid)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := insertAll(ctx, tx, rows, ca.ErrExists); err != nil {
			return err
		}
		return insertAll(ctx, tx, marks, ra.ErrOpen)
	})
}

// insertAll writes rows in parts that stay under the engines' bound of parameters.
func insertAll[R any](ctx context.Context, tx bun.Tx, rows []R, exists error) error {
	const part = 500
	for len(rows) > 0 {
		some := rows[:min(part, len(rows))]
		rows = rows[len(some):]
		switch _, err := tx.NewInsert().Model(&some).Exec(ctx); {
		case isDuplicate(err):
			return fmt.Errorf("%w: one of %d requests", exists, len(some))
		case err != nil:
			return fmt.Errorf("writing requests: %w", err)
		}
	}
	return nil
}

// moved turns the row count of a guarded update of one request into its outcome.
func moved(ctx context.Context, tx bun.Tx, id string, n int64, err error) error {
	if err != nil || n == 1 {
		return err
	}
	if _, err := request(ctx, tx, "q.id = ?", id); err != nil {
		return found(err, ca.ErrNotFound, "request", id)
	}
	return fmt.Errorf("%w: %q", ca.ErrDecided, id)
}

// closed takes a request off the open ones, and notes when it was decided or
// withdrawn.
func closed(ctx context.Context, tx bun.Tx, id string, as ca.RequestState, ev ledger.Event) error {
	if _, err := changed(ctx, tx, "UPDATE ca_enrolment SET open_key = NULL WHERE request = ?", id); err != nil {
		return err
	}
	_, err := changed(ctx, tx, "INSERT INTO ca_request_settled (request, state, settled_at) VALUES (?, ?, ?)", id, string(as), at(ev.Time))
	return err
}

// ReviewRequest implements ra.Requests.
func (c *CA) ReviewRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	if r.State != ca.RequestReviewed || r.ReviewedBy == "" || r.ReviewedAt.IsZero() || len(r.Evidence) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: %q is no review", ca.ErrState, r.State)
	}
	evidence, err := json.Marshal(r.Evidence)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("evidence: %w", err)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE ca_request SET state = ? WHERE id = ? AND state = ?",
			string(ca.RequestReviewed), r.ID, string(ca.RequestSubmitted))
		if err := moved(ctx, tx, r.ID, n, err); err != nil {
			return err
		}
		return insert(ctx, tx, &reviewRow{Request: r.ID, ReviewedBy: r.ReviewedBy, ReviewedAt: at(r.ReviewedAt), Evidence: string(evidence)},
			ca.ErrDecided, ca.ErrNotFound, "review of request", r.ID)
	})
}

// DecideRequest implements ra.Requests.
func (c *CA) DecideRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	if r.State != ca.RequestApproved && r.State != ca.RequestRefused {
		return ledger.Receipt{}, fmt.Errorf("%w: %q is no decision", ca.ErrState, r.State)
	}
	if r.TokenHash != "" {
		return ledger.Receipt{}, fmt.Errorf("%w: a decision brings no token", ca.ErrState)
	}
	from := []string{string(ca.RequestReviewed)}
	if r.State == ca.RequestRefused {
		from = append(from, string(ca.RequestSubmitted))
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE ca_request SET state = ?, decided_by = ?, approval = ?, reason = ?, token_expires = ?
			WHERE id = ? AND state IN (?)`,
			string(r.State), r.DecidedBy, r.Approval, r.Reason, at(r.TokenExpires), r.ID, bun.List(from))
		if err := moved(ctx, tx, r.ID, n, err); err != nil {
			return err
		}
		if r.State == ca.RequestApproved {
			now, err := request(ctx, tx, "q.id = ?", r.ID)
			if err != nil {
				return fmt.Errorf("reading the review: %w", err)
			}
			if r.DecidedBy == "" || r.DecidedBy == now.SubmittedBy || r.DecidedBy == now.ReviewedBy {
				return ca.ErrSelf
			}
		}
		return closed(ctx, tx, r.ID, r.State, ev)
	})
}

// WithdrawRequest implements ra.Requests.
func (c *CA) WithdrawRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE ca_request SET state = ?, reason = ?, token_hash = NULL WHERE id = ? AND state IN (?, ?, ?)",
			string(ca.RequestWithdrawn), r.Reason, r.ID, string(ca.RequestSubmitted), string(ca.RequestReviewed), string(ca.RequestApproved))
		if err := moved(ctx, tx, r.ID, n, err); err != nil {
			return err
		}
		return closed(ctx, tx, r.ID, ca.RequestWithdrawn, ev)
	})
}

// SetToken implements ra.Requests.
func (c *CA) SetToken(ctx context.Context, id, tokenHash string, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	if tokenHash == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: an empty token", ca.ErrState)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE ca_request SET token_hash = ? WHERE id = ? AND state = ? AND token_used IS NULL AND token_expires > ?",
			tokenHash, id, string(ca.RequestApproved), at(now))
		if isDuplicate(err) {
			return fmt.Errorf("%w: the token of request %q", ca.ErrExists, id)
		}
		return moved(ctx, tx, id, n, err)
	})
}

// Requests implements ra.Requests.
func (c *CA) Requests(ctx context.Context, q ra.Query) ([]ca.Request, error) {
	return requests(ctx, c.s.r, func(s *bun.SelectQuery) *bun.SelectQuery {
		if q.Agency != "" {
			s = s.Where("q.agency = ?", q.Agency)
		}
		if q.SubmittedBy != "" {
			s = s.Where("q.submitted_by = ?", q.SubmittedBy)
		}
		if len(q.States) > 0 {
			s = s.Where("q.state IN (?)", bun.List(q.States))
		}
		return s.OrderExpr("q.created_at DESC, q.id DESC").Limit(int64(cmp.Or(q.Limit, 200)))
	})
}
