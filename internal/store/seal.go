package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Seals is the register of seals: their life, their uses, and what was reported
// about their keys.
type Seals struct{ acts }

var (
	_ signer.Register = (*Seals)(nil)
	_ life.Register   = (*Seals)(nil)
	_ life.Lists      = (*Seals)(nil)
)

type sealRow struct {
	bun.BaseModel `bun:"table:seal"`

	ID         string       `bun:"id,pk"`
	Unit       string       `bun:"unit"`
	Name       string       `bun:"name"`
	DER        []byte       `bun:"der"`
	CertDER    []byte       `bun:"cert_der"`
	KeyID      string       `bun:"key_id"`
	State      string       `bun:"state"`
	ValidFrom  bun.NullTime `bun:"valid_from"`
	ValidUntil bun.NullTime `bun:"valid_until"`
	Drawn      bool         `bun:"drawn"`
	CreatedAt  bun.NullTime `bun:"created_at"`

	Life *lifeRow `bun:"rel:has-one,join:id=seal"`
}

// lifeRow is the rest of a seal, in a table of its own because a migration that
// adds columns could not be repeated on both engines. Its row is the lock of the
// seal: whoever changes the seal or counts a use of it updates it first.
type lifeRow struct {
	bun.BaseModel `bun:"table:seal_life"`

	Seal     string              `bun:"seal,pk"`
	Revision int64               `bun:"revision"`
	Awaits   bool                `bun:"awaits"`
	Body     nested[signer.Life] `bun:"body"`
}

type sealStepRow struct {
	bun.BaseModel `bun:"table:seal_step"`

	Seal     string       `bun:"seal,pk"`
	Revision int64        `bun:"revision,pk"`
	Act      string       `bun:"act"`
	From     string       `bun:"from_state"`
	To       string       `bun:"to_state"`
	Actor    string       `bun:"actor"`
	Reason   string       `bun:"reason"`
	Ref      string       `bun:"ref"`
	At       bun.NullTime `bun:"done_at"`
	Event    string       `bun:"event"`
}

func (r sealStepRow) step() life.Step {
	return life.Step{
		Seal: r.Seal, Revision: r.Revision, Act: life.Act(r.Act), From: signer.SealState(r.From), To: signer.SealState(r.To),
		Actor: r.Actor, Reason: r.Reason, Ref: r.Ref, At: utc(r.At), Event: r.Event,
	}
}

func toSealRow(e signer.Seal) *sealRow {
	return &sealRow{
		ID: e.ID, Unit: e.Unit, Name: e.Name, DER: e.DER, CertDER: e.CertDER, KeyID: e.KeyID, State: string(e.State),
		ValidFrom: at(e.ValidFrom), ValidUntil: at(e.ValidUntil), Drawn: e.Drawn, CreatedAt: at(e.CreatedAt),
	}
}

func toLifeRow(e signer.Seal) *lifeRow {
	return &lifeRow{Seal: e.ID, Revision: e.Revision, Awaits: e.Awaits(), Body: nested[signer.Life]{e.Life}}
}

func (r sealRow) seal() signer.Seal {
	e := signer.Seal{
		ID: r.ID, Unit: r.Unit, Name: r.Name, DER: r.DER, CertDER: r.CertDER, KeyID: r.KeyID, State: signer.SealState(r.State),
		ValidFrom: utc(r.ValidFrom), ValidUntil: utc(r.ValidUntil), Drawn: r.Drawn, CreatedAt: utc(r.CreatedAt),
	}
	if r.Life != nil {
		e.Life, e.Revision = r.Life.Body.V, r.Life.Revision
	}
	return e
}

// AddSeal implements life.Register. A number is given once, whatever became of
// its first seal.
func (s *Seals) AddSeal(ctx context.Context, e signer.Seal, step life.Step, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := oneStep(e, step, ev.ID); err != nil {
			return err
		}
		if err := insert(ctx, tx, toSealRow(e), signer.ErrExists, signer.ErrNotFound, "seal", e.ID); err != nil {
			return err
		}
		if err := insert(ctx, tx, toLifeRow(e), signer.ErrExists, signer.ErrNotFound, "seal", e.ID); err != nil {
			return err
		}
		return addStep(ctx, tx, step)
	})
}

// MoveSeal implements life.Register. What a seal is (owner, name, how its picture
// came about) never changes.
func (s *Seals) MoveSeal(ctx context.Context, e signer.Seal, step life.Step, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error { return moveSeal(ctx, tx, e, step, ev.ID) })
}

// oneStep refuses a step that is not one of the table of life, or not the one that
// leads to this seal.
func oneStep(e signer.Seal, step life.Step, event string) error {
	if !life.Moves(step) || (step.From == "") != (e.Revision == 1) {
		return &signer.StateError{Seal: e.ID, From: step.From, To: step.To}
	}
	if step.Seal != e.ID || step.To != e.State || step.Revision != e.Revision || step.Event != event || event == "" {
		return fmt.Errorf("%w: step of seal %q", signer.ErrInvalid, e.ID)
	}
	return nil
}

func moveSeal(ctx context.Context, tx bun.Tx, e signer.Seal, step life.Step, event string) error {
	if err := oneStep(e, step, event); err != nil {
		return err
	}
	row, kept := toSealRow(e), toLifeRow(e)
	n, err := changed(ctx, tx, "UPDATE seal_life SET revision = ?, awaits = ?, body = ? WHERE seal = ? AND revision = ?",
		kept.Revision, kept.Awaits, kept.Body, e.ID, e.Revision-1)
	if err != nil {
		return fmt.Errorf("writing seal %q: %w", e.ID, err)
	}
	if n == 1 {
		n, err = changed(ctx, tx, "UPDATE seal SET state = ?, der = ?, cert_der = ?, key_id = ?, valid_from = ?, valid_until = ? WHERE id = ? AND state = ?",
			row.State, row.DER, row.CertDER, row.KeyID, row.ValidFrom, row.ValidUntil, e.ID, string(step.From))
		if err != nil {
			return fmt.Errorf("writing seal %q: %w", e.ID, err)
		}
	}
	if n != 1 {
		if _, err := one[lifeRow](ctx, tx, "seal = ?", e.ID); err != nil {
			return found(err, signer.ErrNotFound, "seal", e.ID)
		}
		return fmt.Errorf("%w: %q", life.ErrConflict, e.ID)
	}
	return addStep(ctx, tx, step)
}

func addStep(ctx context.Context, tx bun.Tx, p life.Step) error {
	return insert(ctx, tx, &sealStepRow{
		Seal: p.Seal, Revision: p.Revision, Act: string(p.Act), From: string(p.From), To: string(p.To), Actor: p.Actor, Reason: p.Reason,
		Ref: p.Ref, At: at(p.At), Event: p.Event,
	}, life.ErrConflict, signer.ErrNotFound, "step of seal", p.Seal)
}

// sealsWhere reads seals with their life in one statement: a seal is never seen
// half changed.
func sealsWhere(ctx context.Context, db bun.IDB, more func(*bun.SelectQuery) *bun.SelectQuery) ([]signer.Seal, error) {
	var rows []sealRow
	if err := more(db.NewSelect().Model(&rows).Relation("Life")).OrderExpr("seal_row.id").Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]signer.Seal, len(rows))
	for i, r := range rows {
		out[i] = r.seal()
	}
	return out, nil
}

func sealOf(ctx context.Context, db bun.IDB, id string) (signer.Seal, error) {
	all, err := sealsWhere(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("seal_row.id = ?", id) })
	if err != nil {
		return signer.Seal{}, fmt.Errorf("reading seal %q: %w", id, err)
	}
	if len(all) == 0 {
		return signer.Seal{}, fmt.Errorf("%w: seal %q", signer.ErrNotFound, id)
	}
	return all[0], nil
}

// Seal implements signer.Register and life.Register.
func (s *Seals) Seal(ctx context.Context, id string) (signer.Seal, error) {
	return sealOf(ctx, s.s.r, id)
}

// Seals implements life.Lists.
func (s *Seals) Seals(ctx context.Context, q life.Query) ([]signer.Seal, error) {
	return sealsWhere(ctx, s.s.r, func(sel *bun.SelectQuery) *bun.SelectQuery {
		if q.Unit != "" {
			sel = sel.Where("seal_row.unit = ?", q.Unit)
		}
		if q.KeyID != "" {
			sel = sel.Where("seal_row.key_id = ?", q.KeyID)
		}
		if len(q.States) > 0 {
			sel = sel.Where("seal_row.state IN (?)", bun.List(q.States))
		}
		if q.Awaits {
			sel = sel.Where("life.awaits")
		}
		if !q.EndedBy.IsZero() {
			sel = sel.Where("seal_row.valid_until < ?", at(q.EndedBy).Time)
		}
		return sel
	})
}

// Steps implements life.Lists.
func (s *Seals) Steps(ctx context.Context, seal string) ([]life.Step, error) {
	return list(ctx, s.s.r, sealStepRow.step, "revision", "seal = ?", seal)
}
