package svg

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// annotations draws the visible annotations of a page (GB/T 33190, 15), each in a
// dashed frame with its label: an annotation of type Stamp shows a picture of a
// seal, and is none.
func (s *sheet) annotations(page string) {
	ref := s.doc.Find("Annotations").Text()
	if ref == "" || page == "" {
		return
	}
	file, found := s.pkg.Resolve(s.root, ref)
	list, err := s.element(file)
	if !found || err != nil {
		s.warn(WarnAnnotation, ref)
		return
	}
	s.res = s.shared
	s.spend(list)
	for p := range list.Kids() {
		if p.Name() != "Page" || strings.TrimSpace(p.Attr("PageID")) != page {
			continue
		}
		s.spend(p)
		for loc := range p.Kids() {
			if loc.Name() == "FileLoc" {
				s.annotationFile(file, loc.Text())
			}
		}
	}
}

func (s *sheet) annotationFile(from, ref string) {
	file, found := s.pkg.Resolve(from, ref)
	list, err := s.element(file)
	if !found || err != nil {
		s.warn(WarnAnnotation, ref)
		return
	}
	s.spend(list)
	for a := range list.Kids() {
		if !s.object() || !s.spend(a) {
			return
		}
		look := a.Find("Appearance")
		if a.Name() != "Annot" || !look.Is() || !isTrue(a.Attr("Visible"), true) {
			continue
		}
		box, ok := ofd.ParseBox(look.Attr("Boundary"))
		if !ok {
			s.warn(WarnAnnotation, a.Attr("ID"))
		}
		s.put(`<g class="annotation"><g`, shift(box.X, box.Y).attr(), ">")
		s.block(look, plainStyle())
		s.put("</g>")
		if ok && box.W > 0 && box.H > 0 {
			s.put("<rect", rect(box), ` fill="none" stroke="#6b6b6b" stroke-width="0.25" stroke-dasharray="1.2 0.8"/>`)
			s.tag(box.X, box.Y-0.8, s.labels.Annotation)
		}
		s.put("</g>")
	}
}

// tag is a small label that stands on the point.
func (d *drawing) tag(x, y float64, words string) {
	d.put("<text", attr("x", num(x)), attr("y", num(y)), ` font-size="2.6" font-family="sans-serif" fill="#6b6b6b" stroke="#ffffff"`+
		` stroke-width="0.6" paint-order="stroke">`, escape(words), "</text>")
}
