package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// CA is the certificate registry of both algorithms.
type CA struct{ acts }

var _ ca.Registry = (*CA)(nil)

type requestRow struct {
	bun.BaseModel `bun:"table:ca_request"`

	ID           string           `bun:"id,pk"`
	Agency       string           `bun:"agency"`
	System       string           `bun:"system"`
	CommonName   string           `bun:"common_name"`
	Organization string           `bun:"organization"`
	Hosts        nested[[]string] `bun:"hosts"`
	SubmittedBy  string           `bun:"submitted_by"`
	State        string           `bun:"state"`
	DecidedBy    string           `bun:"decided_by"`
	Approval     string           `bun:"approval"`
	Reason       string           `bun:"reason"`
	TokenHash    sql.NullString   `bun:"token_hash"`
	TokenExpires bun.NullTime     `bun:"token_expires"`
	TokenUsed    bun.NullTime     `bun:"token_used"`
	CreatedAt    bun.NullTime     `bun:"created_at"`
}

func (r requestRow) request() ca.Request {
	return ca.Request{
		ID: r.ID, Agency: r.Agency, System: r.System, CommonName: r.CommonName, Organization: r.Organization,
		Hosts: r.Hosts.V, SubmittedBy: r.SubmittedBy, State: ca.RequestState(r.State), DecidedBy: r.DecidedBy,
		Approval: r.Approval, Reason: r.Reason, TokenHash: r.TokenHash.String, TokenExpires: utc(r.TokenExpires),
		TokenUsed: utc(r.TokenUsed), CreatedAt: utc(r.CreatedAt),
	}
}

// AddRequest implements ca.Registry. A request starts as submitted; a decision
// or a token in it is refused with ca.ErrNotApproved.
func (c *CA) AddRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	if r.State != ca.RequestSubmitted || r.DecidedBy != "" || r.TokenHash != "" {
		return ledger.Receipt{}, fmt.Errorf("%w: request %q starts as %q", ca.ErrNotApproved, r.ID, r.State)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &requestRow{
			ID: r.ID, Agency: r.Agency, System: r.System, CommonName: r.CommonName, Organization: r.Organization,
			Hosts: nested[[]string]{r.Hosts}, SubmittedBy: r.SubmittedBy, State: string(r.State), Approval: r.Approval,
			Reason: r.Reason, CreatedAt: at(r.CreatedAt),
		}, ca.ErrExists, ca.ErrNotFound, "request", r.ID)
	})
}

// DecideRequest implements ca.Registry.
func (c *CA) DecideRequest(ctx context.Context, r ca.Request, ev ledger.Event) (ledger.Receipt, error) {
	if r.State != ca.RequestApproved && r.State != ca.RequestRefused {
		return ledger.Receipt{}, fmt.Errorf("%w: %q is no decision", ca.ErrState, r.State)
	}
	if r.State == ca.RequestRefused && r.TokenHash != "" {
		return ledger.Receipt{}, fmt.Errorf("%w: a refused request gets no token", ca.ErrState)
	}
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE ca_request SET state = ?, decided_by = ?, approval = ?, reason = ?,
			token_hash = ?, token_expires = ? WHERE id = ? AND state = ?`,
			string(r.State), r.DecidedBy, r.Approval, r.Reason, optional(r.TokenHash), at(r.TokenExpires),
			r.ID, string(ca.RequestSubmitted))
		switch {
		case isDuplicate(err):
			return fmt.Errorf("%w: the token of request %q", ca.ErrExists, r.ID)
		case err != nil || n == 1:
			return err
		}
		if _, err := one[requestRow](ctx, tx, "id = ?", r.ID); err != nil {
			return found(err, ca.ErrNotFound, "request", r.ID)
		}
		return fmt.Errorf("%w: %q", ca.ErrDecided, r.ID)
	})
}

// Request implements ca.Registry.
func (c *CA) Request(ctx context.Context, id string) (ca.Request, error) {
	r, err := one[requestRow](ctx, c.s.r, "id = ?", id)
	return r.request(), found(err, ca.ErrNotFound, "request", id)
}

// RequestByToken implements ca.Registry.
func (c *CA) RequestByToken(ctx context.Context, tokenHash string, now time.Time) (ca.Request, error) {
	return claimable(ctx, c.s.r, tokenHash, now)
}

// ClaimToken implements ca.Registry: the guarded update decides who of several
// callers claimed it.
func (c *CA) ClaimToken(ctx context.Context, tokenHash string, now time.Time, ev ledger.Event) (ca.Request, ledger.Receipt, error) {
	var claimed ca.Request
	receipt, err := c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		r, err := claimable(ctx, tx, tokenHash, now)
		if err != nil {
			return err
		}
		n, err := changed(ctx, tx, `UPDATE ca_request SET state = ?, token_used = ?
			WHERE id = ? AND state = ? AND token_used IS NULL`,
			string(ca.RequestIssued), at(now), r.ID, string(ca.RequestApproved))
		if err != nil {
			return fmt.Errorf("claiming the token: %w", err)
		}
		if n != 1 {
			return ca.ErrToken
		}
		r.State, r.TokenUsed = ca.RequestIssued, utc(at(now))
		claimed = r
		return nil
	})
	if err != nil && !errors.Is(err, ErrUnintegrated) {
		return ca.Request{}, ledger.Receipt{}, err
	}
	return claimed, receipt, err
}

// claimable never says why a token is refused. Looking it up by its digest
// leaks no timing: the token has 256 random bits.
func claimable(ctx context.Context, db bun.IDB, tokenHash string, now time.Time) (ca.Request, error) {
	if tokenHash == "" {
		return ca.Request{}, ca.ErrToken
	}
	row, err := one[requestRow](ctx, db, "token_hash = ?", tokenHash)
	if errors.Is(err, sql.ErrNoRows) {
		return ca.Request{}, ca.ErrToken
	}
	if err != nil {
		return ca.Request{}, fmt.Errorf("reading the token: %w", err)
	}
	r := row.request()
	if r.State != ca.RequestApproved || !r.TokenUsed.IsZero() || !now.Before(r.TokenExpires) {
		return ca.Request{}, ca.ErrToken
	}
	return r, nil
}
