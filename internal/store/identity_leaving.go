package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// EndPost implements identity.Register.
func (i *Identity) EndPost(ctx context.Context, id string, until time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE identity_post SET held_until = ? WHERE id = ? AND held_from <= ? AND (held_until IS NULL OR held_until > ?)",
			at(until), id, at(until), at(until))
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: term %q in force", identity.ErrNotFound, id)
		}
		return err
	}, fact{factPerson, ""})
}

// Leave implements identity.Register. A term that has not begun ends where it
// would have begun: it is never held.
func (i *Identity) Leave(ctx context.Context, person string, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return i.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := present(ctx, tx, person, "UPDATE identity_person SET left_at = ? WHERE id = ? AND left_at IS NULL", at(when), person); err != nil {
			return err
		}
		_, err := changed(ctx, tx, "UPDATE identity_post SET held_until = CASE WHEN held_from > ? THEN held_from ELSE ? END WHERE person = ? AND (held_until IS NULL OR held_until > ?)",
			at(when), at(when), person, at(when))
		return err
	}, fact{factPerson, person})
}

// present changes the row of a person who has not left.
func present(ctx context.Context, tx bun.Tx, person, statement string, args ...any) error {
	n, err := changed(ctx, tx, statement, args...)
	if err != nil || n == 1 {
		return err
	}
	if _, err := one[personRow](ctx, tx, "id = ?", person); err != nil {
		return found(err, identity.ErrNotFound, "person", person)
	}
	return fmt.Errorf("%w: %q", identity.ErrLeft, person)
}

// Leavers returns who has left since a moment.
func (i *Identity) Leavers(ctx context.Context, since time.Time) ([]identity.Person, error) {
	return list(ctx, i.s.r, personRow.person, "left_at, id", "left_at >= ?", at(since))
}
