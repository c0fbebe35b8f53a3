package svg

import (
	"encoding/binary"
	"sort"
)

// standIns are tables that subsets in OFD packages leave out, because their glyphs
// are named by CGTransform, and that the parser insists on: a character map
// without characters.
var standIns = map[string][]byte{
	"cmap": {0, 0, 0, 1, 0, 3, 0, 1, 0, 0, 0, 12, // one table, Windows BMP
		0, 4, 0, 24, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 1, 0, 0},
}

// withTables returns the font file with missing tables stood in for and its
// directory in order; the bytes as they are when nothing is missing or they are no
// font.
func withTables(font []byte) []byte {
	if len(font) < 12 {
		return font
	}
	count := int(binary.BigEndian.Uint16(font[4:]))
	if len(font) < 12+16*count {
		return font
	}
	tables := map[string][]byte{}
	for i := range count {
		rec := font[12+16*i:]
		off, n := uint64(binary.BigEndian.Uint32(rec[8:])), uint64(binary.BigEndian.Uint32(rec[12:]))
		if off+n > uint64(len(font)) {
			return font
		}
		tables[string(rec[:4])] = font[off : off+n]
	}
	if len(tables) != count {
		return font
	}
	missing := false
	for tag, body := range standIns {
		if _, ok := tables[tag]; !ok {
			tables[tag], missing = body, true
		}
	}
	if !missing {
		return font
	}
	tags := make([]string, 0, len(tables))
	for tag := range tables {
		tags = append(tags, tag)
	}
	sort.Strings(tags)
	out := append(append([]byte{}, font[:4]...), 0, byte(len(tags)), 0, 0, 0, 0, 0, 0)
	at := 12 + 16*len(tags)
	var bodies []byte
	for _, tag := range tags {
		body := tables[tag]
		out = append(out, tag...)
		out = binary.BigEndian.AppendUint32(out, 0) // nobody checks the sum
		out = binary.BigEndian.AppendUint32(out, uint32(at+len(bodies)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		bodies = append(bodies, body...)
		for len(bodies)%4 != 0 {
			bodies = append(bodies, 0)
		}
		if len(bodies) > 2*len(font)+1<<10 {
			return font // tables that share bytes
		}
	}
	return append(out, bodies...)
}
