package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

// keptRow is a thing with the end of the last certificate that hangs on it.
type keptRow struct {
	ID      string       `bun:"id"`
	Agency  string       `bun:"agency"`
	System  string       `bun:"system"`
	Person  string       `bun:"person"`
	Ends    bun.NullTime `bun:"ends"`
	Created bun.NullTime `bun:"created_at"`
	Token   bun.NullTime `bun:"token_expires"`
}

func (r keptRow) item(class retention.Class) retention.Item {
	i := retention.Item{Class: class, ID: r.ID, Agency: r.Agency, System: r.System, Person: r.Person, Ends: utc(r.Ends)}
	for _, t := range []time.Time{utc(r.Created), utc(r.Token)} { // of a request that led to no certificate
		if t.After(i.Ends) {
			i.Ends = t
		}
	}
	return i
}

// kept is, for each class, the query of what is kept. Certificates are found by
// the index of systems or of persons.
func kept(class retention.Class) (query string, args []any) {
	switch class {
	case retention.Registration:
		return `SELECT q.id, q.agency, q.system, '' AS person, q.created_at, q.token_expires,
			(SELECT MAX(c.not_after) FROM ca_certificate AS c WHERE c.system = q.system AND c.request = q.id) AS ends
			FROM ca_request AS q WHERE q.state IN (?)`, []any{bun.List([]ca.RequestState{ca.RequestApproved, ca.RequestRefused, ca.RequestWithdrawn, ca.RequestIssued})}
	case retention.Escrow:
		return `SELECT c.system || '/' || c.pair AS id, MIN(c.agency) AS agency, c.system, '' AS person, MAX(c.not_after) AS ends
			FROM ca_certificate AS c JOIN ca_escrowed_key AS k ON k.pair = c.pair WHERE k.kek <> ''`, nil
	}
	return `SELECT c.issuer || ':' || c.serial AS id, c.agency, c.system, c.person, c.not_after AS ends
		FROM ca_certificate AS c WHERE c.person <> '' AND c.kind = ? AND c.der IS NOT NULL`, []any{string(ca.KindPerson)}
}

// readKept adds a condition, and what stands behind the grouping, to the query.
func readKept(ctx context.Context, db bun.IDB, class retention.Class, where, tail string, args ...any) ([]retention.Item, error) {
	query, first := kept(class)
	if query += where; class == retention.Escrow {
		query += " GROUP BY c.system, c.pair"
	}
	var rows []keptRow
	if err := db.NewRaw(query+tail, append(first, args...)...).Scan(ctx, &rows); err != nil {
		return nil, fmt.Errorf("reading what is kept (%s): %w", class, err)
	}
	out := make([]retention.Item, len(rows))
	for i, r := range rows {
		out[i] = r.item(class)
	}
	return out, nil
}

// Ended implements retention.Store. It bounds each class: a page shows no more.
func (c *Retention) Ended(ctx context.Context, by time.Time, limit int) (out []retention.Item, _ error) {
	unused := " AND q.created_at <= ? AND NOT EXISTS (SELECT 1 FROM ca_certificate AS l WHERE l.system = q.system AND l.request = q.id AND l.not_after > ?)"
	for _, of := range []struct {
		class       retention.Class
		where, tail string
		args        []any
	}{
		{retention.Registration, unused, " ORDER BY q.created_at, q.id LIMIT ?", []any{at(by), at(by), limit}},
		{retention.Escrow, "", " HAVING MAX(c.not_after) <= ? ORDER BY ends, id LIMIT ?", []any{at(by), limit}},
		{retention.Person, " AND c.not_after <= ?", " ORDER BY c.not_after, id LIMIT ?", []any{at(by), limit}},
	} {
		some, err := readKept(ctx, c.s.r, of.class, of.where, of.tail, of.args...)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(some, func(i retention.Item) bool { return i.Ends.After(by) })...)
	}
	slices.SortFunc(out, func(a, b retention.Item) int {
		return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.Class, b.Class), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(limit, len(out))], nil
}

// Item implements retention.Store.
func (c *Retention) Item(ctx context.Context, r retention.Ref) (retention.Item, error) {
	return keptItem(ctx, c.s.r, r)
}

func keptItem(ctx context.Context, db bun.IDB, r retention.Ref) (retention.Item, error) {
	var all []retention.Item
	var err error
	switch r.Class {
	case retention.Registration:
		all, err = readKept(ctx, db, r.Class, " AND q.id = ?", "", r.ID)
	case retention.Escrow:
		system, pair, _ := cutLast(r.ID, "/")
		all, err = readKept(ctx, db, r.Class, " AND c.system = ? AND c.pair = ?", "", system, pair)
	case retention.Person:
		issuer, serial, _ := strings.Cut(r.ID, ":")
		all, err = readKept(ctx, db, r.Class, " AND c.issuer = ? AND c.serial = ?", "", issuer, serial)
	}
	if err == nil && len(all) != 1 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return retention.Item{}, found(err, retention.ErrNotFound, string(r.Class), r.ID)
	}
	return all[0], nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// recovering: the keys of a system hang on its registration too.
func recovering(ctx context.Context, db bun.IDB, i retention.Item, when time.Time) (bool, error) {
	where, arg := "system = ?", i.System
	switch i.Class {
	case retention.Person:
		return false, nil
	case retention.Escrow:
		_, pair, _ := cutLast(i.ID, "/")
		where, arg = "pair = ?", pair
	}
	n, err := db.NewSelect().Model((*recoveryRow)(nil)).Where(where, arg).Where("state IN (?)", bun.List([]kmc.State{kmc.Asked, kmc.Checked, kmc.Approved})).
		Where("lapses_at > ?", at(when)).Count(ctx)
	if err != nil {
		return false, fmt.Errorf("reading recoveries of %q: %w", i.ID, err)
	}
	return n > 0, nil
}

// purgeAll purges what was asked for, or nothing. Everything is asked again here:
// a certificate, a hold or a recovery may have come since.
func purgeAll(ctx context.Context, tx bun.Tx, a retention.Act) error {
	row, err := one[retentionRow](ctx, tx, "id = ?", a.ID)
	if err != nil {
		return err
	}
	now := utc(row.SettledAt)
	holds, err := list(ctx, tx, holdRow.hold, "id", "lifted_at IS NULL")
	if err != nil {
		return fmt.Errorf("reading legal holds: %w", err)
	}
	for _, asked := range a.Items {
		ref := retention.Ref{Class: asked.Class, ID: asked.ID}
		i, err := keptItem(ctx, tx, ref)
		if err != nil {
			return err
		}
		if due := i.DueAt(a.Years); now.Before(due) {
			return &retention.EarlyError{Ref: ref, Due: due}
		}
		for _, h := range holds {
			if h.Covers(i) {
				return fmt.Errorf("%w: %s %s, document %s", retention.ErrHeld, i.Class, i.ID, h.Document)
			}
		}
		if open, err := recovering(ctx, tx, i, now); err != nil || open {
			return cmp.Or(err, fmt.Errorf("%w: recovery of a key, %s", retention.ErrHeld, i.ID))
		}
		if err := purge(ctx, tx, a.ID, i); err != nil {
			return fmt.Errorf("purging %s %s: %w", i.Class, i.ID, err)
		}
	}
	return nil
}

// purge removes the bodies of one thing. Each first statement is guarded: what is
// gone already is not purged a second time.
func purge(ctx context.Context, tx bun.Tx, act string, i retention.Item) error {
	type step struct {
		query string
		args  []any
	}
	var steps []step
	body := ""
	switch i.Class {
	case retention.Registration:
		steps = []step{
			{"UPDATE ca_request SET state = ?, reason = '' WHERE id = ? AND state <> ?", []any{string(ca.RequestPurged), i.ID, string(ca.RequestPurged)}},
			{"UPDATE ca_review SET evidence = '[]' WHERE request = ?", []any{i.ID}},
		}
	case retention.Escrow:
		system, pair, _ := cutLast(i.ID, "/")
		steps = []step{
			{"UPDATE ca_escrowed_key SET wrapped = ?, kek = '' WHERE pair = ? AND kek <> ''", []any{[]byte{}, pair}},
			{"UPDATE ca_delivery SET envelope = ? WHERE EXISTS (SELECT 1 FROM ca_certificate AS c WHERE c.system = ? AND c.pair = ? AND c.issuer = ca_delivery.issuer AND c.serial = ca_delivery.sign_serial)", []any{[]byte{}, system, pair}},
		}
	case retention.Person:
		issuer, serial, _ := strings.Cut(i.ID, ":")
		row, err := one[certificateRow](ctx, tx, "issuer = ? AND serial = ?", issuer, serial)
		if err != nil {
			return err
		}
		sum := sm3.Sum(row.DER)
		body = hex.EncodeToString(sum[:])
		steps = []step{{"UPDATE ca_certificate SET subject = '', tbs = NULL, der = NULL WHERE issuer = ? AND serial = ? AND der IS NOT NULL", []any{issuer, serial}}}
	}
	for n, s := range steps {
		changedRows, err := changed(ctx, tx, s.query, s.args...)
		if err != nil {
			return err
		}
		if n == 0 && changedRows != 1 {
			return retention.ErrNotFound
		}
	}
	return insert(ctx, tx, &purgedRow{Class: string(i.Class), ID: i.ID, Purge: act, SM3: body}, retention.ErrState, retention.ErrNotFound, "purge of", i.ID)
}
