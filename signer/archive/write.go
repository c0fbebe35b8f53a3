package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// source is a file on its way into a package; its bytes are read twice, for the
// digests and for the copy, and never held.
type source struct {
	listed
	crc  uint32
	open func() io.Reader
}

func fromBytes(name string, b []byte) (source, error) {
	return newSource(name, func() io.Reader { return bytes.NewReader(b) })
}

func newSource(name string, open func() io.Reader) (source, error) {
	if !cleanName(name) {
		return source{}, fmt.Errorf("archive: %q is no name for a file of a package", name)
	}
	d, crc, err := digestOf(name, open())
	return source{d, crc, open}, err
}

func sortSources(list []source) {
	slices.SortFunc(list, func(a, b source) int { return cmp.Compare(a.Path, b.Path) })
}

// errChanged: a source that gave other bytes the second time.
var errChanged = errors.New("archive: a file changed while it was packed")

// writeContainer writes entries in order of name, with fixed times, so that the
// same content is always the same file.
func writeContainer(w io.Writer, list []source) error {
	sortSources(list)
	if len(list) > maxEntries {
		return ErrLimit
	}
	out := bufio.NewWriterSize(w, 1<<16)
	le := binary.LittleEndian
	var dir []byte
	pos := int64(0)
	for i := range list {
		s := &list[i]
		if i > 0 && list[i-1].Path == s.Path {
			return fmt.Errorf("archive: two files %s", s.Path)
		}
		// version 20, flags, method, time and day, checksum, two sizes, name, extra
		var common []byte
		common = le.AppendUint16(common, 20)
		common = le.AppendUint16(common, flagUTF8)
		common = le.AppendUint16(common, 0)
		common = le.AppendUint16(common, 0)
		common = le.AppendUint16(common, dosDay)
		common = le.AppendUint32(common, s.crc)
		common = le.AppendUint32(common, uint32(s.Size))
		common = le.AppendUint32(common, uint32(s.Size))
		common = le.AppendUint16(common, uint16(len(s.Path)))
		common = le.AppendUint16(common, 0)
		if pos+s.Size > MaxPackage-maxDirectory {
			return ErrLimit
		}
		dir = le.AppendUint32(dir, centralSig)
		dir = le.AppendUint16(dir, 20)
		dir = append(dir, common...)
		dir = append(dir, make([]byte, 10)...) // comment, disk, attributes
		dir = le.AppendUint32(dir, uint32(pos))
		dir = append(dir, s.Path...)
		head := append(le.AppendUint32(nil, localSig), common...)
		if _, err := out.Write(append(head, s.Path...)); err != nil {
			return fmt.Errorf("archive: writing package: %w", err)
		}
		n, err := io.Copy(out, io.LimitReader(s.open(), s.Size+1))
		if err != nil {
			return fmt.Errorf("archive: writing %s: %w", s.Path, err)
		}
		if n != s.Size {
			return errChanged
		}
		pos += int64(len(head)+len(s.Path)) + s.Size
	}
	end := le.AppendUint32(nil, endSig)
	end = append(end, 0, 0, 0, 0)
	end = le.AppendUint16(end, uint16(len(list)))
	end = le.AppendUint16(end, uint16(len(list)))
	end = le.AppendUint32(end, uint32(len(dir)))
	end = le.AppendUint32(end, uint32(pos))
	end = append(end, 0, 0)
	if _, err := out.Write(append(dir, end...)); err != nil {
		return fmt.Errorf("archive: writing package: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("archive: writing package: %w", err)
	}
	return nil
}

// replace writes a package beside its place, lets check read it, and moves it
// there when it is complete and on the disk. What was there before stays until then.
func replace(name string, list []source, check func(*os.File) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("archive: writing package: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	err = writeContainer(tmp, list)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err == nil {
		err = check(tmp)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
