package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// keep writes key and record into a hidden folder and renames that to the
// key's id: rename is atomic and fails when the id is taken, so that a crash
// or a race leaves no half key and overwrites none.
func (d *Dir) keep(k *private, s Spec) (rec Record, err error) {
	if err := pairwise(k, s.Purpose, d.cfg.Rand); err != nil {
		return Record{}, err
	}
	passphrase := s.Passphrase
	if passphrase == nil {
		if passphrase, err = d.passphrase(); err != nil {
			return Record{}, err
		}
	}
	spki, sum, err := spkiSM3(k.public())
	if err != nil {
		return Record{}, err
	}
	rec = Record{
		ID: s.ID, Algorithm: s.Algorithm, Purpose: s.Purpose, Class: ClassSoftwareFile,
		Owner: s.Owner, SPKI: spki, SPKISM3: sum, Salt: s.Salt,
		CreatedAt: d.cfg.Now().UTC().Truncate(time.Millisecond),
	}
	sealed, err := seal(k, passphrase, d.cfg.Rand, d.cfg.Work)
	if err != nil {
		return Record{}, err
	}
	about, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return Record{}, fmt.Errorf("keys: encoding the record: %w", err)
	}
	if err := d.publish(s.ID, sealed, append(about, '\n')); err != nil {
		return Record{}, err
	}
	return rec, nil
}

func (d *Dir) publish(id string, key, record []byte) error {
	final := filepath.Join(d.cfg.Dir, id)
	tmp, err := os.MkdirTemp(d.cfg.Dir, ".new-")
	if err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	defer os.RemoveAll(tmp) // gone already when the rename succeeded
	if err := writePrivate(filepath.Join(tmp, keyFile), key); err != nil {
		return err
	}
	if err := writePrivate(filepath.Join(tmp, recordFile), record); err != nil {
		return err
	}
	if err := syncDir(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, final); err != nil {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR) {
			return fmt.Errorf("%w: %s", ErrExists, id)
		}
		return fmt.Errorf("keys: writing: %w", err)
	}
	return syncDir(d.cfg.Dir)
}

// rewrap writes a key again under another passphrase: its file is replaced whole
// or not at all, once what was written has been opened.
func (d *Dir) rewrap(ctx context.Context, id string, was, passphrase []byte) error {
	k, rec, err := d.load(ctx, id, was)
	if err != nil {
		return err
	}
	sealed, err := seal(k, passphrase, d.cfg.Rand, d.cfg.Work)
	if err != nil {
		return err
	}
	again, err := unseal(sealed, passphrase, rec.Algorithm, d.cfg.Work)
	if err != nil {
		return err
	}
	if !again.public().Equal(k.public()) {
		return fmt.Errorf("%w: %s was not written as it is", ErrRecord, id)
	}
	tmp, err := os.MkdirTemp(d.cfg.Dir, ".new-")
	if err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := writePrivate(filepath.Join(tmp, keyFile), sealed); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(tmp, keyFile), d.File(id)); err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	return syncDir(filepath.Join(d.cfg.Dir, id))
}

func writePrivate(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("keys: writing: %w", err)
	}
	return nil
}

// readPrivate reads a small regular file that only its owner may touch. Mode
// and size are those of the open file, not of a name that may be swapped.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, notFound(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keys: reading: %w", err)
	}
	if err := ownerOnly(path, st); err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%w: %s is not a small file", ErrRecord, filepath.Base(path))
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("keys: reading: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: %s is too large", ErrRecord, filepath.Base(path))
	}
	return b, nil
}

func checkMode(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return notFound(err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%w: %s is not a folder", ErrSpec, path)
	}
	return ownerOnly(path, st)
}

func ownerOnly(path string, st fs.FileInfo) error {
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o, use 0600 (folders 0700)", ErrMode, path, st.Mode().Perm())
	}
	return nil
}
