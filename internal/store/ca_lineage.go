package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/ca"
)

// lineageRow is ca.Origin with the line that a certificate stands in. Times of
// creation are those of the certificate: the newest of a line is found in its
// index.
type lineageRow struct {
	ca.Certificate
	line  string
	names nested[[]string]
}

func lineageRows(certs []ca.Certificate) []lineageRow {
	out := make([]lineageRow, len(certs))
	for i, c := range certs {
		out[i] = lineageRow{Certificate: c, line: c.Line(), names: nested[[]string]{append([]string{}, c.Origin.Names...)}}
	}
	return out
}

// tracing records where certificates come from, in the transaction that reserves
// them. The predecessor that an origin does not name is looked for here, so that
// an issue costs no question of its own.
func (s *Store) tracing(rows []lineageRow) statement {
	const newest = `COALESCE((SELECT p.issuer || ':' || p.serial FROM ca_lineage AS p JOIN ca_certificate AS c ON c.issuer = p.issuer AND c.serial = p.serial
		WHERE p.line = ? AND c.der IS NOT NULL ORDER BY p.created_at DESC, p.serial DESC LIMIT 1), '')`
	const inherited = `COALESCE((SELECT p.line FROM ca_lineage AS p WHERE p.issuer = ? AND p.serial = ? AND p.line <> ''), ?)`
	values, args := make([]string, len(rows)), []any{}
	for i, r := range rows {
		args = append(args, r.Issuer, r.Serial)
		o, line, previous := r.Origin, "?", newest
		if o.Previous == "" {
			args = append(args, r.line)
		} else {
			issuer, serial, _ := strings.Cut(o.Previous, ":")
			line, previous = inherited, "?"
			args = append(args, issuer, serial, r.line)
		}
		values[i] = "(?, ?, " + line + ", ?, ?, " + previous + ", ?, ?)"
		args = append(args, string(o.Way), o.Ref)
		if o.Previous == "" {
			args = append(args, r.line)
		} else {
			args = append(args, o.Previous)
		}
		args = append(args, r.names, at(r.CreatedAt))
	}
	return statement{
		sql: s.format("INSERT INTO ca_lineage (issuer, serial, line, way, ref, previous, names, created_at) VALUES "+strings.Join(values, ", "), args...),
		refused: func(_ context.Context, _ bun.Tx, err error) error {
			return fmt.Errorf("recording where certificate %q comes from: %w", rows[0].Serial, err)
		},
	}
}
