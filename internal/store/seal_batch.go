package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
)

var _ signer.Batches = (*Seals)(nil)

// useCitationRow is one resource that the document of a use quotes. Resource and
// consent stand beside the body for those who look for one.
type useCitationRow struct {
	bun.BaseModel `bun:"table:seal_use_citation"`

	Use      string                `bun:"use_id,pk"`
	N        int64                 `bun:"n,pk"`
	Resource string                `bun:"resource"`
	Consent  string                `bun:"consent"`
	Body     nested[cite.Citation] `bun:"body"`
}

func (r useCitationRow) citation() cite.Citation { return r.Body.V }

func addCitations(ctx context.Context, tx bun.Tx, u signer.Use) error {
	for i, c := range u.Citations {
		row := useCitationRow{Use: u.ID, N: int64(i), Resource: c.Resource, Consent: c.Consent, Body: nested[cite.Citation]{c}}
		if err := insert(ctx, tx, &row, signer.ErrExists, signer.ErrNotFound, "citation of use", u.ID); err != nil {
			return err
		}
	}
	return nil
}

// useItemRow makes a use an item of a batch.
type useItemRow struct {
	bun.BaseModel `bun:"table:seal_use_item"`

	Use   string `bun:"use_id,pk"`
	Batch string `bun:"batch"`
	N     int64  `bun:"n"`
	Size  int64  `bun:"size"`
}

// whole adds to a use its citations.
func (s *Seals) whole(ctx context.Context, u signer.Use) (signer.Use, error) {
	cites, err := list(ctx, s.s.r, useCitationRow.citation, "n", "use_id = ?", u.ID)
	if err != nil {
		return signer.Use{}, fmt.Errorf("reading the citations of use %q: %w", u.ID, err)
	}
	if len(cites) > 0 {
		u.Citations = cites
	}
	return u, nil
}

// AddBatch implements signer.Batches: the batch starts as requested, its items as
// listed, else it is refused with ErrNotApproved.
func (s *Seals) AddBatch(ctx context.Context, batch signer.Use, items []signer.Item, ev ledger.Event) (ledger.Receipt, error) {
	if batch.State != signer.UseRequested || len(items) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: batch %q of %d starts as %q", signer.ErrNotApproved, batch.ID, len(items), batch.State)
	}
	uses, asks, rows := make([]useRow, len(items)), make([]useAskRow, len(items)), make([]useItemRow, len(items))
	for i, it := range items {
		if it.State != signer.UseListed || it.Batch != batch.ID || it.Seal != batch.Seal || it.Place != nil {
			return ledger.Receipt{}, fmt.Errorf("%w: item %q of batch %q starts as %q", signer.ErrNotApproved, it.ID, batch.ID, it.State)
		}
		uses[i], asks[i] = toUseRows(it.Use)
		rows[i] = useItemRow{Use: it.ID, Batch: batch.ID, N: int64(i), Size: it.Size}
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if err := addUse(ctx, tx, batch); err != nil {
			return err
		}
		if err := insert(ctx, tx, &uses, signer.ErrExists, signer.ErrNotFound, "items of batch", batch.ID); err != nil {
			return err
		}
		if err := insert(ctx, tx, &asks, signer.ErrExists, signer.ErrNotFound, "items of batch", batch.ID); err != nil {
			return err
		}
		return insert(ctx, tx, &rows, signer.ErrExists, signer.ErrNotFound, "items of batch", batch.ID)
	})
}

// moveListed moves the items of a batch with the answer to it, in the same
// transaction. For a use that is no batch there is nothing to move.
func moveListed(ctx context.Context, tx bun.Tx, u signer.Use) error {
	from := []string{string(signer.UseListed)}
	switch u.State {
	case signer.UseApproved, signer.UseRefused:
	case signer.UseLapsed:
		from = append(from, string(signer.UseApproved))
	default:
		return nil
	}
	if _, err := changed(ctx, tx, `UPDATE seal_use_ask SET approved_at = ? WHERE seal_use IN (SELECT i.use_id FROM seal_use_item i
		JOIN seal_use u ON u.id = i.use_id WHERE i.batch = ? AND u.state IN (?))`, at(u.ApprovedAt), u.ID, bun.List(from)); err != nil {
		return fmt.Errorf("moving the items of use %q: %w", u.ID, err)
	}
	if _, err := changed(ctx, tx, `UPDATE seal_use SET state = ?, approval = ?
		WHERE state IN (?) AND id IN (SELECT use_id FROM seal_use_item WHERE batch = ?)`, string(u.State), u.Approval, bun.List(from), u.ID); err != nil {
		return fmt.Errorf("moving the items of use %q: %w", u.ID, err)
	}
	return nil
}

// Items implements signer.Batches.
func (s *Seals) Items(ctx context.Context, batchID string) ([]signer.Item, error) {
	rows, err := list(ctx, s.s.r, func(r useItemRow) useItemRow { return r }, "n", "batch = ?", batchID)
	if err != nil {
		return nil, fmt.Errorf("reading the items of batch %q: %w", batchID, err)
	}
	uses, err := s.uses(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("use_row.id IN (SELECT use_id FROM seal_use_item WHERE batch = ?)", batchID)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the uses of batch %q: %w", batchID, err)
	}
	byID := make(map[string]signer.Use, len(uses))
	for _, u := range uses {
		byID[u.ID] = u
	}
	out := make([]signer.Item, len(rows))
	for i, r := range rows {
		out[i] = signer.Item{Use: byID[r.Use], Size: r.Size}
	}
	return out, nil
}

// SealedAs returns the use whose sealed document has this SM3.
func (s *Seals) SealedAs(ctx context.Context, sealed string) (signer.Use, error) {
	all, err := s.uses(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("use_row.sealed = ? AND use_row.state = ?", sealed, string(signer.UseSealed))
	})
	if err != nil {
		return signer.Use{}, fmt.Errorf("reading sealed document %q: %w", sealed, err)
	}
	if len(all) == 0 {
		return signer.Use{}, fmt.Errorf("%w: sealed document %q", signer.ErrNotFound, sealed)
	}
	return s.whole(ctx, all[0])
}
