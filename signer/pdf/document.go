package pdf

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Document is a file, or one revision of it. It is not safe for concurrent use.
type Document struct {
	Trailer *Dict
	Faults  []string // places that two readers can read in two ways

	s        *source
	size     int64
	start    int64 // of the newest cross-reference section
	table    bool  // … is a table
	entries  []entry
	offsets  []int64 // of every section, sorted: objects that are or were in use
	spent    *budget
	kept     int      // values in objects
	last     []uint16 // section that named an object last
	sections uint16
	objects  map[int]Object
	packs    map[int]*pack
	loading  map[int]bool
	broken   error // the first object that did not read
}

// pack is a decoded object stream.
type pack struct {
	s     *source
	nums  []int
	where []int64
}

const maxFaults = 20

func (d *Document) fault(what string) {
	if len(d.Faults) < maxFaults && !slices.Contains(d.Faults, what) {
		d.Faults = append(d.Faults, what)
	}
}

// Open reads the structure of a file, or of a revision: the part of a file up to
// its end.
func Open(r io.ReaderAt, size int64) (*Document, error) { return openWith(r, size, &budget{}) }

func openWith(r io.ReaderAt, size int64, spent *budget) (*Document, error) {
	d := &Document{
		spent: spent, s: newSource(r, size), size: size, objects: map[int]Object{}, packs: map[int]*pack{}, loading: map[int]bool{},
	}
	if !d.s.has(0, "%PDF-") {
		return nil, fmt.Errorf("%w: no header", ErrFormat)
	}
	if err := d.findStart(); err != nil {
		return nil, err
	}
	if err := d.readChain(); err != nil {
		return nil, err
	}
	if _, ok := d.Trailer.Get("Root").(Ref); !ok || d.catalog() == nil {
		return nil, d.failed("no document catalog")
	}
	for _, v := range []*Dict{d.catalog(), d.dict(d.catalog().Get("AcroForm"))} {
		if v != nil && len(v.Twice) > 0 {
			d.fault("catalog or form with a key twice")
		}
	}
	return d, nil
}

// OpenBytes is Open of a file in memory.
func OpenBytes(b []byte) (*Document, error) { return Open(bytes.NewReader(b), int64(len(b))) }

func (d *Document) failed(what string) error {
	if d.s.err != nil {
		return d.s.err
	}
	if d.broken != nil {
		return d.broken
	}
	return fmt.Errorf("%w: %s", ErrFormat, what)
}

func (d *Document) lexer(at int64) *lexer { return &lexer{s: d.s, pos: at, spent: d.spent} }

// findStart reads the last startxref, within the last kilobyte as readers do.
func (d *Document) findStart() error {
	from := max(0, d.size-1024)
	tail, err := d.s.slice(from, d.size-from)
	if err != nil {
		return err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return fmt.Errorf("%w: no startxref", ErrFormat)
	}
	l := d.lexer(from + int64(i) + int64(len("startxref")))
	n, ok := l.digits()
	l.skipSpace()
	if !ok || n >= d.size || !d.s.has(l.pos, "%%EOF") {
		return fmt.Errorf("%w: startxref", ErrFormat)
	}
	d.start = n
	return nil
}

func (l *lexer) skipSpace() {
	for c, ok := l.s.at(l.pos); ok && isSpace(c); c, ok = l.s.at(l.pos) {
		l.pos++
	}
}

// endsWhole reports whether the file ends right behind an %%EOF and its line end.
func (d *Document) endsWhole() bool {
	for _, tail := range []string{"%%EOF", "%%EOF\n", "%%EOF\r", "%%EOF\r\n"} {
		if d.s.has(d.size-int64(len(tail)), tail) {
			return true
		}
	}
	return false
}

// indirect reads "n g obj …" at an offset.
func (d *Document) indirect(at int64) (num, gen int, o Object, err error) {
	if at <= 0 || at >= d.size {
		return 0, 0, nil, fmt.Errorf("%w: offset %d", ErrFormat, at)
	}
	l := d.lexer(at)
	n, ok1 := l.digits()
	g, ok2 := l.digits()
	l.skip()
	if !ok1 || !ok2 || n >= maxObjects || g > 65535 || !d.s.has(l.pos, "obj") {
		return 0, 0, nil, l.bad("no object")
	}
	l.pos += 3
	if o, err = l.object(0); err != nil {
		return 0, 0, nil, err
	}
	l.skip()
	if dict, ok := o.(*Dict); ok && d.s.has(l.pos, "stream") {
		l.pos += int64(len("stream"))
		if d.s.has(l.pos, "\r\n") {
			l.pos++
		}
		if !d.s.has(l.pos, "\n") {
			return 0, 0, nil, l.bad("line end behind stream")
		}
		return int(n), int(g), &Stream{Dict: dict, Offset: l.pos + 1}, nil
	}
	if !d.s.has(l.pos, "endobj") {
		return 0, 0, nil, l.bad("object without end")
	}
	return int(n), int(g), o, nil
}

// Load returns an indirect object; null when there is none. One that does not
// read is null too, and a fault.
func (d *Document) Load(ref Ref) Object {
	if ref.Num < 0 || ref.Num >= len(d.entries) {
		return nil
	}
	e := d.entries[ref.Num]
	if e.kind == unset || e.kind == free || e.kind == plain && int(e.gen) != ref.Gen || e.kind == compressed && ref.Gen != 0 {
		return nil
	}
	if o, ok := d.objects[ref.Num]; ok {
		return o
	}
	if d.loading[ref.Num] || len(d.loading) > maxDepth {
		d.fault(fmt.Sprintf("object %d needs itself", ref.Num))
		return nil
	}
	d.loading[ref.Num] = true
	defer delete(d.loading, ref.Num)
	before := d.spent.tokens
	o, err := d.load(ref.Num, e)
	if err != nil {
		if d.broken == nil {
			d.broken = err
		}
		d.fault(fmt.Sprintf("object %d does not read", ref.Num))
		o = nil
	}
	if n := d.spent.tokens - before; d.kept+n <= maxObject {
		d.objects[ref.Num], d.kept = o, d.kept+n
	}
	return o
}

// Exceeded reports whether a limit, and not the file, ended the reading of it.
func (d *Document) Exceeded() bool { return d.spent.over }

func (d *Document) load(num int, e entry) (Object, error) {
	if e.kind == compressed {
		return d.unpack(num, e)
	}
	n, g, o, err := d.indirect(e.at)
	if err != nil {
		return nil, err
	}
	if n != num || g != int(e.gen) {
		return nil, fmt.Errorf("%w: object %d is where %d should be", ErrFormat, n, num)
	}
	return o, nil
}

// unpack reads an object out of an object stream (7.5.7).
func (d *Document) unpack(num int, e entry) (Object, error) {
	p, ok := d.packs[int(e.at)]
	if !ok {
		var err error
		if p, err = d.readPack(int(e.at)); err != nil {
			return nil, err
		}
		d.packs[int(e.at)] = p
	}
	if int(e.index) >= len(p.nums) || p.nums[e.index] != num {
		return nil, fmt.Errorf("%w: object %d is not in stream %d", ErrFormat, num, e.at)
	}
	l := &lexer{s: p.s, pos: p.where[e.index], inside: true, spent: d.spent}
	return l.object(0)
}

func (d *Document) readPack(num int) (*pack, error) {
	bad := fmt.Errorf("%w: object stream %d", ErrFormat, num)
	if num >= len(d.entries) || d.entries[num].kind != plain {
		return nil, bad
	}
	st, ok := d.Load(Ref{num, int(d.entries[num].gen)}).(*Stream)
	if !ok || st.Dict.Get("Type") != Name("ObjStm") {
		return nil, bad
	}
	n, ok1 := d.Resolve(st.Dict.Get("N")).(Int)
	first, ok2 := d.Resolve(st.Dict.Get("First")).(Int)
	data, err := d.decode(st, true)
	if err != nil {
		return nil, err
	}
	if !ok1 || !ok2 || n < 0 || n > maxObjects || first < 0 || int64(first) > int64(len(data)) {
		return nil, bad
	}
	p := &pack{s: newSource(bytes.NewReader(data), int64(len(data)))}
	l := &lexer{s: p.s, inside: true, spent: d.spent}
	for range n {
		num, ok1 := l.digits()
		off, ok2 := l.digits()
		if !ok1 || !ok2 || num >= maxObjects || off > int64(len(data)) {
			return nil, bad
		}
		p.nums, p.where = append(p.nums, int(num)), append(p.where, int64(first)+off)
	}
	return p, nil
}

// Resolve follows references.
func (d *Document) Resolve(o Object) Object {
	for range 32 {
		ref, ok := o.(Ref)
		if !ok {
			return o
		}
		o = d.Load(ref)
	}
	d.fault("references turn in a circle")
	return nil
}

func (d *Document) dict(o Object) *Dict {
	v, _ := d.Resolve(o).(*Dict)
	return v
}

func (d *Document) array(o Object) Array {
	v, _ := d.Resolve(o).(Array)
	return v
}

func (d *Document) catalog() *Dict { return d.dict(d.Trailer.Get("Root")) }
