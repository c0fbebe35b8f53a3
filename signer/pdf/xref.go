package pdf

import (
	"fmt"
	"slices"
)

// kinds of a cross-reference entry.
const (
	unset      = iota
	free       // no object
	plain      // at an offset
	compressed // in an object stream
)

// entry says where an object is: its offset, or the number of its object stream
// and the index in there.
type entry struct {
	kind  uint8
	gen   uint16
	index int32
	at    int64
}

// section is one cross-reference section while it is read.
type section struct {
	d       *Document
	id      uint16
	hidden  []int // free in the table of a hybrid file
	isTable bool
}

func (d *Document) section() *section {
	d.sections++
	return &section{d: d, id: d.sections}
}

// readChain reads every section from the newest to the oldest; what a newer one
// says about an object stands.
func (d *Document) readChain() error {
	visited := map[int64]bool{}
	for at, next := d.start, true; next; {
		if visited[at] {
			return fmt.Errorf("%w: cross-reference sections turn in a circle", ErrFormat)
		}
		if visited[at] = true; len(visited) > maxSections {
			return fmt.Errorf("%w: more than %d cross-reference sections", ErrLimit, maxSections)
		}
		trailer, table, err := d.readSection(at)
		if err != nil {
			return err
		}
		if d.Trailer == nil {
			d.Trailer, d.table = trailer, table
		}
		if trailer.Get("Encrypt") != nil {
			return ErrEncrypted
		}
		if len(trailer.Twice) > 0 {
			d.fault("trailer with a key twice")
		}
		prev := trailer.Get("Prev")
		n, ok := prev.(Int)
		if prev != nil && !ok {
			return fmt.Errorf("%w: Prev is no offset", ErrFormat)
		}
		at, next = int64(n), ok
	}
	slices.Sort(d.offsets)
	d.offsets = slices.Compact(d.offsets)
	return nil
}

func (d *Document) readSection(at int64) (trailer *Dict, table bool, err error) {
	sec := d.section()
	l := d.lexer(at)
	l.skip()
	if !d.s.has(l.pos, "xref") {
		trailer, err = sec.stream(at)
		return trailer, false, err
	}
	l.pos += 4
	sec.isTable = true
	if trailer, err = sec.table(l); err != nil {
		return nil, true, err
	}
	// Hybrid (7.5.8.4): the stream is asked after its table and before Prev.
	if x, ok := trailer.Get("XRefStm").(Int); ok {
		sub := d.section()
		if _, err := sub.stream(int64(x)); err != nil {
			return nil, true, err
		}
	}
	for _, n := range sec.hidden {
		if d.entries[n].kind == unset {
			d.entries[n].kind = free
		}
	}
	return trailer, true, nil
}

// put records an entry unless a newer section has the object.
func (x *section) put(num int64, e entry) error {
	if num < 0 || num >= maxObjects {
		return fmt.Errorf("%w: object number %d", ErrLimit, num)
	}
	n := int(num)
	if n >= len(x.d.entries) {
		x.d.entries = append(x.d.entries, make([]entry, n+1-len(x.d.entries))...)
		x.d.last = append(x.d.last, make([]uint16, n+1-len(x.d.last))...)
	}
	if x.d.last[n] == x.id {
		x.d.fault(fmt.Sprintf("object %d twice in one cross-reference section", n))
	}
	x.d.last[n] = x.id
	if e.kind == plain {
		if e.at < 0 || e.at >= x.d.size {
			return fmt.Errorf("%w: object %d is outside the file", ErrFormat, n)
		}
		if len(x.d.offsets) >= 4*maxObjects {
			return fmt.Errorf("%w: cross-reference entries", ErrLimit)
		}
		x.d.offsets = append(x.d.offsets, e.at)
	}
	if e.kind == free && x.isTable {
		x.hidden = append(x.hidden, n)
		return nil
	}
	if x.d.entries[n].kind == unset {
		x.d.entries[n] = e
	}
	return nil
}

// table reads subsections up to the trailer.
func (x *section) table(l *lexer) (*Dict, error) {
	for {
		l.skip()
		if l.s.has(l.pos, "trailer") {
			l.pos += int64(len("trailer"))
			o, err := l.object(0)
			if err != nil {
				return nil, err
			}
			t, ok := o.(*Dict)
			if !ok {
				return nil, l.bad("trailer is no dictionary")
			}
			return t, nil
		}
		first, ok1 := l.digits()
		count, ok2 := l.digits()
		if !ok1 || !ok2 || first+count > maxObjects {
			return nil, l.bad("cross-reference subsection")
		}
		for i := range count {
			at, ok1 := l.digits()
			gen, ok2 := l.digits()
			l.skip()
			c, _ := l.s.at(l.pos)
			if !ok1 || !ok2 || gen > 65535 || c != 'n' && c != 'f' {
				return nil, l.bad("cross-reference entry")
			}
			l.pos++
			e := entry{kind: plain, gen: uint16(gen), at: at}
			if c == 'f' || at == 0 { // no object can stand at 0; some writers mean free
				e = entry{kind: free}
			}
			if err := x.put(first+i, e); err != nil {
				return nil, err
			}
		}
	}
}

// digits reads an unsigned number of at most 15 digits.
func (l *lexer) digits() (n int64, ok bool) {
	l.skip()
	for i := 0; ; i++ {
		c, more := l.s.at(l.pos)
		if !more || c < '0' || c > '9' {
			return n, i > 0
		}
		if i == 15 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
		l.pos++
	}
}

// stream reads a cross-reference stream (7.5.8).
func (x *section) stream(at int64) (*Dict, error) {
	_, _, o, err := x.d.indirect(at)
	if err != nil {
		return nil, err
	}
	st, ok := o.(*Stream)
	if !ok || st.Dict.Get("Type") != Name("XRef") {
		return nil, fmt.Errorf("%w: no cross-reference section at %d", ErrFormat, at)
	}
	data, err := x.d.decode(st, false)
	if err != nil {
		return nil, err
	}
	w, err := widths(st.Dict)
	if err != nil {
		return nil, err
	}
	size, _ := st.Dict.Get("Size").(Int)
	index, _ := st.Dict.Get("Index").(Array)
	if index == nil {
		index = Array{Int(0), size}
	}
	if len(index)%2 != 0 {
		return nil, fmt.Errorf("%w: Index of a cross-reference stream", ErrFormat)
	}
	width := w[0] + w[1] + w[2]
	for i := 0; i < len(index); i += 2 {
		first, ok1 := index[i].(Int)
		count, ok2 := index[i+1].(Int)
		if !ok1 || !ok2 || first < 0 || count < 0 || first > maxObjects || count > maxObjects || int(count)*width > len(data) {
			return nil, fmt.Errorf("%w: Index of a cross-reference stream", ErrFormat)
		}
		for n := range int64(count) {
			e, known := streamEntry(data[:width], w)
			data = data[width:]
			if !known {
				continue // a type of a later version: as if it were not there
			}
			if err := x.put(int64(first)+n, e); err != nil {
				return nil, err
			}
		}
	}
	return st.Dict, nil
}

func widths(d *Dict) (w [3]int, err error) {
	a, _ := d.Get("W").(Array)
	for i := range w {
		n := Int(-1)
		if len(a) >= 3 {
			n, _ = a[i].(Int)
		}
		if n < 0 || n > 8 {
			return w, fmt.Errorf("%w: W of a cross-reference stream", ErrFormat)
		}
		w[i] = int(n)
	}
	if w[0]+w[1]+w[2] == 0 {
		return w, fmt.Errorf("%w: W of a cross-reference stream", ErrFormat)
	}
	return w, nil
}

func streamEntry(row []byte, w [3]int) (e entry, known bool) {
	var f [3]uint64
	for i := range f {
		for range w[i] {
			f[i] = f[i]<<8 | uint64(row[0])
			row = row[1:]
		}
	}
	if w[0] == 0 {
		f[0] = 1
	}
	switch {
	case f[0] == 0:
		return entry{kind: free}, true
	case f[0] == 1 && f[1] < 1<<62 && f[2] < 1<<16:
		return entry{kind: plain, at: int64(f[1]), gen: uint16(f[2])}, true
	case f[0] == 2 && f[1] < maxObjects && f[2] < maxObjects:
		return entry{kind: compressed, at: int64(f[1]), index: int32(f[2])}, true
	}
	return entry{}, false
}
