package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Destroy ends a key for good (密钥销毁, GB/T 39786): it cannot be opened any more,
// under whatever passphrase, and its id is never free again. The record stays and
// says when. A key that is destroyed already is no error. Copies that a backup
// holds stay sealed under their passphrase; a file system may keep the blocks.
func (d *Dir) Destroy(ctx context.Context, id string) (Record, error) {
	rec, err := d.Record(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if rec.DestroyedAt.IsZero() {
		rec.DestroyedAt = d.cfg.Now().UTC().Truncate(time.Millisecond)
		if err := d.rewrite(rec); err != nil {
			return Record{}, err
		}
	}
	// The record first: what is left of an attempt that broke off is refused
	// already, and goes with the next one.
	if err := os.Remove(d.File(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("keys: destroying: %w", err)
	}
	return rec, syncDir(filepath.Join(d.cfg.Dir, id))
}

// rewrite replaces the record of a key whole.
func (d *Dir) rewrite(rec Record) error {
	about, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("keys: encoding the record: %w", err)
	}
	tmp, err := os.MkdirTemp(d.cfg.Dir, ".new-")
	if err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := writePrivate(filepath.Join(tmp, recordFile), append(about, '\n')); err != nil {
		return err
	}
	folder := filepath.Join(d.cfg.Dir, rec.ID)
	if err := os.Rename(filepath.Join(tmp, recordFile), filepath.Join(folder, recordFile)); err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	return syncDir(folder)
}
