package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// leaversAgain is for how long what a leaver has is looked for again: an act that
// broke off is finished by the next start or the daily round.
const leaversAgain = 30 * 24 * time.Hour

// PersonLeaves records that a person has left and ends, the same day, everything
// that hangs on the person: posts and with them every grant, sessions, the
// certificate, the key in custody, open requests. The first commit bars the
// person from all of it; what follows can be done again.
func (h *House) PersonLeaves(ctx context.Context, actor ledger.Actor, person string) error {
	if _, _, err := h.Identity.Leave(ctx, person, actor); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // the person has left, whoever hangs up
	return errors.Join(h.Signin.EndAll(ctx, person, actor), h.endLeaver(ctx, actor, person))
}

// endLeaver ends what is left of a leaver's; a fault with one thing leaves no
// other undone. Nothing left: nothing is written.
func (h *House) endLeaver(ctx context.Context, actor ledger.Actor, person string) error {
	_, revoked := h.CA.Left(ctx, actor, person)
	_, requests := h.RA.WithdrawAll(ctx, actor, person)
	_, uses := h.Signer.WithdrawAll(ctx, actor, person)
	err := errors.Join(revoked, h.destroyPersonKey(ctx, actor, person), requests, uses, h.Recoveries.WithdrawAll(ctx, actor, person), h.Grants.EndAll(ctx, actor, person))
	if err != nil {
		return fmt.Errorf("app: end what a leaver has: %w", err)
	}
	return nil
}

// destroyPersonKey says so on the ledger first. Once it has, a key that is still
// there by a fault opens for nobody, since no door opens to a leaver.
func (h *House) destroyPersonKey(ctx context.Context, actor ledger.Actor, person string) error {
	id := personKey(person)
	rec, err := h.custody.dir.Record(ctx, id)
	if errors.Is(err, keys.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("key of the person: %w", err)
	}
	if rec.DestroyedAt.IsZero() {
		ev := ledger.Event{
			ID: newID(), Type: "custody.key.destroyed", Class: ledger.ClassAdmin, Time: h.now(), Actor: actor,
			Object: ledger.Object{Kind: "key", ID: id}, Outcome: ledger.Success, Details: map[string]string{"public_sm3": rec.SPKISM3, "reason": "owner left"},
		}
		if _, err := h.Ledger.Append(ctx, ev); err != nil {
			return fmt.Errorf("record the end of a key: %w", err)
		}
	}
	_, err = h.custody.dir.Destroy(ctx, id)
	return err
}

// endLeavers finishes what broke off.
func (h *House) endLeavers(ctx context.Context) error {
	gone, err := h.rooms.Identity.Leavers(ctx, h.cfg.Now().Add(-leaversAgain))
	if err != nil {
		return fmt.Errorf("app: leavers: %w", err)
	}
	var failed []error
	for _, p := range gone {
		failed = append(failed, h.endLeaver(ctx, h.service(), p.ID))
	}
	return errors.Join(failed...)
}

// leaving is what the desk ends.
type leaving struct{ h *House }

func (l leaving) EndPost(ctx context.Context, actor ledger.Actor, person, post string) error {
	_, err := l.h.Identity.EndPost(ctx, person, post, actor)
	return err
}

func (l leaving) Leave(ctx context.Context, actor ledger.Actor, person string) error {
	return l.h.PersonLeaves(ctx, actor, person)
}
