package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// readFile reads a regular file up to a limit.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return b, nil
}

// openRegular opens a regular file that is read piece by piece.
func openRegular(name string, limit int64) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fail(err, "verify.hint.file")
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s: not a regular file", name)
	case info.Size() > limit:
		err = fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	if err != nil {
		return nil, 0, fail(errors.Join(err, f.Close()), "verify.hint.file")
	}
	return f, info.Size(), nil
}

// private refuses a secret that others may read.
func private(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: others may read it (mode %04o)", name, info.Mode().Perm())
	}
	return nil
}

// free refuses an output that exists, unless force.
func free(name string, force bool) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: exists and is not a regular file", name)
	case !force:
		return fmt.Errorf("%s: exists already", name)
	}
	return nil
}

// writeWhole writes a file that anybody may read, whole or not at all.
func writeWhole(name string, data []byte, force bool) error {
	return writeMode(name, data, 0o644, force)
}

// writeMode writes a file beside its place and moves it there when it is
// complete and on the disk. It is private until then.
func writeMode(name string, data []byte, mode fs.FileMode, force bool) (err error) {
	if err := free(name, force); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
