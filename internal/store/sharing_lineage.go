package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// originRow is one resource in a copy: its own and, made once when it is
// registered, those of its sources.
type originRow struct {
	bun.BaseModel `bun:"table:sharing_lineage"`

	Holding   string `bun:"holding,pk"`
	Resource  string `bun:"resource,pk"`
	Agreement string `bun:"agreement,pk"`
	Agency    string `bun:"agency"`
}

type madeRow struct {
	bun.BaseModel `bun:"table:sharing_made"`

	Source  string `bun:"source,pk"`
	Holding string `bun:"holding,pk"`
}

// originsOf reads what is in copies, their own origin among it.
func originsOf(ctx context.Context, db bun.IDB, holdings ...string) (map[string][]sharing.Origin, error) {
	rows, err := list(ctx, db, func(r originRow) originRow { return r }, "holding, resource, agreement", "holding IN (?)", bun.List(holdings))
	if err != nil {
		return nil, fmt.Errorf("reading the lineage: %w", err)
	}
	out := map[string][]sharing.Origin{}
	for _, r := range rows {
		out[r.Holding] = append(out[r.Holding], sharing.Origin{Resource: r.Resource, Agreement: r.Agreement})
	}
	return out, nil
}

// made is where a copy comes from: the floor of its label, and every resource in
// it. Each source is on record before what is made of it, so that nothing is made
// of itself: a copy that names itself, or one that is still to come, is refused.
func made(ctx context.Context, tx bun.Tx, h sharing.Holding) (level.Label, []sharing.Origin, error) {
	fail := func(err error) (level.Label, []sharing.Origin, error) { return level.Label{}, nil, err }
	if slices.Contains(h.Sources, h.ID) {
		return fail(fmt.Errorf("%w: %q", sharing.ErrLineage, h.ID))
	}
	origins := []sharing.Origin{{Resource: h.Resource, Agreement: h.Agreement}}
	var labels []level.Label
	for _, id := range h.Sources {
		source, err := one[holdingRow](ctx, tx, "id = ?", id)
		if err != nil {
			return fail(found(err, sharing.ErrNotFound, "source holding", id))
		}
		labels = append(labels, source.label())
	}
	if len(h.Sources) > 0 {
		of, err := originsOf(ctx, tx, h.Sources...)
		if err != nil {
			return fail(err)
		}
		for _, id := range h.Sources {
			for _, o := range of[id] {
				if !slices.Contains(origins, o) {
					origins = append(origins, o)
				}
			}
		}
	}
	for _, o := range origins {
		r, err := one[resourceRow](ctx, tx, "id = ?", o.Resource)
		if err != nil {
			return fail(found(err, sharing.ErrNotFound, "resource", o.Resource))
		}
		labels = append(labels, r.label())
	}
	return level.Join(labels...), origins, nil
}

// trace writes the lineage of a new copy.
func trace(ctx context.Context, tx bun.Tx, h sharing.Holding, origins []sharing.Origin) error {
	rows := make([]originRow, len(origins))
	for i, o := range origins {
		rows[i] = originRow{Holding: h.ID, Resource: o.Resource, Agreement: o.Agreement, Agency: string(h.Agency)}
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("writing the lineage of %q: %w", h.ID, err)
	}
	if len(h.Sources) == 0 {
		return nil
	}
	sources := slices.Compact(slices.Sorted(slices.Values(h.Sources)))
	edges := make([]madeRow, len(sources))
	for i, id := range sources {
		edges[i] = madeRow{Source: id, Holding: h.ID}
	}
	if _, err := tx.NewInsert().Model(&edges).Exec(ctx); err != nil {
		return fmt.Errorf("writing the sources of %q: %w", h.ID, err)
	}
	return nil
}
