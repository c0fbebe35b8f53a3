package ofd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sort"
	"strings"
)

// Sizes and signatures of the zip records that an OFD package uses (PKWARE
// APPNOTE 4.3). Zip64 is not read: it starts above every limit of ours.
const (
	localSig, centralSig, endSig = 0x04034b50, 0x02014b50, 0x06054b50
	localLen, centralLen, endLen = 30, 46, 22

	maxComment   = 1 << 16
	maxDirectory = 16 << 20
	maxGap       = 1 << 20 // unlisted bytes between entries that we search
)

// entry is one record of the directory, with its local header checked.
type entry struct {
	raw     string // name as stored
	name    string // forward slashes, NFC, no leading slash
	alias   string // what a reader that takes unflagged names for GBK sees, "" when the same
	dir     bool
	streams bool // with a data descriptor: readers that stream find its end themselves
	method  uint16
	crc     uint32
	csize   int64
	usize   int64
	start   int64 // of the local header
	data    int64 // of the compressed bytes
	date    uint16
	clock   uint16
	attrs   uint32
}

// directory is what the walk over the container found.
type directory struct {
	entries []entry
	faults  []Note
	notes   []Note
}

// readDirectory walks the central directory and compares every record with its
// local header, so that readers which trust the one or the other, or which
// stream over the file, see the same package as we do.
func readDirectory(r io.ReaderAt, size int64, lim Limits) (*directory, error) {
	d := &directory{}
	end, endPos, sure, err := findEnd(r, size)
	if err != nil {
		return nil, err
	}
	if !sure {
		d.fault(FaultDirectory, "") // other readers take another end record
	}
	count := int(binary.LittleEndian.Uint16(end[10:]))
	cdSize := int64(binary.LittleEndian.Uint32(end[12:]))
	cdOff := int64(binary.LittleEndian.Uint32(end[16:]))
	if count > lim.Entries {
		return nil, limitErr("number of entries")
	}
	base := endPos - cdSize - cdOff
	if base < 0 || cdSize > maxDirectory {
		return nil, fmt.Errorf("%w: directory out of place", ErrNotPackage)
	}
	comment := end[endLen:]
	if bytes.Contains(comment, []byte("PK\x05\x06")) {
		d.fault(FaultDirectory, "") // a second end record: which one counts?
	}
	if endPos+int64(len(end)) != size {
		d.note(NoteTrailing, "")
	}
	cd := make([]byte, cdSize)
	if _, err := r.ReadAt(cd, base+cdOff); err != nil {
		return nil, fmt.Errorf("%w: reading directory", ErrNotPackage)
	}
	if base > 0 {
		d.note(NotePrefix, "")
		var probe [4]byte
		if _, err := r.ReadAt(probe[:], cdOff); err == nil && binary.LittleEndian.Uint32(probe[:]) == centralSig {
			d.fault(FaultDirectory, "") // a second directory where offsets count from the file's start
		}
	}
	for range count {
		if cd, err = d.readRecord(r, cd, base, base+cdOff, lim); err != nil {
			return nil, err
		}
	}
	if len(cd) != 0 {
		d.fault(FaultDirectory, "")
	}
	d.checkNames()
	if err := d.checkLayout(r, base+cdOff); err != nil {
		return nil, err
	}
	return d, d.checkSizes(lim)
}

func (d *directory) fault(code, path string) { d.faults = append(d.faults, Note{code, path}) }
func (d *directory) note(code, path string)  { d.notes = append(d.notes, Note{code, path}) }

// readRecord reads one central record and its local header; it returns the rest
// of the directory.
func (d *directory) readRecord(r io.ReaderAt, cd []byte, base, limit int64, lim Limits) ([]byte, error) {
	le := binary.LittleEndian
	if len(cd) < centralLen || le.Uint32(cd) != centralSig {
		return nil, fmt.Errorf("%w: directory record", ErrNotPackage)
	}
	nameLen, extraLen, commentLen := int(le.Uint16(cd[28:])), int(le.Uint16(cd[30:])), int(le.Uint16(cd[32:]))
	stop := centralLen + nameLen + extraLen + commentLen
	if len(cd) < stop {
		return nil, fmt.Errorf("%w: directory record", ErrNotPackage)
	}
	flags := le.Uint16(cd[8:])
	e := entry{
		raw: string(cd[centralLen : centralLen+nameLen]), method: le.Uint16(cd[10:]),
		clock: le.Uint16(cd[12:]), date: le.Uint16(cd[14:]), crc: le.Uint32(cd[16:]),
		csize: int64(le.Uint32(cd[20:])), usize: int64(le.Uint32(cd[24:])),
		attrs: le.Uint32(cd[38:]), start: base + int64(le.Uint32(cd[42:])),
	}
	e.streams = flags&8 != 0
	d.cleanName(&e, flags&utf8Flag != 0)
	if flags&0x2041 != 0 { // encrypted, strongly encrypted, masked headers
		d.fault(FaultEncrypted, e.name)
	}
	// The upper half holds Unix modes when the record was made on Unix or macOS.
	if kind := e.attrs >> 16 & 0xf000; (cd[5] == 3 || cd[5] == 19) && kind != 0 && kind != 0x8000 && kind != 0x4000 {
		d.fault(FaultSymlink, e.name)
	}
	if e.method != 0 && e.method != 8 {
		d.fault(FaultMethod, e.name)
	}
	if e.dir && e.usize != 0 {
		d.fault(FaultHeader, e.name)
	}
	h := make([]byte, localLen+nameLen)
	if _, err := r.ReadAt(h, e.start); err != nil || le.Uint32(h) != localSig {
		return nil, fmt.Errorf("%w: %s has no local header", ErrNotPackage, e.name)
	}
	local := make([]byte, le.Uint16(h[28:]))
	if _, err := r.ReadAt(local, e.start+localLen+int64(nameLen)); err != nil && len(local) > 0 {
		return nil, fmt.Errorf("%w: %s is truncated", ErrNotPackage, e.name)
	}
	if renamed(e.name, cd[centralLen+nameLen:centralLen+nameLen+extraLen]) || renamed(e.name, local) {
		d.fault(FaultHeader, e.name)
	}
	e.data = e.start + localLen + int64(le.Uint16(h[26:])) + int64(le.Uint16(h[28:]))
	if e.data+e.csize > limit {
		return nil, fmt.Errorf("%w: %s is truncated", ErrNotPackage, e.name)
	}
	lflags := le.Uint16(h[6:])
	same := int(le.Uint16(h[26:])) == nameLen && string(h[localLen:]) == e.raw &&
		le.Uint16(h[8:]) == e.method && (lflags^flags)&0x2049 == 0 // and both or none with a descriptor
	if lflags&8 == 0 { // without a data descriptor the local header is complete
		same = same && le.Uint32(h[14:]) == e.crc &&
			int64(le.Uint32(h[18:])) == e.csize && int64(le.Uint32(h[22:])) == e.usize
	} else {
		same = same && e.described(r)
	}
	if !same {
		d.fault(FaultHeader, e.name)
	}
	d.entries = append(d.entries, e)
	return cd[stop:], nil
}

// described compares the data descriptor behind the bytes of an entry (APPNOTE
// 4.3.9): readers that stream believe it. Its signature is optional, and its
// sizes may have eight bytes.
func (e *entry) described(r io.ReaderAt) bool {
	le := binary.LittleEndian
	var b [24]byte
	n, err := r.ReadAt(b[:], e.data+e.csize)
	if err != nil && err != io.EOF {
		return false
	}
	fits := func(d []byte) bool {
		if len(d) < 12 || le.Uint32(d) != e.crc {
			return false
		}
		return int64(le.Uint32(d[4:])) == e.csize && int64(le.Uint32(d[8:])) == e.usize ||
			len(d) >= 20 && le.Uint64(d[4:]) == uint64(e.csize) && le.Uint64(d[12:]) == uint64(e.usize)
	}
	d := b[:n]
	return len(d) >= 4 && le.Uint32(d) == 0x08074b50 && fits(d[4:]) || fits(d)
}

// checkNames finds names that some reader takes for one (reference §5.3 1).
func (d *directory) checkNames() {
	seen := make(map[string]struct{}, len(d.entries))
	for i := range d.entries {
		for _, name := range []string{d.entries[i].name, d.entries[i].alias} {
			key := strings.TrimSuffix(fold(name), "/")
			if _, dup := seen[key]; dup && name != "" {
				d.fault(FaultDuplicate, d.entries[i].name)
			}
			seen[key] = struct{}{}
		}
	}
}

// checkLayout refuses overlapping entries and searches what lies between them
// for entries that only a streaming reader would see.
func (d *directory) checkLayout(r io.ReaderAt, limit int64) error {
	order := make([]*entry, len(d.entries))
	for i := range d.entries {
		order[i] = &d.entries[i]
	}
	sort.SliceStable(order, func(i, j int) bool { return order[i].start < order[j].start })
	pos := int64(0)
	for i := 0; i <= len(order); i++ {
		next, name := limit, ""
		if i < len(order) {
			next, name = order[i].start, order[i].name
		}
		switch gap := next - pos; {
		case gap < 0:
			d.fault(FaultOverlap, name)
		case gap > maxGap:
			d.fault(FaultHidden, name)
		case gap > 0:
			b := make([]byte, gap)
			if _, err := r.ReadAt(b, pos); err != nil {
				return fmt.Errorf("%w: reading: %w", ErrNotPackage, err)
			}
			if bytes.Contains(b, []byte("PK\x03\x04")) {
				d.fault(FaultHidden, name)
			}
		}
		if i < len(order) {
			pos = max(pos, order[i].data+order[i].csize)
		}
	}
	return nil
}

// checkSizes applies the limits to the declared sizes; reading holds entries to
// what they declare.
func (d *directory) checkSizes(lim Limits) error {
	var total, stored int64
	for i := range d.entries {
		e := &d.entries[i]
		if e.usize > lim.EntrySize {
			return limitErr("size of " + e.name)
		}
		if e.usize > ratioFloor && e.usize > lim.Ratio*e.csize {
			return limitErr("compression ratio of " + e.name)
		}
		if e.method == 0 && e.csize != e.usize {
			d.fault(FaultHeader, e.name)
		}
		total, stored = total+e.usize, stored+e.csize
	}
	if total > lim.Total {
		return limitErr("total size")
	}
	if total > ratioFloor && total > lim.Ratio*stored {
		return limitErr("compression ratio")
	}
	return nil
}
