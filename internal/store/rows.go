package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// nested keeps a slice or a struct as JSON in a TEXT column; no query looks
// inside.
type nested[T any] struct{ V T }

// Value implements driver.Valuer.
func (n nested[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(n.V)
	return string(b), err
}

// Scan implements sql.Scanner.
func (n *nested[T]) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), &n.V)
	case []byte:
		return json.Unmarshal(v, &n.V)
	}
	return fmt.Errorf("a JSON column holds %T", src)
}

// at is a time as both engines keep it: UTC, whole microseconds, zero as NULL.
func at(t time.Time) bun.NullTime {
	return bun.NullTime{Time: t.UTC().Truncate(time.Microsecond)}
}

// utc is the time of a column; drivers differ in the zone that they answer in.
func utc(t bun.NullTime) time.Time { return t.Time.UTC() }

// optional keeps an absent reference as NULL, so that keys are not checked on it.
func optional(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// labelRow is a label in four columns, so that guards can compare in SQL.
type labelRow struct {
	Level int64               `bun:"label_level"`
	S     int64               `bun:"label_s"`
	A     int64               `bun:"label_a"`
	Tags  nested[[]level.Tag] `bun:"label_tags"`
}

func toLabelRow(l level.Label) labelRow {
	return labelRow{int64(l.Level), int64(l.RequiredS), int64(l.RequiredA), nested[[]level.Tag]{l.Tags}}
}

func (r labelRow) label() level.Label {
	return level.Label{Level: level.Level(r.Level), RequiredS: uint8(r.S), RequiredA: uint8(r.A), Tags: r.Tags.V}
}

// one reads a row by a condition.
func one[R any](ctx context.Context, db bun.IDB, where string, args ...any) (R, error) {
	var row R
	err := db.NewSelect().Model(&row).Where(where, args...).Scan(ctx)
	return row, err
}

// list reads rows in an order and turns each into what its room knows.
func list[R, T any](ctx context.Context, db bun.IDB, to func(R) T, order, where string, args ...any) ([]T, error) {
	var rows []R
	if err := db.NewSelect().Model(&rows).Where(where, args...).OrderExpr(order).Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = to(r)
	}
	return out, nil
}

// insert writes a new row: exists when its key is taken, missing when what it
// refers to is not there. Room sentinels, wrapped with the id.
func insert[R any](ctx context.Context, tx bun.Tx, row *R, exists, missing error, what, id string) error {
	_, err := tx.NewInsert().Model(row).Exec(ctx)
	return refusedInsert(err, exists, missing, what, id)
}

func refusedInsert(err, exists, missing error, what, id string) error {
	switch {
	case err == nil:
		return nil
	case isDuplicate(err):
		return fmt.Errorf("%w: %s %q", exists, what, id)
	case isForeignKey(err):
		return fmt.Errorf("%w: what %s %q refers to", missing, what, id)
	}
	return fmt.Errorf("writing %s %q: %w", what, id, err)
}

// format writes values into a statement, as the dialect quotes them.
func (s *Store) format(query string, args ...any) string {
	return s.w.NewRaw(query, args...).String()
}
