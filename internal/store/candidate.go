package store

import (
	"context"
	"fmt"
)

// Candidates lists ids for searches, by the order of the database, a stretch
// at a time. An agency sees its own systems, persons and copies; the catalogue
// is for all.
type Candidates struct{ s *Store }

// Candidates returns the lists.
func (s *Store) Candidates() *Candidates { return &Candidates{s} }

// ofCaller is the agency of a calling system; no row for an unknown one.
const ofCaller = "(SELECT agency FROM identity_system WHERE id = ?)"

// Subjects lists ids of systems, persons or the agency of caller's own agency
// behind after. An unknown type has none.
func (c *Candidates) Subjects(ctx context.Context, caller, subjectType, after string, limit int) ([]string, error) {
	switch subjectType {
	case "system":
		return c.ids(ctx, "SELECT id FROM identity_system WHERE agency = "+ofCaller+" AND id > ? ORDER BY id LIMIT ?", caller, after, limit)
	case "person":
		return c.ids(ctx, "SELECT id FROM identity_person WHERE agency = "+ofCaller+" AND id > ? ORDER BY id LIMIT ?", caller, after, limit)
	case "agency":
		return c.ids(ctx, "SELECT uscc FROM identity_agency WHERE uscc = "+ofCaller+" AND uscc > ? ORDER BY uscc LIMIT ?", caller, after, limit)
	}
	return nil, nil
}

// Resources lists ids of the catalogue ("resource") or of the copies that
// caller's agency keeps ("holding") behind after.
func (c *Candidates) Resources(ctx context.Context, caller, resourceType, after string, limit int) ([]string, error) {
	switch resourceType {
	case "resource":
		return c.ids(ctx, "SELECT id FROM sharing_resource WHERE id > ? ORDER BY id LIMIT ?", after, limit)
	case "holding":
		return c.ids(ctx, "SELECT id FROM sharing_holding WHERE agency = "+ofCaller+" AND ended_at IS NULL AND id > ? ORDER BY id LIMIT ?", caller, after, limit)
	}
	return nil, nil
}

func (c *Candidates) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	var out []string
	if err := c.s.r.NewRaw(query, args...).Scan(ctx, &out); err != nil {
		return nil, fmt.Errorf("listing candidates: %w", err)
	}
	return out, nil
}
