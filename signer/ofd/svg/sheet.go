package svg

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// sheet draws pages of one document of one package into a drawing.
type sheet struct {
	*drawing
	pkg       *ofd.Package
	root      string // Document.xml
	doc       ofd.Element
	defaultCS string
	shared    *resources // of the document
	res       *resources // in force: of the page or template being drawn
	read      map[string]parsed
	faces     map[string]*face
	images    map[string]string      // file → id of the picture, "" when it is not drawn
	templates map[string]ofd.Element // by id
	open      map[string]bool        // templates and composites being drawn
	depth     int
}

// Page draws one page; pages count from 0 over all documents of the package, as
// ofd.Package.Pages does. Errors: ErrPage, ErrLimit.
func Page(pkg *ofd.Package, page int, opt Options) (Result, error) {
	d := newDrawing(opt.Labels)
	s, pg, err := newSheet(d, pkg, page)
	if err != nil {
		return Result{}, err
	}
	if err := s.page(pg); err != nil {
		return Result{}, err
	}
	return d.finish(pg.Box, opt.Stamps)
}

// finish puts the stamps over what was drawn and closes the picture.
func (d *drawing) finish(page ofd.Box, stamps []Stamp) (Result, error) {
	foot := d.stamps(stamps, page)
	if d.failed != nil {
		return Result{}, d.failed
	}
	var out strings.Builder
	out.Grow(d.body.Len() + d.defs.Len() + 1<<10)
	w, h := num(page.W), num(page.H+foot)
	out.WriteString(`<svg xmlns="http://www.w3.org/2000/svg"` + attr("width", w+"mm") + attr("height", h+"mm") +
		attr("viewBox", "0 0 "+w+" "+h) + `>`)
	out.WriteString(`<defs><clipPath id="page"><rect` + rect(paper(page)) + `/></clipPath>`)
	out.Write(d.defs.Bytes())
	out.WriteString(`</defs><rect class="paper"` + rect(paper(page)) + ` fill="#ffffff"/>`)
	out.Write(d.body.Bytes())
	out.WriteString("</svg>\n")
	return Result{[]byte(out.String()), d.warnings}, nil
}

// paper is the page in its own space, which starts at the corner of its box.
func paper(box ofd.Box) ofd.Box { return ofd.Box{W: box.W, H: box.H} }

// newSheet finds the page and reads what its document shares.
func newSheet(d *drawing, pkg *ofd.Package, page int) (*sheet, ofd.Page, error) {
	if len(pkg.Faults()) > 0 {
		// Two readers see two documents: there is no picture of it.
		return nil, ofd.Page{}, fmt.Errorf("%w: %w: %s", ErrPage, ofd.ErrUnsound, pkg.Faults()[0])
	}
	n := page
	for i := range pkg.Bodies {
		b := &pkg.Bodies[i]
		if n < 0 || n >= len(b.Pages) {
			n -= len(b.Pages)
			continue
		}
		pg := b.Pages[n]
		if pg.Path == "" {
			return nil, pg, fmt.Errorf("%w: page %d is not in the package", ErrPage, page)
		}
		if !(pg.Box.W >= minEdge && pg.Box.H >= minEdge && pg.Box.W <= maxEdge && pg.Box.H <= maxEdge) {
			return nil, pg, fmt.Errorf("%w: page %d has the size %s", ErrPage, page, pg.Box)
		}
		s := &sheet{drawing: d, pkg: pkg, root: b.Root, read: map[string]parsed{},
			faces: map[string]*face{}, images: map[string]string{}, templates: map[string]ofd.Element{}, open: map[string]bool{}}
		var err error
		if s.doc, err = s.element(b.Root); err != nil {
			return nil, pg, refused(err)
		}
		common := s.doc.Find("CommonData")
		s.shared = s.load(nil, common, b.Root, "PublicRes", "DocumentRes")
		s.defaultCS = common.Find("DefaultCS").Text()
		for t := range common.Kids() {
			if _, dup := s.templates[t.Attr("ID")]; !dup && t.Name() == "TemplatePage" {
				s.templates[t.Attr("ID")] = t
			}
		}
		return s, pg, nil
	}
	return nil, ofd.Page{}, fmt.Errorf("%w: no page %d", ErrPage, page)
}

// refused is the error of a page or document file that does not read.
func refused(err error) error {
	if errors.Is(err, ErrLimit) {
		return err
	}
	if errors.Is(err, ofd.ErrLimit) {
		return fmt.Errorf("%w: %w", ErrLimit, err)
	}
	return fmt.Errorf("%w: %w", ErrPage, err)
}

// page draws templates, layers and annotations inside the page box.
func (s *sheet) page(pg ofd.Page) error {
	root, err := s.element(pg.Path)
	if err != nil {
		return refused(err)
	}
	s.put(`<g class="page" clip-path="url(#page)">`)
	s.content(root, pg.Path)
	s.annotations(pg.ID)
	s.put("</g>")
	return s.failed
}

// orders of layers and templates, first drawn first (GB/T 33190, 7.7).
var orders = []string{"Background", "Body", "Foreground"}

// order of a layer or template; custom layers stand with the body.
func order(name, def string) string {
	for _, o := range orders {
		if strings.EqualFold(name, o) {
			return o
		}
	}
	return def
}

// content draws a page or template: for each order its templates, then its own
// layers.
func (s *sheet) content(root ofd.Element, file string) {
	before := s.res
	s.res = s.load(s.shared, root, file, "PageRes")
	s.spend(root, root.Find("Content"))
	for _, o := range orders {
		for k := range root.Kids() {
			if k.Name() == "Template" {
				s.template(k.Attr("TemplateID"), k.Attr("ZOrder"), o)
			}
		}
		for layer := range root.Find("Content").Kids() {
			if layer.Name() == "Layer" && order(layer.Attr("Type"), "Body") == o {
				st := plainStyle()
				s.drawParam(&st, layer.Attr("DrawParam"), 0)
				s.block(layer, st)
			}
		}
	}
	s.res = before
}

// template draws the template of that id if it stands in the order now drawn; the
// page's word goes before the template's own.
func (s *sheet) template(id, zorder, now string) {
	t, known := s.templates[id]
	if zorder == "" {
		zorder = t.Attr("ZOrder")
	}
	if order(zorder, "Background") != now || !s.object() {
		return
	}
	file, found := s.pkg.Resolve(s.root, t.Attr("BaseLoc"))
	root, err := s.element(file)
	if !known || !found || err != nil {
		s.warn(WarnResource, "TemplatePage "+id)
		return
	}
	s.within(file, func() { s.content(root, file) })
}

// within draws something that may contain itself: never twice inside one another,
// and never too deep.
func (s *sheet) within(key string, draw func()) {
	if s.open[key] || s.depth >= maxDepth {
		s.warn(WarnCycle, key)
		return
	}
	s.open[key] = true
	s.depth++
	draw()
	s.depth--
	delete(s.open, key)
}
