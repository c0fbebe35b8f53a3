package store

import (
	"context"
	"fmt"

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
// a row may be named that changed after it, never one be missing.
func (c *CA) ChangedSince(ctx context.Context, revision int64) (int64, []status.Key, error) {
	var now int64
	if err := c.s.r.NewRaw("SELECT revision FROM ca_status_revision WHERE id = 1").Scan(ctx, &now); err != nil {
		return 0, nil, fmt.Errorf("reading the revision of certificates: %w", err)
	}
	if now == revision {
		return now, nil, nil
	}
	var keys []status.Key
	err := c.s.r.NewRaw("SELECT issuer, serial FROM ca_status_change WHERE revision > ? ORDER BY revision LIMIT ?", revision, maxChanges+1).Scan(ctx, &keys)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the changes of certificates: %w", err)
	}
	if len(keys) > maxChanges {
		return now, nil, fmt.Errorf("%w: more than %d certificates changed", status.ErrBehind, maxChanges)
	}
	return now, keys, nil
}
