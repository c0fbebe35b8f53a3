package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// literally makes a text a pattern that finds itself only.
var literally = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// FindResources lists what the catalogue has under this id or with this in its
// name, by name; all for an empty text.
func (s *Sharing) FindResources(ctx context.Context, text string, limit int) ([]sharing.Resource, error) {
	var rows []resourceRow
	err := s.s.r.NewSelect().Model(&rows).WhereGroup("", func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("id = ?", text).WhereOr("name LIKE ? ESCAPE ?", "%"+literally.Replace(text)+"%", `\`)
	}).OrderExpr("name, id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding resources: %w", err)
	}
	out := make([]sharing.Resource, len(rows))
	for i, r := range rows {
		out[i] = r.resource()
	}
	return out, nil
}
