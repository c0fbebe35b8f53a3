package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/emmansun/gmsm/sm3"
)

// Limits of a package. The original may have 512 MB, as yinxin sign reads; every
// other file is read into memory when it is needed.
const (
	MaxPackage   = 1 << 30
	maxEntries   = 10_000
	maxDirectory = 8 << 20
	maxFile      = 80 << 20 // but the original: a list of revocations has up to 64 MB
	maxJSON      = 16 << 20 // parsed into many times its size
)

// Records of a zip (PKWARE APPNOTE 4.3). Only stored entries, no descriptor, no
// extra field, no comment, no zip64: what is left can be read in one way, and in
// any year, and cannot be a bomb.
const (
	localSig, centralSig, endSig = 0x04034b50, 0x02014b50, 0x06054b50
	localLen, centralLen, endLen = 30, 46, 22
	flagUTF8                     = 0x0800
	dosDay                       = 1<<5 | 1 // 1980-01-01: every package of the same content is the same file
)

// item is one entry.
type item struct {
	name   string
	crc    uint32
	size   int64
	offset int64 // of the bytes
	digest *listed
}

// container is an opened package.
type container struct {
	r     io.ReaderAt
	items []item // in the order of the file
	by    map[string]*item
}

// faultError is why a container cannot be trusted.
type faultError struct{ code, path string }

func (e *faultError) Error() string { return "archive: container: " + e.code + " " + e.path }

// Reasons of a container.
const (
	ReasonForm      = "container.form"      // compressed, encrypted, with descriptors or hidden bytes, cut off
	ReasonName      = "container.name"      // a path that leaves the package or that systems read differently
	ReasonDuplicate = "container.duplicate" // two names that some system takes for one
	ReasonChecksum  = "container.checksum"
)

func fault(code, path string) error { return &faultError{code, path} }

// openContainer walks the entries from the front as a streaming reader does, and
// then wants a directory that says exactly the same. Errors: ErrNotPackage,
// ErrLimit, *faultError.
func openContainer(r io.ReaderAt, size int64) (*container, error) {
	if size > MaxPackage {
		return nil, ErrLimit
	}
	var end [endLen]byte
	if size < endLen {
		return nil, ErrNotPackage
	}
	if _, err := r.ReadAt(end[:], size-endLen); err != nil {
		return nil, fmt.Errorf("archive: reading package: %w", err)
	}
	le := binary.LittleEndian
	var first [4]byte
	if _, err := r.ReadAt(first[:], 0); err != nil {
		return nil, fmt.Errorf("archive: reading package: %w", err)
	}
	if le.Uint32(end[:]) != endSig {
		if le.Uint32(first[:]) == localSig {
			return nil, fault(ReasonForm, "") // a comment, something behind the end, or cut off
		}
		return nil, ErrNotPackage
	}
	n, dirSize, dirAt := int(le.Uint16(end[10:])), int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	if n > maxEntries || dirSize > maxDirectory {
		return nil, ErrLimit
	}
	if n == 0 || !bytes.Equal(end[4:8], make([]byte, 4)) || le.Uint16(end[8:]) != uint16(n) || le.Uint16(end[20:]) != 0 || dirAt+dirSize != size-endLen {
		return nil, fault(ReasonForm, "")
	}
	dir := make([]byte, dirSize)
	if _, err := r.ReadAt(dir, dirAt); err != nil {
		return nil, fmt.Errorf("archive: reading package: %w", err)
	}
	c := &container{r: r, items: make([]item, 0, n), by: make(map[string]*item, n)}
	return c, c.walk(n, dirAt, dir)
}

// walk reads n local headers and holds each against its directory record.
func (c *container) walk(n int, limit int64, dir []byte) error {
	records, err := readDirectory(dir, n)
	if err != nil {
		return err
	}
	folded := make(map[string]bool, n)
	pos := int64(0)
	for range n {
		var h [localLen]byte
		if pos+localLen > limit {
			return fault(ReasonForm, "")
		}
		if _, err := c.r.ReadAt(h[:], pos); err != nil {
			return fmt.Errorf("archive: reading package: %w", err)
		}
		le := binary.LittleEndian
		nameLen := int64(le.Uint16(h[26:]))
		name := make([]byte, nameLen)
		if le.Uint32(h[:]) != localSig || pos+localLen+nameLen > limit {
			return fault(ReasonForm, "")
		}
		if _, err := c.r.ReadAt(name, pos+localLen); err != nil {
			return fmt.Errorf("archive: reading package: %w", err)
		}
		i := item{name: string(name), crc: le.Uint32(h[14:]), size: int64(le.Uint32(h[22:])), offset: pos + localLen + nameLen}
		if !cleanName(i.name) {
			return fault(ReasonName, i.name)
		}
		rec, ok := records[pos]
		if !ok || rec.name != i.name || rec.crc != i.crc || rec.size != i.size || !plain(h[6:10], h[18:30]) || i.offset+i.size > limit {
			return fault(ReasonForm, i.name)
		}
		key := foldName(i.name)
		if folded[key] {
			return fault(ReasonDuplicate, i.name)
		}
		folded[key] = true
		if i.size > maxFile && !isDocument(i.name) || i.size > maxJSON && strings.HasSuffix(i.name, ".json") {
			return ErrLimit
		}
		c.items = append(c.items, i)
		pos = i.offset + i.size
	}
	if pos != limit {
		return fault(ReasonForm, "")
	}
	for i := range c.items {
		c.by[c.items[i].name] = &c.items[i]
	}
	return c.parents()
}

// parents refuses a name that is both a file and a folder.
func (c *container) parents() error {
	for _, i := range c.items {
		for at, ch := range i.name {
			if ch == '/' && c.by[i.name[:at]] != nil {
				return fault(ReasonName, i.name)
			}
		}
	}
	return nil
}

// plain: flags (nothing but UTF-8 names), method stored, equal sizes, no extra
// field. sizes are compressed size, size, name length, extra length.
func plain(flags, sizes []byte) bool {
	le := binary.LittleEndian
	return le.Uint16(flags)&^flagUTF8 == 0 && le.Uint16(flags[2:]) == 0 && bytes.Equal(sizes[:4], sizes[4:8]) && le.Uint16(sizes[10:]) == 0
}

// readDirectory reads n records, by the offset of their local header.
func readDirectory(dir []byte, n int) (map[int64]item, error) {
	out := make(map[int64]item, n)
	le := binary.LittleEndian
	for range n {
		if len(dir) < centralLen || le.Uint32(dir) != centralSig {
			return nil, fault(ReasonForm, "")
		}
		nameLen := int(le.Uint16(dir[28:]))
		if len(dir) < centralLen+nameLen || le.Uint16(dir[32:]) != 0 || le.Uint16(dir[34:]) != 0 || !plain(dir[8:12], dir[20:32]) || special(dir) {
			return nil, fault(ReasonForm, "")
		}
		at := int64(le.Uint32(dir[42:]))
		if _, twice := out[at]; twice {
			return nil, fault(ReasonForm, "")
		}
		out[at] = item{name: string(dir[centralLen : centralLen+nameLen]), crc: le.Uint32(dir[16:]), size: int64(le.Uint32(dir[24:]))}
		dir = dir[centralLen+nameLen:]
	}
	if len(dir) != 0 {
		return nil, fault(ReasonForm, "")
	}
	return out, nil
}

// special: a link, device or folder, when the record was made on Unix.
func special(rec []byte) bool {
	kind := binary.LittleEndian.Uint32(rec[38:]) >> 16 & 0xf000
	return rec[5] == 3 && kind != 0 && kind != 0x8000
}

func isDocument(name string) bool {
	return len(name) > len(dirDocument) && name[:len(dirDocument)] == dirDocument
}

// section is the bytes of an entry.
func (c *container) section(i *item) *io.SectionReader {
	return io.NewSectionReader(c.r, i.offset, i.size)
}

// read takes a small file into memory.
func (c *container) read(name string) ([]byte, error) {
	i := c.by[name]
	if i == nil {
		return nil, fmt.Errorf("archive: no %s", name)
	}
	if i.size > maxFile {
		return nil, ErrLimit
	}
	b := make([]byte, i.size)
	if _, err := c.r.ReadAt(b, i.offset); err != nil {
		return nil, fmt.Errorf("archive: reading %s: %w", name, err)
	}
	return b, nil
}

// digest hashes every entry once, in one pass for all three sums.
func (c *container) digest() error {
	for i := range c.items {
		d, crc, err := digestOf(c.items[i].name, c.section(&c.items[i]))
		if err != nil {
			return err
		}
		if crc != c.items[i].crc {
			return fault(ReasonChecksum, c.items[i].name)
		}
		c.items[i].digest = &d
	}
	return nil
}

func digestOf(name string, r io.Reader) (listed, uint32, error) {
	gm, sha, crc := sm3.New(), sha256.New(), crc32.NewIEEE()
	n, err := io.Copy(io.MultiWriter(gm, sha, crc), r)
	if err != nil {
		return listed{}, 0, fmt.Errorf("archive: reading %s: %w", name, err)
	}
	return listed{name, n, hex.EncodeToString(gm.Sum(nil)), hex.EncodeToString(sha.Sum(nil))}, crc.Sum32(), nil
}
