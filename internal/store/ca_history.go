package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
)

var (
	_ history.Trails = (*CA)(nil)
	_ history.Ends   = (*CA)(nil)
)

// recordRow is a certificate without its bytes, with its origin.
type recordRow struct {
	certificateRow
	Issued     bool             `bun:"issued"`
	Way        sql.NullString   `bun:"way"`
	Ref        sql.NullString   `bun:"ref"`
	Previous   sql.NullString   `bun:"previous"`
	Names      nested[[]string] `bun:"names"`
	Superseded bool             `bun:"superseded"`
}

func (r recordRow) record() history.Record {
	c := r.certificate()
	c.Origin = ca.Origin{Way: ca.Way(r.Way.String), Ref: r.Ref.String, Previous: r.Previous.String, Names: r.Names.V}
	return history.Record{Certificate: c, Issued: r.Issued}
}

const (
	recordColumns = `c.issuer, c.serial, c.kind, c.pair, c.agency, c.system, c.person, c.request, c.subject, c.tbs_sm3, c.state, c.reason,
		c.not_before, c.not_after, c.revoked_at, c.created_at, c.der IS NOT NULL AS issued, l.way, l.ref, l.previous, COALESCE(l.names, '[]') AS names`
	recordTables = ` FROM ca_certificate AS c LEFT JOIN ca_lineage AS l ON l.issuer = c.issuer AND l.serial = c.serial`
)

// keyset is the part of a condition that goes on after a cursor, by a column of
// time and the name of a certificate. The first comparison is for the index, which
// row values are not on every engine.
func keyset(column, beyond string, after history.Cursor) (string, []any) {
	if after == (history.Cursor{}) {
		return "", nil
	}
	t := at(after.At)
	return fmt.Sprintf(" AND c.%[1]s %[2]s= ? AND (c.%[1]s %[2]s ? OR c.issuer %[2]s ? OR (c.issuer = ? AND c.serial %[2]s ?))", column, beyond),
		[]any{t, t, after.Issuer, after.Issuer, after.Serial}
}

// Trail implements history.Trails.
func (c *CA) Trail(ctx context.Context, q history.Query) ([]history.Record, error) {
	column, of := "system", q.System
	if q.System == "" {
		column, of = "agency", q.Agency
	}
	more, args := keyset("created_at", "<", q.After)
	args = append(append([]any{of}, args...), q.Limit)
	var rows []recordRow
	err := c.s.r.NewRaw("SELECT "+recordColumns+recordTables+" WHERE c."+column+" = ?"+more+
		" ORDER BY c.created_at DESC, c.issuer DESC, c.serial DESC LIMIT ?", args...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading certificates of %q: %w", of, err)
	}
	out := make([]history.Record, len(rows))
	for i, r := range rows {
		out[i] = r.record()
	}
	return out, c.followers(ctx, out)
}

// followers adds the certificates that were signed as successors.
func (c *CA) followers(ctx context.Context, records []history.Record) error {
	if len(records) == 0 {
		return nil
	}
	names := make([]string, len(records))
	for i, r := range records {
		names[i] = r.Name()
	}
	var rows []struct {
		Previous string `bun:"previous"`
		Issuer   string `bun:"issuer"`
		Serial   string `bun:"serial"`
	}
	err := c.s.r.NewRaw(`SELECT l.previous, l.issuer, l.serial FROM ca_lineage AS l JOIN ca_certificate AS c ON c.issuer = l.issuer AND c.serial = l.serial
		WHERE l.previous IN (?) AND l.previous <> '' AND c.der IS NOT NULL ORDER BY l.created_at, l.serial`, bun.List(names)).Scan(ctx, &rows)
	if err != nil {
		return fmt.Errorf("reading successors: %w", err)
	}
	for _, r := range rows {
		i := slices.Index(names, r.Previous)
		records[i].Followed = append(records[i].Followed, r.Issuer+":"+r.Serial)
	}
	return nil
}

// Half implements history.Trails.
func (c *CA) Half(ctx context.Context, of ca.Certificate) (history.Record, error) {
	var r recordRow
	err := c.s.r.NewRaw("SELECT "+recordColumns+recordTables+" WHERE c.system = ? AND c.pair = ? AND c.pair <> '' AND c.serial <> ? LIMIT 1",
		of.System, of.Pair, of.Serial).Scan(ctx, &r)
	if errors.Is(err, sql.ErrNoRows) {
		return history.Record{}, nil
	}
	return r.record(), err
}

// Escrowed implements history.Trails.
func (c *CA) Escrowed(ctx context.Context, pair string) (time.Time, error) {
	r, err := one[escrowRow](ctx, c.s.r, "pair = ?", pair)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return utc(r.CreatedAt), err
}

// later says of a certificate m that it stands in for c: it is good and ends later.
const later = ` AND m.der IS NOT NULL AND m.state = 'good' AND m.not_before <= ? AND m.not_after > c.not_after)`

const superseded = `(EXISTS (SELECT 1 FROM ca_lineage AS n JOIN ca_certificate AS m ON m.issuer = n.issuer AND m.serial = n.serial
	WHERE n.line = l.line AND n.line <> '' AND n.created_at > l.created_at` + later + `
	OR EXISTS (SELECT 1 FROM ca_lineage AS n JOIN ca_certificate AS m ON m.issuer = n.issuer AND m.serial = n.serial
	WHERE n.previous = c.issuer || ':' || c.serial AND n.previous <> ''` + later + `)`

// Ending implements history.Ends.
func (c *CA) Ending(ctx context.Context, q history.Soon) ([]history.Ending, error) {
	where, args := " WHERE c.der IS NOT NULL AND c.state = 'good' AND c.not_after >= ? AND c.not_after <= ?", []any{at(q.Now), at(q.Now), at(q.Now), at(q.Until)}
	add := func(condition string, values ...any) {
		where, args = where+condition, append(args, values...)
	}
	if q.System != "" {
		add(" AND c.system = ?", q.System)
	}
	if q.Agency != "" {
		add(" AND c.agency = ?", q.Agency)
	}
	if !q.Tests {
		add(" AND c.kind NOT IN (?)", bun.List(history.Tests()))
	}
	more, values := keyset("not_after", ">", q.After)
	add(more, values...)
	if !q.Superseded {
		add(" AND NOT "+superseded, at(q.Now), at(q.Now))
	}
	args = append(args, q.Limit)
	var rows []recordRow
	err := c.s.r.NewRaw("SELECT "+recordColumns+", "+superseded+" AS superseded"+recordTables+where+
		" ORDER BY c.not_after, c.issuer, c.serial LIMIT ?", args...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading what ends: %w", err)
	}
	out := make([]history.Ending, len(rows))
	for i, r := range rows {
		out[i] = history.Ending{Record: r.record(), Superseded: r.Superseded}
	}
	return out, nil
}
