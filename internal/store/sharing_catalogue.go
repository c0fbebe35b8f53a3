package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

var _ sharing.EntryStore = (*Sharing)(nil)

// catalogueRow is the metadata beside a resource.
type catalogueRow struct {
	bun.BaseModel `bun:"table:catalogue_entry"`

	Resource string                   `bun:"resource,pk"`
	Code     string                   `bun:"code"`
	Provider string                   `bun:"provider"`
	Revision int64                    `bun:"revision"`
	Body     nested[sharing.Metadata] `bun:"body"`
}

type catalogueChangeRow struct {
	bun.BaseModel `bun:"table:catalogue_change"`

	Resource string                `bun:"resource,pk"`
	Revision int64                 `bun:"revision,pk"`
	Event    string                `bun:"event"`
	By       string                `bun:"changed_by"`
	Unit     string                `bun:"unit"`
	Why      string                `bun:"why"`
	At       bun.NullTime          `bun:"changed_at"`
	Body     nested[sharing.Entry] `bun:"body"`
}

func (r catalogueChangeRow) change() sharing.Change {
	return sharing.Change{Revision: int(r.Revision), Event: r.Event, By: r.By, Unit: identity.USCC(r.Unit), Why: r.Why, At: utc(r.At), Entry: r.Body.V}
}

// servingRow is the system that carries a resource for its provider.
type servingRow struct {
	bun.BaseModel `bun:"table:catalogue_system"`

	Resource string `bun:"resource,pk"`
	System   string `bun:"system"`
}

type withheldRow struct {
	bun.BaseModel `bun:"table:catalogue_withheld"`

	ID        string       `bun:"id,pk"`
	Provider  string       `bun:"provider"`
	Name      string       `bun:"name"`
	Reason    string       `bun:"reason"`
	Statement string       `bun:"statement"`
	By        string       `bun:"stated_by"`
	At        bun.NullTime `bun:"stated_at"`
}

func (r withheldRow) withheld() sharing.Withheld {
	return sharing.Withheld{ID: r.ID, Provider: identity.USCC(r.Provider), Name: r.Name, Reason: r.Reason, Statement: r.Statement, By: r.By, At: utc(r.At)}
}

const (
	entryRows    = 200 // of one statement
	entriesNamed = 256 // changes of facts that are named one by one; beyond, all are read anew
)

// PutEntries implements sharing.EntryStore.
func (s *Sharing) PutEntries(ctx context.Context, entries []sharing.Entry, c sharing.Change, ev ledger.Event) (ledger.Receipt, error) {
	touched := []fact{{factResource, ""}}
	if len(entries) <= entriesNamed {
		touched = nil
		for _, e := range entries {
			touched = append(touched, fact{factResource, e.ID})
		}
	}
	return s.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		for part := range slices.Chunk(entries, entryRows) {
			if err := putEntries(ctx, tx, part, c); err != nil {
				return err
			}
		}
		return nil
	}, touched...)
}

func putEntries(ctx context.Context, tx bun.Tx, entries []sharing.Entry, c sharing.Change) error {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	var were []resourceRow
	if err := tx.NewSelect().Model(&were).Where("id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return fmt.Errorf("reading resources: %w", err)
	}
	var described []catalogueRow
	if err := tx.NewSelect().Model(&described).Where("resource IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return fmt.Errorf("reading entries: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM catalogue_system WHERE resource IN (?)", bun.List(ids)); err != nil {
		return fmt.Errorf("changing what systems carry: %w", err)
	}
	resources, metadata, changes := make([]resourceRow, 0, len(entries)), make([]catalogueRow, 0, len(entries)), make([]catalogueChangeRow, 0, len(entries))
	var serving []servingRow
	for _, e := range entries {
		row, next := toResourceRow(e.Resource), int64(1)
		if e.System != "" {
			serving = append(serving, servingRow{Resource: e.ID, System: e.System})
		}
		if i := slices.IndexFunc(were, func(w resourceRow) bool { return w.ID == e.ID }); i < 0 {
			resources = append(resources, row)
		} else {
			if err := e.Against(were[i].resource()); err != nil {
				return fmt.Errorf("resource %q: %w", e.ID, err)
			}
			if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
				return fmt.Errorf("changing resource %q: %w", e.ID, err)
			}
		}
		about := catalogueRow{Resource: e.ID, Code: e.Code, Provider: string(e.Provider), Revision: next, Body: nested[sharing.Metadata]{e.Metadata}}
		if i := slices.IndexFunc(described, func(d catalogueRow) bool { return d.Resource == e.ID }); i < 0 {
			metadata = append(metadata, about)
		} else {
			next = described[i].Revision + 1
			about.Revision = next
			if _, err := tx.NewUpdate().Model(&about).WherePK().Exec(ctx); err != nil {
				return fmt.Errorf("changing entry %q: %w", e.ID, err)
			}
		}
		changes = append(changes, catalogueChangeRow{
			Resource: e.ID, Revision: next, Event: c.Event, By: c.By, Unit: string(c.Unit), Why: c.Why, At: at(c.At), Body: nested[sharing.Entry]{e},
		})
	}
	for _, rows := range []func() error{
		func() error { return insertRows(ctx, tx, resources) }, func() error { return insertRows(ctx, tx, metadata) }, func() error { return insertRows(ctx, tx, changes) },
		func() error { return insertRows(ctx, tx, serving) },
	} {
		if err := rows(); err != nil {
			return err
		}
	}
	return nil
}

func insertRows[R any](ctx context.Context, tx bun.Tx, rows []R) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	return refusedInsert(err, sharing.ErrExists, sharing.ErrNotFound, "an entry or its", "code")
}

// EntriesByID implements sharing.EntryStore.
func (s *Sharing) EntriesByID(ctx context.Context, ids []string) (map[string]sharing.Entry, error) {
	out := make(map[string]sharing.Entry, len(ids))
	for part := range slices.Chunk(ids, entryRows) {
		rows, err := list(ctx, s.s.r, resourceRow.resource, "id", "id IN (?)", bun.List(part))
		if err != nil {
			return nil, fmt.Errorf("reading resources: %w", err)
		}
		described, err := s.described(ctx, rows)
		if err != nil {
			return nil, err
		}
		for _, e := range described {
			out[e.ID] = e
		}
	}
	return out, nil
}

// described adds the metadata of resources.
func (s *Sharing) described(ctx context.Context, resources []sharing.Resource) ([]sharing.Entry, error) {
	if len(resources) == 0 {
		return nil, nil
	}
	out, ids := make([]sharing.Entry, len(resources)), make([]string, len(resources))
	for i, r := range resources {
		out[i].Resource, ids[i] = r, r.ID
	}
	about, err := list(ctx, s.s.r, func(r catalogueRow) catalogueRow { return r }, "resource", "resource IN (?)", bun.List(ids))
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	for _, d := range about {
		out[slices.Index(ids, d.Resource)].Metadata = d.Body.V
	}
	return out, nil
}

// FindEntries implements sharing.EntryStore.
func (s *Sharing) FindEntries(ctx context.Context, q sharing.EntryQuery) ([]sharing.Entry, error) {
	var rows []resourceRow
	find := s.s.r.NewSelect().Model(&rows).Where("id > ?", q.After).OrderExpr("id").Limit(int64(q.Limit))
	if q.Provider != "" {
		find = find.Where("provider = ?", string(q.Provider))
	}
	if q.Text != "" {
		like := "%" + literally.Replace(q.Text) + "%"
		find = find.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery {
			return g.Where("name LIKE ? ESCAPE ?", like, `\`).WhereOr("id LIKE ? ESCAPE ?", like, `\`)
		})
	}
	if err := find.Scan(ctx); err != nil {
		return nil, fmt.Errorf("finding entries: %w", err)
	}
	found := make([]sharing.Resource, len(rows))
	for i, r := range rows {
		found[i] = r.resource()
	}
	return s.described(ctx, found)
}

// Changes implements sharing.EntryStore.
func (s *Sharing) Changes(ctx context.Context, id string) ([]sharing.Change, error) {
	return list(ctx, s.s.r, catalogueChangeRow.change, "revision DESC", "resource = ?", id)
}

// AddWithheld implements sharing.EntryStore.
func (s *Sharing) AddWithheld(ctx context.Context, w sharing.Withheld, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &withheldRow{
			ID: w.ID, Provider: string(w.Provider), Name: w.Name, Reason: w.Reason, Statement: w.Statement, By: w.By, At: at(w.At),
		}, sharing.ErrExists, sharing.ErrNotFound, "statement", w.ID)
	})
}

// WithheldBy implements sharing.EntryStore.
func (s *Sharing) WithheldBy(ctx context.Context, provider identity.USCC) ([]sharing.Withheld, error) {
	return list(ctx, s.s.r, withheldRow.withheld, "stated_at DESC, id DESC", "? = '' OR provider = ?", string(provider), string(provider))
}
