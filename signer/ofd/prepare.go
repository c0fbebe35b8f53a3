package ofd

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// beijing is the zone of SignatureDateTime, which readers show as it stands.
var beijing = time.FixedZone("UTC+8", 8*3600)

// Provider names the program that seals (GB/T 33190, 18.2.1).
type Provider struct{ Name, Version, Company string }

// Place is where one stamp goes: page counts from 1 over all documents of the
// package, millimetres in page space, Clip the visible slice of a ride seal
// (骑缝章) in seal space.
type Place struct {
	Page       int
	X, Y, W, H float64
	Clip       *Box
}

// SealRequest is what a new electronic seal or signature puts into the package.
type SealRequest struct {
	Type     string // "" or TypeSeal; TypeSign has neither stamp nor seal
	Provider Provider
	Stamps   []Place // at least one for a seal
	SealDER  []byte  // SESeal, stored as Seal.esl
	SignTime time.Time
	// Custom is added to the description of the document in OFD.xml.
	Custom []CustomData
	// WholeProtected covers Signatures.xml too: any later seal is then refused.
	// The default (ContinueSign) leaves the list open.
	WholeProtected bool
}

// Pending is a package with everything of the new seal but its signed value.
type Pending struct {
	pkg       *Package
	changed   map[string][]byte // absolute path → new bytes
	order     []string          // new files, in order of writing
	signPath  string
	valuePath string
	time      time.Time
}

// Prepare makes the changes of a new seal in the order of reference §3.3: list,
// OFD.xml, Seal.esl, digests of every other file, Signature.xml. It refuses a
// package that is not sound (ErrUnsound), one whose existing seal covers what must
// change (ErrProtected), unlisted signature files (ErrOrphan) and stamps that
// cannot be seen (ErrStamp). The package itself stays unchanged.
func Prepare(p *Package, req SealRequest) (*Pending, error) {
	if err := p.sealable(); err != nil {
		return nil, err
	}
	if req.Type == "" {
		req.Type = TypeSeal
	}
	switch bare := len(req.SealDER) == 0 && len(req.Stamps) == 0; {
	case req.Type == TypeSign && !bare:
		return nil, fmt.Errorf("%w: a signature without a seal has no stamp", ErrStamp)
	case req.Type == TypeSeal && (len(req.SealDER) == 0 || len(req.Stamps) == 0):
		return nil, fmt.Errorf("%w: a seal and a stamp are needed", ErrStamp)
	case req.Type != TypeSeal && req.Type != TypeSign:
		return nil, fmt.Errorf("%w: type %q", ErrStamp, req.Type)
	}
	b, err := p.bodyOf(req.Stamps)
	if err != nil {
		return nil, err
	}
	q := &Pending{pkg: p, changed: map[string][]byte{}, time: req.SignTime}
	list := b.List
	if list == "" {
		list = path.Dir(b.Root) + "/Signs/Signatures.xml"
	}
	for _, s := range p.Signatures() {
		if s.Covers(list) || b.List == "" && s.Covers("/OFD.xml") {
			return nil, fmt.Errorf("%w: signature %s covers the list", ErrProtected, s.ID)
		}
		if len(req.Custom) > 0 && s.Covers("/OFD.xml") {
			return nil, fmt.Errorf("%w: signature %s covers the description of the document", ErrCustom, s.ID)
		}
	}
	dir := p.freeDir(path.Dir(list))
	q.signPath, q.valuePath = dir+"/Signature.xml", dir+"/SignedValue.dat"
	sealPath := dir + "/Seal.esl"
	id := b.MaxSignID + 1
	if err := q.editCustom(b, req.Custom); err != nil {
		return nil, err
	}
	if err := q.editList(b, list, req.Type, signID(id), signID(id+len(req.Stamps))); err != nil {
		return nil, err
	}
	if req.Type == TypeSeal {
		q.put(sealPath, req.SealDER)
	}
	covered, err := q.digests(list, req.WholeProtected)
	if err != nil {
		return nil, err
	}
	q.put(q.signPath, q.signatureXML(req, id, sealPath, covered))
	return q, nil
}

// sealable refuses a package whose reading is in doubt: a seal would vouch for
// what other readers see differently (reference §5.3 1–3).
func (p *Package) sealable() error {
	if len(p.faults) > 0 {
		return fmt.Errorf("%w: %v", ErrUnsound, p.faults[0])
	}
	for _, n := range p.problems {
		if n.Code != ProblemMissing { // files that never existed are common and harmless
			return fmt.Errorf("%w: %v", ErrUnsound, n)
		}
	}
	if p.whole != nil {
		return fmt.Errorf("%w: %s lists every file", ErrProtected, p.whole.Path)
	}
	if orphans := p.Orphans(); len(orphans) > 0 {
		return fmt.Errorf("%w: %s", ErrOrphan, orphans[0])
	}
	return nil
}

// bodyOf checks the stamps and returns the document they stand on: one seal
// belongs to one document; a signature without a stamp goes to the first.
func (p *Package) bodyOf(stamps []Place) (*Body, error) {
	if len(p.Bodies) == 0 {
		return nil, fmt.Errorf("%w: no document", ErrUnsound)
	}
	var body *Body
	if len(stamps) == 0 {
		body = &p.Bodies[0]
	}
	for i, st := range stamps {
		b, pg := p.page(st.Page)
		if b == nil || pg.Path == "" || pg.ID == "" {
			return nil, fmt.Errorf("%w: stamp %d: no page %d", ErrStamp, i+1, st.Page)
		}
		if body != nil && body != b {
			return nil, fmt.Errorf("%w: stamp %d: page %d is of another document", ErrStamp, i+1, st.Page)
		}
		body = b
		if bad(st.X, st.Y, st.W, st.H) || !st.Visible().Meets(Box{0, 0, pg.Box.W, pg.Box.H}) {
			return nil, fmt.Errorf("%w: stamp %d: not on page %d", ErrStamp, i+1, st.Page)
		}
	}
	if body.Root == "" || body.Listed && body.List == "" {
		return nil, fmt.Errorf("%w: OFD.xml names no readable signature list", ErrUnsound)
	}
	return body, nil
}

func bad(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return true
		}
	}
	return false
}

// Visible is the part of the stamp that is drawn, in page space.
func (st Place) Visible() Box { return visible(Box{st.X, st.Y, st.W, st.H}, st.Clip) }

func visible(b Box, clip *Box) Box {
	if clip == nil {
		return b
	}
	// Outside the box there is nothing of the seal to be seen.
	x0, y0 := max(clip.X, 0), max(clip.Y, 0)
	x1, y1 := min(clip.X+clip.W, b.W), min(clip.Y+clip.H, b.H)
	return Box{b.X + x0, b.Y + y0, max(x1-x0, 0), max(y1-y0, 0)}
}

// page is the n-th page of the package, from 1.
func (p *Package) page(n int) (*Body, Page) {
	for i := range p.Bodies {
		b := &p.Bodies[i]
		if n >= 1 && n <= len(b.Pages) {
			return b, b.Pages[n-1]
		}
		n -= len(b.Pages)
		if n < 1 {
			break
		}
	}
	return nil, Page{}
}

// freeDir is the first Sign_N folder that nothing uses, in any spelling.
func (p *Package) freeDir(parent string) string {
	used := map[string]bool{}
	for i := range p.entries {
		used[fold(path.Dir("/"+strings.TrimSuffix(p.entries[i].name, "/")))] = true
		used[fold("/"+strings.TrimSuffix(p.entries[i].name, "/"))] = true
	}
	for n := 0; ; n++ {
		if dir := parent + "/Sign_" + strconv.Itoa(n); !used[fold(dir)] {
			return dir
		}
	}
}

func (q *Pending) put(abs string, b []byte) {
	if !q.pkg.Has(abs) {
		q.order = append(q.order, abs)
	}
	q.changed[abs] = b
}

// current is a file as it stands after the changes so far.
func (q *Pending) current(abs string) ([]byte, error) {
	if b, ok := q.changed[abs]; ok {
		return b, nil
	}
	return q.pkg.Read(abs)
}

// digests hashes every file but the new signature's own and, unless whole, the
// open list.
func (q *Pending) digests(list string, whole bool) ([]Reference, error) {
	files := append(q.pkg.Files(), q.order...)
	sort.Strings(files)
	refs := make([]Reference, 0, len(files))
	for i, f := range files {
		if i > 0 && f == files[i-1] || f == list && !whole {
			continue
		}
		var sum []byte
		if b, ok := q.changed[f]; ok {
			d := sm3.Sum(b)
			sum = d[:]
		} else {
			d, err := q.pkg.Digest(f)
			if err != nil {
				return nil, fmt.Errorf("hashing %s: %w", f, err)
			}
			sum = d
		}
		refs = append(refs, Reference{FileRef: f, Path: f, Value: sum})
	}
	return refs, nil
}

func signID(n int) string { return fmt.Sprintf("s%03d", n) }

// signatureXML writes Signature.xml (GB/T 33190, 18.2).
func (q *Pending) signatureXML(req SealRequest, id int, sealPath string, refs []Reference) []byte {
	var w strings.Builder
	w.WriteString(xmlHead + `<ofd:Signature xmlns:ofd="http://www.ofdspec.org/2016"><ofd:SignedInfo>`)
	fmt.Fprintf(&w, `<ofd:Provider ProviderName="%s" Version="%s" Company="%s"/>`,
		escape(req.Provider.Name), escape(req.Provider.Version), escape(req.Provider.Company))
	w.WriteString(`<ofd:SignatureMethod>1.2.156.10197.1.501</ofd:SignatureMethod>`)
	fmt.Fprintf(&w, `<ofd:SignatureDateTime>%s</ofd:SignatureDateTime>`, req.SignTime.In(beijing).Format("2006-01-02 15:04:05"))
	w.WriteString(`<ofd:References CheckMethod="SM3">`)
	for _, r := range refs {
		fmt.Fprintf(&w, `<ofd:Reference FileRef="%s"><ofd:CheckValue>%s</ofd:CheckValue></ofd:Reference>`,
			escape(r.FileRef), base64.StdEncoding.EncodeToString(r.Value))
	}
	w.WriteString(`</ofd:References>`)
	for i, st := range req.Stamps {
		_, pg := q.pkg.page(st.Page)
		fmt.Fprintf(&w, `<ofd:StampAnnot ID="%s" PageRef="%s" Boundary="%s"`,
			signID(id+1+i), escape(pg.ID), Box{st.X, st.Y, st.W, st.H})
		if st.Clip != nil {
			fmt.Fprintf(&w, ` Clip="%s"`, *st.Clip)
		}
		w.WriteString(`/>`)
	}
	if req.Type == TypeSeal {
		fmt.Fprintf(&w, `<ofd:Seal><ofd:BaseLoc>%s</ofd:BaseLoc></ofd:Seal>`, escape(sealPath))
	}
	fmt.Fprintf(&w, `</ofd:SignedInfo><ofd:SignedValue>%s</ofd:SignedValue></ofd:Signature>`, escape(q.valuePath))
	return []byte(w.String())
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func escape(s string) string {
	var w strings.Builder
	if err := xml.EscapeText(&w, []byte(s)); err != nil {
		return "" // a strings.Builder never fails
	}
	return w.String()
}

// DataHash is what the seal signs: SM3 of the raw bytes of Signature.xml.
func (q *Pending) DataHash() []byte {
	d := sm3.Sum(q.changed[q.signPath])
	return d[:]
}

// SignatureXML is what a signature without a seal is made over.
func (q *Pending) SignatureXML() []byte { return q.changed[q.signPath] }

// Property is the propertyInfo of the seal: the absolute path of Signature.xml.
func (q *Pending) Property() string { return q.signPath }
