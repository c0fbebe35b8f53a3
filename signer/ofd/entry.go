package ofd

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/emmansun/gmsm/sm3"
)

// Package is an opened OFD package.
type Package struct {
	r       io.ReaderAt
	size    int64
	lim     Limits
	entries []entry
	byName  map[string]int
	byFold  map[string]int
	digests map[string][sm3.Size]byte
	damaged map[string]error // so that a bad entry is inflated once, however often it is named
	boxes   map[string]Box   // of pages that were read
	parsed  int64            // bytes of XML so far
	nodes   int              // of structural XML so far
	refs    int              // references of all signatures so far
	stamps  int              // the same of stamps
	inflate io.ReadCloser    // reused from entry to entry
	packed  *bufio.Reader    // the same: what inflate reads from
	buf     []byte           // the same

	faults   []Note
	problems []Note
	notes    []Note
	seen     map[Note]bool

	// Bodies are the documents of the package, in order (GB/T 33190, DocBody).
	Bodies []Body
	reach  *reach
	whole  *Entries
}

// Open reads a package that is in memory, with the default limits.
func Open(data []byte) (*Package, error) {
	return OpenReaderAt(bytes.NewReader(data), int64(len(data)), Limits{})
}

// OpenReaderAt reads a package without holding it in memory: files are inflated
// one by one when they are asked for. Errors: ErrNotPackage, ErrLimit.
func OpenReaderAt(r io.ReaderAt, size int64, lim Limits) (*Package, error) {
	lim = lim.withDefaults()
	d, err := readDirectory(r, size, lim)
	if err != nil {
		return nil, err
	}
	p := &Package{
		r: r, size: size, lim: lim, entries: d.entries, faults: d.faults, notes: d.notes,
		byName: make(map[string]int, len(d.entries)), byFold: make(map[string]int, len(d.entries)),
		digests: make(map[string][sm3.Size]byte, len(d.entries)), damaged: map[string]error{},
		boxes: map[string]Box{}, seen: map[Note]bool{},
	}
	for i := range p.entries {
		p.byName[p.entries[i].name] = i
		p.byFold[fold(p.entries[i].name)] = i
		if alias := p.entries[i].alias; alias != "" {
			p.byFold[fold(alias)] = i
		}
	}
	if _, ok := p.byName["OFD.xml"]; !ok {
		return nil, fmt.Errorf("%w: no OFD.xml", ErrNotPackage)
	}
	p.readBodies()
	return p, nil
}

// Faults are the reasons why the container cannot be trusted; none in a sound
// package.
func (p *Package) Faults() []Note { return p.faults }

// Problems are XML files that do not parse and references that lead nowhere.
// The list grows until Reachable was called.
func (p *Package) Problems() []Note { return p.problems }

// Notes are remarks that change no verdict.
func (p *Package) Notes() []Note { return p.notes }

func (p *Package) problem(code, path string) { p.once(&p.problems, Note{code, path}) }
func (p *Package) note(code, path string)    { p.once(&p.notes, Note{code, path}) }
func (p *Package) once(list *[]Note, n Note) {
	if !p.seen[n] {
		p.seen[n] = true
		*list = append(*list, n)
	}
}

// Files lists the absolute paths of all files in directory order.
func (p *Package) Files() []string {
	out := make([]string, 0, len(p.entries))
	for i := range p.entries {
		if !p.entries[i].dir {
			out = append(out, "/"+p.entries[i].name)
		}
	}
	return out
}

// Has reports whether the file at the absolute path exists, exactly so named.
func (p *Package) Has(abs string) bool {
	i, ok := p.byName[abs[1:]]
	return ok && !p.entries[i].dir
}

// Read inflates one file, at most the XML limit. Its digest is kept.
func (p *Package) Read(abs string) ([]byte, error) {
	e, err := p.find(abs)
	if err != nil {
		return nil, err
	}
	if e.usize > p.lim.XMLSize {
		return nil, limitErr("size of " + abs)
	}
	b := make([]byte, 0, e.usize+bytes.MinRead)
	buf := bytes.NewBuffer(b)
	if err := p.copyEntry(buf, e); err != nil {
		return nil, err
	}
	p.digests[e.name] = sm3.Sum(buf.Bytes())
	return buf.Bytes(), nil
}

// Digest is the SM3 of one file's inflated bytes: no canonicalisation of any
// kind (GB/T 33190, 18.2.1).
func (p *Package) Digest(abs string) ([]byte, error) {
	e, err := p.find(abs)
	if err != nil {
		return nil, err
	}
	if d, ok := p.digests[e.name]; ok {
		return d[:], nil
	}
	h := sm3.New()
	if err := p.copyEntry(h, e); err != nil {
		return nil, err
	}
	var d [sm3.Size]byte
	h.Sum(d[:0])
	p.digests[e.name] = d
	return d[:], nil
}

func (p *Package) find(abs string) (*entry, error) {
	if len(abs) > 1 && abs[0] == '/' {
		if i, ok := p.byName[abs[1:]]; ok && !p.entries[i].dir {
			return &p.entries[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoEntry, abs)
}

// copyEntry inflates e into w and remembers a failure.
func (p *Package) copyEntry(w io.Writer, e *entry) error {
	if err := p.damaged[e.name]; err != nil {
		return err
	}
	err := p.inflateTo(w, e)
	if err != nil {
		p.damaged[e.name] = err
	}
	return err
}

// inflateTo holds an entry to its declared size and checksum.
func (p *Package) inflateTo(w io.Writer, e *entry) error {
	section := io.NewSectionReader(p.r, e.data, e.csize)
	var src io.Reader = section
	switch e.method {
	case 0:
	case 8:
		if p.inflate == nil {
			p.packed = bufio.NewReader(section)
			p.inflate = flate.NewReader(p.packed)
		} else {
			p.packed.Reset(section)
			if err := p.inflate.(flate.Resetter).Reset(p.packed, nil); err != nil {
				return fmt.Errorf("ofd: inflating %s: %w", e.name, err)
			}
		}
		src = p.inflate
	default:
		return fmt.Errorf("%w: %s: compression method", ErrDamaged, e.name)
	}
	sum := &summer{w: w, crc: crc32.NewIEEE()}
	// One byte more than declared is enough to see that an entry lies.
	n, err := io.CopyBuffer(sum, io.LimitReader(src, e.usize+1), p.buffer())
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, e.name, err)
	}
	if n != e.usize || sum.crc.Sum32() != e.crc {
		return fmt.Errorf("%w: %s: size or checksum", ErrDamaged, e.name)
	}
	// Readers that stream look for the descriptor, and the next entry, where the
	// deflated data end: bytes left over there are an entry only for them.
	if at, err := section.Seek(0, io.SeekCurrent); e.method == 8 && e.streams && (err != nil || at-int64(p.packed.Buffered()) != e.csize) {
		return fmt.Errorf("%w: %s: bytes behind the deflated data", ErrDamaged, e.name)
	}
	return nil
}

func (p *Package) buffer() []byte {
	if p.buf == nil {
		p.buf = make([]byte, 32<<10)
	}
	return p.buf
}

// summer keeps the checksum of what passes.
type summer struct {
	w   io.Writer
	crc hash.Hash32
}

func (s *summer) Write(b []byte) (int, error) {
	s.crc.Write(b) // a hash never fails
	return s.w.Write(b)
}
