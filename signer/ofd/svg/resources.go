package svg

import (
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// item is one resource with the file that defines it.
type item struct {
	el   ofd.Element
	file string
	base string // BaseLoc of the file
}

func (it item) key() string { return it.file + "#" + it.el.Attr("ID") }

// resources are those of a page, then those of its document (GB/T 33190, 7.9).
// Identifiers are one number space over all kinds.
type resources struct {
	items map[string]item
	files map[string]bool
	up    *resources
}

// find looks for a resource of one of the kinds.
func (r *resources) find(id string, kinds ...string) (item, bool) {
	id = strings.TrimSpace(id)
	for ; r != nil && id != ""; r = r.up {
		if it, ok := r.items[id]; ok {
			for _, k := range kinds {
				if it.el.Name() == k {
					return it, true
				}
			}
		}
	}
	return item{}, false
}

// load reads the resource files that el names in children of the given names.
func (s *sheet) load(up *resources, el ofd.Element, from string, names ...string) *resources {
	r := &resources{items: map[string]item{}, files: map[string]bool{}, up: up}
	for k := range el.Kids() {
		for _, name := range names {
			if k.Name() == name {
				s.loadFile(r, from, k.Text())
			}
		}
	}
	if len(r.items) == 0 && up != nil {
		return up
	}
	return r
}

func (s *sheet) loadFile(r *resources, from, ref string) {
	file, found := s.pkg.Resolve(from, ref)
	if !found {
		s.warn(WarnResource, ref)
		return
	}
	if r.files[file] {
		return
	}
	r.files[file] = true
	root, err := s.element(file)
	if err != nil {
		s.warn(WarnResource, file)
		return
	}
	base := root.Attr("BaseLoc")
	s.spend(root)
	for group := range root.Kids() {
		if !s.spend(group) {
			return
		}
		for k := range group.Kids() {
			id := k.Attr("ID")
			if _, dup := r.items[id]; !dup && id != "" {
				r.items[id] = item{k, file, base}
			}
		}
	}
}

// parsed is an XML file as it was read.
type parsed struct {
	root ofd.Element
	err  error
}

// element reads an XML file once for this picture.
func (s *sheet) element(file string) (ofd.Element, error) {
	if p, ok := s.read[file]; ok {
		return p.root, p.err
	}
	var p parsed
	if s.xmlBytes += max(0, s.pkg.Size(file)); s.xmlBytes > maxXML {
		s.fail("size of the XML files")
		return ofd.Element{}, s.failed
	}
	p.root, p.err = s.pkg.Element(file)
	s.read[file] = p
	return p.root, p.err
}

// media finds the file of a resource.
func (s *sheet) media(it item, child string) (file string, found bool) {
	s.spend(it.el)
	loc := ofd.MediaRef(it.base, it.el.Find(child).Text())
	return s.pkg.Resolve(it.file, loc)
}
