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
	values, args := make([]string, len(rows)), []any{}
	for i, r := range rows {
		issuer, serial, _ := strings.Cut(r.Origin.Previous, ":")
		values[i] = "(?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS " + s.types.Instant + "))"
		args = append(args, r.Issuer, r.Serial, r.line, string(r.Origin.Way), r.Origin.Ref, r.Origin.Previous, issuer, serial, r.names, at(r.CreatedAt))
	}
	return statement{
		// One subquery for all rows: planned once.
		sql: s.format(`INSERT INTO ca_lineage (issuer, serial, line, way, ref, previous, names, created_at)
			SELECT v.column1, v.column2,
				CASE WHEN v.column6 = '' THEN v.column3 ELSE COALESCE((SELECT p.line FROM ca_lineage AS p
					WHERE p.issuer = v.column7 AND p.serial = v.column8 AND p.line <> ''), v.column3) END,
				v.column4, v.column5,
				CASE WHEN v.column6 <> '' THEN v.column6 ELSE COALESCE((SELECT p.issuer || ':' || p.serial FROM ca_lineage AS p
					JOIN ca_certificate AS c ON c.issuer = p.issuer AND c.serial = p.serial
					WHERE p.line = v.column3 AND c.der IS NOT NULL ORDER BY p.created_at DESC, p.serial DESC LIMIT 1), '') END,
				v.column9, v.column10
			FROM (VALUES `+strings.Join(values, ", ")+`) AS v`, args...),
		refused: func(_ context.Context, _ bun.Tx, err error) error {
			return fmt.Errorf("recording where certificate %q comes from: %w", rows[0].Serial, err)
		},
	}
}
