package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// blobs keeps envelopes in a directory. What it keeps was encrypted by the
// exchange or the desk; names are made by the house, never by a client.
type blobs struct {
	dir string
	now func() time.Time // dates them: sweeps go by the clock of the house
}

func (h *House) blobs() blobs { return blobs{filepath.Join(h.cfg.Dir, dirBlobs), h.cfg.Now} }

func (b blobs) path(name string) (string, error) {
	if !filepath.IsLocal(name) || strings.Contains(name, `\`) {
		return "", fmt.Errorf("app: blob name %q", name)
	}
	return filepath.Join(b.dir, filepath.FromSlash(name)), nil
}

// Put is atomic: a reader sees the whole blob or none.
func (b blobs) Put(_ context.Context, name string, data []byte) error {
	p, err := b.path(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		return fmt.Errorf("app: keep blob: %w", err)
	}
	if err := writeAtomic(p, data, 0o600); err != nil {
		return err
	}
	return os.Chtimes(p, b.now(), b.now())
}

// Move implements desk.Blobs.
func (b blobs) Move(_ context.Context, from, to string) error {
	old, err := b.path(from)
	if err != nil {
		return err
	}
	p, err := b.path(to)
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(old, p), os.Chtimes(p, b.now(), b.now()))
}

// List implements desk.Blobs.
func (b blobs) List(_ context.Context, folder string) (map[string]time.Time, error) {
	p, err := b.path(folder)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	out := map[string]time.Time{}
	for _, e := range entries {
		info, infoErr := e.Info()
		if errors.Is(infoErr, fs.ErrNotExist) { // deleted meanwhile
			continue
		}
		if err = errors.Join(err, infoErr); err != nil {
			break
		}
		out[e.Name()] = info.ModTime()
	}
	return out, err
}

func (b blobs) Get(_ context.Context, name string) (io.ReadCloser, error) {
	p, err := b.path(name)
	if err != nil {
		return nil, err
	}
	return os.Open(p)
}

func (b blobs) Delete(_ context.Context, name string) error {
	p, err := b.path(name)
	if err != nil {
		return err
	}
	return os.Remove(p)
}

// writeAtomic writes whole or not at all and is durable when it returns.
func writeAtomic(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("app: write %s: %w", filepath.Base(path), err)
	}
	err = errors.Join(f.Chmod(mode), writeSync(f, data))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("app: write %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("app: write %s: %w", filepath.Base(path), err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSync(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
