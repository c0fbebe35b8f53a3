package store

import (
	"context"
	"fmt"
)

// warmPage is how many entries of the catalogue are read at a time.
const warmPage = 500

// Warm reads the catalogue and its agreements into memory, so that the first
// decisions after a start need not. Decisions are right without it, and while it runs.
func (x *Index) Warm(ctx context.Context) error {
	if _, err := x.m.now(ctx); err != nil {
		return err
	}
	after := ""
	for read := 0; read < maxResources; read += warmPage {
		n, last, err := x.warm(ctx, after)
		if err != nil {
			return fmt.Errorf("reading the catalogue into memory: %w", err)
		}
		if n < warmPage {
			return nil
		}
		after = last
	}
	return nil
}

func (x *Index) warm(ctx context.Context, after string) (n int, last string, err error) {
	at := x.m.reached()
	var rows []resourceRow
	if err := x.m.s.r.NewSelect().Model(&rows).Where("id > ?", after).OrderExpr("id").Limit(warmPage).Scan(ctx); err != nil {
		return 0, "", err
	}
	if len(rows) == 0 {
		return 0, "", nil
	}
	ids, resources := make([]string, len(rows)), make(map[string]any, len(rows))
	for i, r := range rows {
		ids[i], resources[r.ID] = r.ID, r.resource()
	}
	about, err := x.sharing.about(ctx, ids...)
	if err != nil {
		return 0, "", err
	}
	agreements := make(map[string]any, len(rows))
	for _, id := range ids {
		agreements[id] = about[id]
	}
	x.m.put(factResource, at, resources, nil)
	x.m.put(factTerms, at, agreements, nil)
	return len(rows), ids[len(ids)-1], nil
}
