package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Reclass keeps the acts that change labels, and what they asked of those who keep
// copies.
type Reclass struct{ acts }

var _ reclass.Store = (*Reclass)(nil)

// reclassRow holds what was proposed, and signed, as one body that never changes.
type reclassRow struct {
	bun.BaseModel `bun:"table:reclass_act"`

	ID        string              `bun:"id,pk"`
	Provider  string              `bun:"provider"`
	Resource  string              `bun:"resource"`
	Body      nested[reclass.Act] `bun:"body"`
	AskedAt   bun.NullTime        `bun:"asked_at"`
	State     string              `bun:"state"`
	Approval  string              `bun:"approval"`
	SettledAt bun.NullTime        `bun:"settled_at"`
	EndedBy   string              `bun:"ended_by"`
	EndReason string              `bun:"end_reason"`
}

func (r reclassRow) change() reclass.Act {
	a := r.Body.V
	a.State, a.Approval, a.SettledAt, a.EndedBy, a.EndReason = reclass.State(r.State), r.Approval, utc(r.SettledAt), r.EndedBy, r.EndReason
	return a
}

// AddAct implements reclass.Store. Only an act that lowers nothing takes effect
// without a signature.
func (s *Reclass) AddAct(ctx context.Context, a reclass.Act, ev ledger.Event) (ledger.Receipt, error) {
	if a.State != reclass.Proposed && (a.State != reclass.Raised || !a.Raises()) {
		return ledger.Receipt{}, fmt.Errorf("%w: %q starts as %q", reclass.ErrState, a.ID, a.State)
	}
	commit := s.committing(a, a.State == reclass.Raised)
	return commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := insert(ctx, tx, &reclassRow{
			ID: a.ID, Provider: string(a.Provider), Resource: a.Resource, Body: nested[reclass.Act]{a}, AskedAt: at(a.AskedAt), State: string(a.State),
		}, reclass.ErrExists, reclass.ErrNotFound, "act", a.ID); err != nil {
			return err
		}
		if a.State != reclass.Raised {
			return nil
		}
		return relabel(ctx, tx, a, at(a.AskedAt))
	})
}

// committing is how an act is committed: only one that takes effect moves the facts on.
func (s *Reclass) committing(a reclass.Act, effect bool) func(context.Context, ledger.Event, func(context.Context, bun.Tx) error) (ledger.Receipt, error) {
	if !effect {
		return s.commit
	}
	return func(ctx context.Context, ev ledger.Event, do func(context.Context, bun.Tx) error) (ledger.Receipt, error) {
		return s.commitFacts(ctx, ev, do, fact{factResource, a.Resource})
	}
}

// MoveAct implements reclass.Store.
func (s *Reclass) MoveAct(ctx context.Context, a reclass.Act, from reclass.State, ev ledger.Event) (ledger.Receipt, error) {
	signed, err := s.Act(ctx, a.ID) // what was signed, whatever the caller brings; it never changes
	if err != nil {
		return ledger.Receipt{}, err
	}
	if !reclass.Moves(from, a.State) {
		return ledger.Receipt{}, fmt.Errorf("%w: no way from %s to %s", reclass.ErrState, from, a.State)
	}
	effect := from == reclass.Proposed && a.State == reclass.InForce
	commit := s.committing(signed, effect)
	return commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE reclass_act SET state = ?, approval = ?, settled_at = ?, ended_by = ?, end_reason = ? WHERE id = ? AND state = ?",
			string(a.State), a.Approval, at(a.SettledAt), a.EndedBy, a.EndReason, a.ID, string(from))
		switch {
		case err != nil:
			return fmt.Errorf("moving act %q: %w", a.ID, err)
		case n != 1:
			return fmt.Errorf("%w: %q is not %s, or moved since", reclass.ErrState, a.ID, from)
		case !effect:
			return nil
		}
		return relabel(ctx, tx, signed, at(a.SettledAt))
	})
}

// relabel sets the label of the resource, lets the copies follow, and writes a
// notice for each that changed and still lives.
func relabel(ctx context.Context, tx bun.Tx, a reclass.Act, when bun.NullTime) error {
	was, err := one[resourceRow](ctx, tx, "id = ?", a.Resource)
	if err != nil {
		return found(err, reclass.ErrNotFound, "resource", a.Resource)
	}
	if was.label().String() != a.From.String() {
		return fmt.Errorf("%w: %q is %s by now, not %s", reclass.ErrState, a.Resource, was.label(), a.From)
	}
	if err := was.resource().Bears(a.To); err != nil {
		return fmt.Errorf("%w: %w", reclass.ErrItems, err)
	}
	next := toLabelRow(a.To)
	review := was.SecrecyReview
	if a.Review != "" {
		review = a.Review
	}
	if _, err := tx.NewUpdate().Model(&resourceRow{ID: a.Resource, labelRow: next, SecrecyReview: review, UpdatedAt: when}).
		Column("label_level", "label_s", "label_a", "label_tags", "secrecy_review", "updated_at").WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("relabelling %q: %w", a.Resource, err)
	}
	rows, before, err := family(ctx, tx, a.Resource)
	if err != nil {
		return err
	}
	before[a.Resource] = a.From
	after := map[string]level.Label{}
	for id, l := range before {
		after[id] = l
	}
	after[a.Resource] = a.To
	copies := make([]reclass.Copy, len(rows))
	for i, r := range rows {
		copies[i] = reclass.Copy{ID: r.ID, Resource: r.Resource, Sources: r.Sources.V, Label: r.label()}
	}
	labels, err := reclass.Follow(copies, before, after)
	if err != nil {
		return err
	}
	var moved []string
	for _, r := range rows {
		to, moves := labels[r.ID]
		if !moves {
			continue
		}
		moved = append(moved, r.ID)
		if err := relabelCopy(ctx, tx, a, r, to, when); err != nil {
			return err
		}
	}
	return noteCopies(ctx, tx, moved)
}

// noteCopies notes that copies changed, and how their units stand with what is in
// them; beyond a bound all are read anew.
func noteCopies(ctx context.Context, tx bun.Tx, ids []string) error {
	if len(ids) > entriesNamed {
		return note(ctx, tx, []fact{{factHolding, ""}, {factStanding, ""}})
	}
	for _, id := range ids {
		if err := note(ctx, tx, []fact{{factHolding, id}}); err != nil {
			return err
		}
		if err := noteStandings(ctx, tx, "id = ?", id); err != nil {
			return err
		}
	}
	return nil
}

// family reads every copy in which the resource is, and those that these were made
// of, with the labels of all their resources.
func family(ctx context.Context, tx bun.Tx, resource string) ([]holdingRow, map[string]level.Label, error) {
	rows, err := list(ctx, tx, func(r holdingRow) holdingRow { return r }, "id", "id IN (SELECT holding FROM sharing_lineage WHERE resource = ?)", resource)
	if err != nil {
		return nil, nil, fmt.Errorf("reading copies of %q: %w", resource, err)
	}
	have := map[string]bool{}
	for _, r := range rows {
		have[r.ID] = true
	}
	for next := rows; len(next) > 0; { // what they were made of, up to the first copies
		var missing []string
		for _, r := range next {
			for _, id := range r.Sources.V {
				if !have[id] {
					have[id] = true
					missing = append(missing, id)
				}
			}
		}
		if next, err = inParts[holdingRow](ctx, tx, missing); err != nil {
			return nil, nil, err
		}
		rows = append(rows, next...)
	}
	var ids []string
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.Resource] {
			seen[r.Resource] = true
			ids = append(ids, r.Resource)
		}
	}
	resources, err := inParts[resourceRow](ctx, tx, ids)
	if err != nil {
		return nil, nil, err
	}
	labels := map[string]level.Label{}
	for _, r := range resources {
		labels[r.ID] = r.label()
	}
	return rows, labels, nil
}

// inParts reads rows by id, some at a time: engines bound a statement's values.
func inParts[R any](ctx context.Context, tx bun.Tx, ids []string) (out []R, err error) {
	for len(ids) > 0 {
		part := ids[:min(len(ids), 500)]
		ids = ids[len(part):]
		rows, err := list(ctx, tx, func(r R) R { return r }, "id", "id IN (?)", bun.List(part))
		if err != nil {
			return nil, fmt.Errorf("reading by id: %w", err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

// relabelCopy gives one copy its label, and its keeper the notice. One that must be
// removed has a task of destruction under the notice's number: whichever asks, one
// statement of the system answers.
func relabelCopy(ctx context.Context, tx bun.Tx, a reclass.Act, r holdingRow, to level.Label, when bun.NullTime) error {
	if _, err := tx.NewUpdate().Model(&holdingRow{ID: r.ID, labelRow: toLabelRow(to)}).
		Column("label_level", "label_s", "label_a", "label_tags").WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("relabelling copy %q: %w", r.ID, err)
	}
	if !utc(r.Ended).IsZero() {
		return nil
	}
	carried, err := carries(ctx, tx, r.System, to)
	if err != nil {
		return err
	}
	n := reclassNoticeRow{
		ID: a.ID + "/" + r.ID, Act: a.ID, Holding: r.ID, System: r.System, Agency: r.Agency, Kind: reclass.Relabel,
		Labels: nested[[2]level.Label]{[2]level.Label{r.label(), to}}, Due: at(a.Due),
	}
	if carried {
		err = mayStay(ctx, tx, r.ID) // an act before this one may have wanted it removed
	} else {
		n.Kind = reclass.Remove
		err = insert(ctx, tx, &taskRow{
			ID: n.ID, Holding: r.ID, Due: n.Due, Why: string(sharing.WhyRelabel), Note: a.Ground, By: a.ID, At: when,
		}, reclass.ErrExists, reclass.ErrNotFound, "task", n.ID)
	}
	if err != nil {
		return err
	}
	return insert(ctx, tx, &n, reclass.ErrExists, reclass.ErrNotFound, "notice", r.ID)
}
