package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// claimFolder makes the data folder, or takes an empty one. undo removes what
// was put into it, and the folder when it was made here.
func claimFolder(dir string) (undo func() error, err error) {
	if undo, err = claimEmpty(dir); err != nil {
		return nil, err
	}
	if err := writeAtomic(filepath.Join(dir, fileFounding), nil, 0o600); err != nil {
		return nil, errors.Join(err, undo())
	}
	for _, sub := range []string{dirAnchors, dirBlobs} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrFolder, err), undo())
		}
	}
	return undo, nil
}

// claimEmpty makes a folder, or takes an empty one.
func claimEmpty(dir string) (undo func() error, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFolder, err)
		}
		return func() error { return os.RemoveAll(dir) }, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	case len(entries) > 0:
		if err := brokeOff(dir); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s is not empty", ErrInitialised, dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return func() error { return emptyFolder(dir) }, nil
}

// fileFounding stands in a data folder while its house is founded.
const fileFounding = "founding"

// brokeOff refuses a folder whose founding did not come to its end.
func brokeOff(dir string) error {
	switch _, err := os.Stat(filepath.Join(dir, fileFounding)); {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrBrokeOff, dir)
	case errors.Is(err, os.ErrNotExist):
		return nil
	default:
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
}

// foundingEnds is the last act of a founding.
func foundingEnds(dir string) error {
	if err := os.Remove(filepath.Join(dir, fileFounding)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return nil
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

// private refuses a data folder that others may read.
func private(dir string) error {
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrNotInitialised, dir)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFolder, err)
	case !fi.IsDir():
		return fmt.Errorf("%w: %s is not a folder", ErrFolder, dir)
	case fi.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: %s has mode %04o, want 0700", ErrFolder, dir, fi.Mode().Perm())
	}
	return nil
}
