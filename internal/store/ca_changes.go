package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/ca/status"
)

var _ status.Changes = (*CA)(nil)

// maxChanges bounds one answer of ChangedSince. A node that is further behind
// forgets what it kept.
const maxChanges = 4096

// changing comes before a change of what is said about a certificate. It moves
// the revision on: the row lock makes such acts run one after the other, so that
// whoever reads a revision sees every change up to it.
func changing(ctx context.Context, tx bun.Tx, issuer, serial string) error {
	n, err := changed(ctx, tx, "UPDATE ca_status_revision SET revision = revision + 1 WHERE id = 1")
	if err != nil {
		return fmt.Errorf("moving the revision of certificates: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("%w: the revision of certificates is missing", ErrSchema)
	}
	_, err = changed(ctx, tx, "INSERT INTO ca_status_change (revision, issuer, serial) SELECT revision, ?, ? FROM ca_status_revision WHERE id = 1", issuer, serial)
	if err != nil {
		return fmt.Errorf("noting the change of a certificate: %w", err)
	}
	return nil
}

// ChangedSince implements status.Changes. The revision is read before the rows:
// a row may be named that changed after it, never one be missing. Revisions have
// no gaps: where the first row is not the next one, it was forgotten.
func (c *CA) ChangedSince(ctx context.Context, revision int64) (int64, []status.Key, error) {
	now, err := c.statusRevision(ctx)
	if err != nil || now == revision || revision < 0 {
		return now, nil, err
	}
	var rows []struct {
		status.Key
		Revision int64 `bun:"revision"`
	}
	err = c.s.r.NewRaw("SELECT revision, issuer, serial FROM ca_status_change WHERE revision > ? ORDER BY revision LIMIT ?", revision, maxChanges+1).Scan(ctx, &rows)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("reading the changes of certificates: %w", err)
	case len(rows) > maxChanges:
		return now, nil, fmt.Errorf("%w: more than %d certificates changed", status.ErrBehind, maxChanges)
	case len(rows) == 0 || rows[0].Revision != revision+1:
		return now, nil, fmt.Errorf("%w: changes after revision %d are forgotten", status.ErrBehind, revision)
	}
	keys := make([]status.Key, len(rows))
	for n, r := range rows {
		keys[n] = r.Key
	}
	return now, keys, nil
}

func (c *CA) statusRevision(ctx context.Context) (now int64, err error) {
	if err = c.s.r.NewRaw("SELECT revision FROM ca_status_revision WHERE id = 1").Scan(ctx, &now); err != nil {
		return 0, fmt.Errorf("reading the revision of certificates: %w", err)
	}
	return now, nil
}

// ForgetChanges implements status.Changes. Rows have no time of their own, which
// a revocation would wait for: each call marks how far the revision had come, and
// the calls of later days go by the marks. Its statements need no transaction:
// each is true alone, and any number of nodes may run them at once.
func (c *CA) ForgetChanges(ctx context.Context, now time.Time, age time.Duration) (int64, error) {
	revision, err := c.statusRevision(ctx)
	if err != nil {
		return 0, err
	}
	err = retried(ctx, func() error {
		_, err := changed(ctx, c.s.w, "INSERT INTO ca_status_mark (at_us, revision) VALUES (?, ?)", now.UnixMicro(), revision)
		return err
	})
	if err != nil && !isDuplicate(err) { // another node's mark of this moment is as good
		return 0, fmt.Errorf("marking the revision of certificates: %w", err)
	}
	old, err := one[markRow](ctx, c.s.w, "at_us = (SELECT MAX(at_us) FROM ca_status_mark WHERE at_us <= ?)", now.Add(-age).UnixMicro())
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the marks of revisions: %w", err)
	}
	var gone int64
	err = retried(ctx, func() (err error) {
		if _, err = changed(ctx, c.s.w, "DELETE FROM ca_status_mark WHERE at_us < ?", old.AtUS); err != nil {
			return err
		}
		gone, err = changed(ctx, c.s.w, "DELETE FROM ca_status_change WHERE revision <= ?", min(old.Revision, revision-maxChanges))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forgetting old changes of certificates: %w", err)
	}
	return gone, nil
}

// markRow says that the revision had come at least so far at a time.
type markRow struct {
	bun.BaseModel `bun:"table:ca_status_mark"`

	AtUS     int64 `bun:"at_us,pk"`
	Revision int64 `bun:"revision"`
}
