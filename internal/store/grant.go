package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Grants keeps what persons were granted, and who signs in a leader's place.
type Grants struct{ acts }

var _ grant.Store = (*Grants)(nil)

// grantRow holds what was proposed, and signed, as one body that never changes.
type grantRow struct {
	bun.BaseModel `bun:"table:authz_grant"`

	ID             string              `bun:"id,pk"`
	Unit           string              `bun:"unit"`
	Person         string              `bun:"person"`
	Body           nested[grant.Grant] `bun:"body"`
	AskedAt        bun.NullTime        `bun:"asked_at"`
	Until          bun.NullTime        `bun:"until_at"`
	Replaces       string              `bun:"replaces"`
	State          string              `bun:"state"`
	Approval       string              `bun:"approval"`
	SettledAt      bun.NullTime        `bun:"settled_at"`
	Suspensions    int                 `bun:"suspensions"`
	SuspendedBy    string              `bun:"suspended_by"`
	SuspendReason  string              `bun:"suspend_reason"`
	SuspendedAt    bun.NullTime        `bun:"suspended_at"`
	EndedBy        string              `bun:"ended_by"`
	EndReason      string              `bun:"end_reason"`
	EndedAt        bun.NullTime        `bun:"ended_at"`
	ReviewDue      bun.NullTime        `bun:"review_due"`
	ReviewApproval string              `bun:"review_approval"`
	ReviewFound    bool                `bun:"review_found"`
	ReviewedAt     bun.NullTime        `bun:"reviewed_at"`
	Auditor        string              `bun:"auditor"`
	AuditNote      string              `bun:"audit_note"`
	AuditedAt      bun.NullTime        `bun:"audited_at"`
}

func (r grantRow) grant() grant.Grant {
	g := r.Body.V
	g.State, g.Approval, g.SettledAt = grant.State(r.State), r.Approval, utc(r.SettledAt)
	g.Suspensions, g.Suspension = r.Suspensions, grant.Suspension{By: r.SuspendedBy, Reason: r.SuspendReason, At: utc(r.SuspendedAt)}
	g.EndedBy, g.EndReason, g.EndedAt = r.EndedBy, r.EndReason, utc(r.EndedAt)
	g.Review = grant.Review{
		Due: utc(r.ReviewDue), Approval: r.ReviewApproval, Found: r.ReviewFound, At: utc(r.ReviewedAt),
		Auditor: r.Auditor, Note: r.AuditNote, AuditAt: utc(r.AuditedAt),
	}
	return g
}

// AddGrant implements grant.Store. An open proposal is a fact, too: a denial says
// that it waits for its signature.
func (s *Grants) AddGrant(ctx context.Context, g grant.Grant, ev ledger.Event) (ledger.Receipt, error) {
	if g.State != grant.Proposed {
		return ledger.Receipt{}, fmt.Errorf("%w: %q starts as %q", grant.ErrState, g.ID, g.State)
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &grantRow{
			ID: g.ID, Unit: string(g.Unit), Person: g.Person, Body: nested[grant.Grant]{g}, AskedAt: at(g.AskedAt), Until: at(g.Until),
			Replaces: g.Replaces, State: string(g.State),
		}, grant.ErrExists, grant.ErrNotFound, "grant", g.ID)
	}, fact{factPerson, g.Person})
}

// MoveGrant implements grant.Store. The number of suspensions is part of the
// guard: an answer to an earlier one moves nothing.
func (s *Grants) MoveGrant(ctx context.Context, g grant.Grant, from grant.State, ev ledger.Event) (ledger.Receipt, error) {
	if !grant.Moves(from, g.State) {
		if _, err := s.Grant(ctx, g.ID); err != nil {
			return ledger.Receipt{}, err
		}
		return ledger.Receipt{}, fmt.Errorf("%w: no way from %q to %q", grant.ErrState, from, g.State)
	}
	seen := g.Suspensions
	if g.State == grant.Suspended {
		seen--
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if from == grant.Proposed && g.State == grant.InForce && g.Replaces != "" {
			n, err := changed(ctx, tx, "UPDATE authz_grant SET state = ?, ended_at = ? WHERE id = ? AND unit = ? AND person = ? AND state = ?",
				string(grant.Replaced), at(g.SettledAt), g.Replaces, string(g.Unit), g.Person, string(grant.InForce))
			if err != nil {
				return fmt.Errorf("replacing grant %q: %w", g.Replaces, err)
			}
			if n != 1 {
				return fmt.Errorf("%w: what %q replaces is not in force", grant.ErrState, g.ID)
			}
		}
		n, err := changed(ctx, tx, `UPDATE authz_grant SET state = ?, approval = ?, settled_at = ?, suspensions = ?, suspended_by = ?, suspend_reason = ?,
			suspended_at = ?, ended_by = ?, end_reason = ?, ended_at = ?, review_due = ? WHERE id = ? AND state = ? AND suspensions = ?`,
			string(g.State), g.Approval, at(g.SettledAt), g.Suspensions, g.Suspension.By, g.Suspension.Reason, at(g.Suspension.At),
			g.EndedBy, g.EndReason, at(g.EndedAt), at(g.Review.Due), g.ID, string(from), seen)
		if err != nil {
			return fmt.Errorf("moving grant %q: %w", g.ID, err)
		}
		return guarded[grantRow](ctx, tx, n, "grant", g.ID, string(from), grant.ErrNotFound, grant.ErrState)
	}, fact{factPerson, g.Person})
}

// ReviewGrant implements grant.Store; a review changes no decision.
func (s *Grants) ReviewGrant(ctx context.Context, g grant.Grant, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		var moved int64
		if !g.Review.At.IsZero() {
			n, err := changed(ctx, tx, `UPDATE authz_grant SET review_approval = ?, review_found = ?, reviewed_at = ?
				WHERE id = ? AND reviewed_at IS NULL AND review_due IS NOT NULL`, g.Review.Approval, g.Review.Found, at(g.Review.At), g.ID)
			if err != nil {
				return fmt.Errorf("reviewing grant %q: %w", g.ID, err)
			}
			moved += n
		}
		if !g.Review.AuditAt.IsZero() {
			n, err := changed(ctx, tx, `UPDATE authz_grant SET auditor = ?, audit_note = ?, audited_at = ?
				WHERE id = ? AND audited_at IS NULL AND review_due IS NOT NULL`, g.Review.Auditor, g.Review.Note, at(g.Review.AuditAt), g.ID)
			if err != nil {
				return fmt.Errorf("auditing grant %q: %w", g.ID, err)
			}
			moved += n
		}
		return guarded[grantRow](ctx, tx, min(moved, 1), "grant", g.ID, "waiting for this review", grant.ErrNotFound, grant.ErrState)
	})
}

// Grant implements grant.Store.
func (s *Grants) Grant(ctx context.Context, id string) (grant.Grant, error) {
	r, err := one[grantRow](ctx, s.s.r, "id = ?", id)
	return r.grant(), found(err, grant.ErrNotFound, "grant", id)
}

// GrantsOf implements grant.Store.
func (s *Grants) GrantsOf(ctx context.Context, unit identity.USCC) ([]grant.Grant, error) {
	return list(ctx, s.s.r, grantRow.grant, "asked_at DESC, id DESC", "? = '' OR unit = ?", string(unit), string(unit))
}

// GrantsFor implements grant.Store.
func (s *Grants) GrantsFor(ctx context.Context, person string, after time.Time) ([]grant.Grant, error) {
	return list(ctx, s.s.r, grantRow.grant, "asked_at, id", "person = ? AND until_at > ? AND state IN (?, ?, ?)",
		person, at(after), string(grant.Proposed), string(grant.InForce), string(grant.Suspended))
}
