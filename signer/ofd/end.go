package ofd

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// findEnd returns the end record with its comment, and its position. It is sure
// when no reader with other rules of searching would take another record: some
// take the last signature whatever its comment's length says, and some believe a
// zip64 locator before it even where nothing points to one.
func findEnd(r io.ReaderAt, size int64) (end []byte, pos int64, sure bool, err error) {
	n := min(size, endLen+maxComment)
	// Nearly every package has no comment: look there before reading the tail.
	for _, n := range []int64{min(size, endLen), n} {
		tail := make([]byte, n)
		if _, err := r.ReadAt(tail, size-n); err != nil && err != io.EOF {
			return nil, 0, false, fmt.Errorf("%w: reading: %w", ErrNotPackage, err)
		}
		sure = true
		for i := len(tail) - endLen; i >= 0; i-- {
			if binary.LittleEndian.Uint32(tail[i:]) != endSig {
				continue
			}
			stop := i + endLen + int(binary.LittleEndian.Uint16(tail[i+20:]))
			if stop > len(tail) {
				sure = false
				continue
			}
			pos = size - n + int64(i)
			return tail[i:stop], pos, sure && !located64(r, pos), nil
		}
	}
	return nil, 0, false, fmt.Errorf("%w: no zip directory (not a zip file, or truncated)", ErrNotPackage)
}

// located64 reports whether a zip64 locator stands before the end record.
func located64(r io.ReaderAt, endPos int64) bool {
	const locatorLen = 20
	var b [4]byte
	if endPos < locatorLen {
		return false
	}
	_, err := r.ReadAt(b[:], endPos-locatorLen)
	return err == nil && string(b[:]) == "PK\x06\x07"
}

// renamed reports whether an extra field gives the entry another name: readers
// that know the Unicode path of Info-ZIP (0x7075) show that one.
func renamed(name string, extra []byte) bool {
	le := binary.LittleEndian
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return false // cut off: nobody reads it
		}
		if field := extra[:n]; id == 0x7075 && n > 5 {
			if unicode := strings.TrimLeft(clean(string(field[5:])), "/"); unicode != name {
				return true
			}
		}
		extra = extra[n:]
	}
	return false
}
