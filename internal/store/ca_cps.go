package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// CPSVersion is one version of the certification practice statement.
type CPSVersion struct {
	Number int64 // from 1
	SM3    string
	Since  time.Time
}

type cpsRow struct {
	bun.BaseModel `bun:"table:ca_cps"`

	Version int64        `bun:"version,pk"`
	SM3     string       `bun:"sm3"`
	Since   bun.NullTime `bun:"since"`
}

// CPS is the newest version; the zero version before the first.
func (c *CA) CPS(ctx context.Context) (CPSVersion, error) {
	var row cpsRow
	err := c.s.r.NewSelect().Model(&row).OrderExpr("version DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return CPSVersion{}, nil
	}
	if err != nil {
		return CPSVersion{}, fmt.Errorf("reading the practice statement: %w", err)
	}
	return CPSVersion{row.Version, row.SM3, utc(row.Since)}, nil
}

// PublishCPS records the next version; ca.ErrExists when its number is taken, by
// another node.
func (c *CA) PublishCPS(ctx context.Context, v CPSVersion, ev ledger.Event) (ledger.Receipt, error) {
	return c.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &cpsRow{Version: v.Number, SM3: v.SM3, Since: at(v.Since)}, ca.ErrExists, ca.ErrNotFound, "practice statement", v.SM3)
	})
}
