package ofd

import (
	"errors"
	"strings"
)

// Body is one document of the package (GB/T 33190, DocBody).
type Body struct {
	Root       string // absolute path of Document.xml
	List       string // absolute path of Signatures.xml, "" when there is none
	Listed     bool   // OFD.xml has a Signatures element
	MaxSignID  int    // highest number used by signatures and stamps
	Custom     []CustomData
	Pages      []Page
	Signatures []Signature
}

// Page is one page with its physical box.
type Page struct {
	ID   string
	Path string
	Box  Box
}

// Role says as what a file is reached from OFD.xml.
type Role uint8

// Roles. One file may have several, and is read in each of them.
const (
	RoleRoot Role = iota
	RoleDocument
	RolePage
	RoleTemplate
	RoleResource
	RoleMedia
	RoleAnnotation
	RoleAttachment
	RoleTag
	RoleExtension
	RoleVersion
	RoleSignature // list, Signature.xml, signed value, seal
)

// a4 is the page of a document that names none.
var a4 = Box{0, 0, 210, 297}

// readBodies walks the whole tree once: every file that OFD.xml reaches is noted
// with its role, and the model is filled.
func (p *Package) readBodies() {
	p.reach = &reach{roles: map[string]uint16{}}
	p.reach.add("/OFD.xml", RoleRoot, "")
	root := p.parse("/OFD.xml", "")
	if root == nil {
		return
	}
	for _, db := range root.kids {
		if db.name != "DocBody" {
			continue
		}
		b := Body{Listed: db.find("Signatures") != nil, Custom: readCustom(db.find("DocInfo").find("CustomDatas"))}
		b.Root, _ = p.follow("/OFD.xml", db.value("DocRoot"), RoleDocument)
		if b.Root != "" {
			p.readDocument(&b)
		}
		if v := db.find("Versions"); v != nil {
			for _, k := range v.kids {
				p.readVersion(k.get("BaseLoc"))
			}
		}
		if loc := db.value("Signatures"); loc != "" {
			var first bool
			if b.List, first = p.follow("/OFD.xml", loc, RoleSignature); first {
				p.readSignatures(&b)
			}
		}
		if b.Listed && b.List == "" {
			p.problem(ProblemList, "/OFD.xml")
		}
		p.Bodies = append(p.Bodies, b)
	}
	if len(p.Bodies) == 0 {
		p.problem(ProblemXML, "/OFD.xml")
	}
}

// follow resolves a reference and notes what it reaches; the path is empty and
// the problem noted when nothing is there. First tells that the file was not yet
// reached in this role, so that reading it cannot go in circles.
func (p *Package) follow(base, ref string, role Role) (abs string, first bool) {
	if strings.TrimSpace(ref) == "" {
		return "", false
	}
	abs, found := p.Resolve(base, ref)
	if !found {
		if abs != "" {
			p.problem(ProblemMissing, abs)
		}
		return "", false
	}
	return abs, p.reach.add(abs, role, base)
}

// parse reads one structural file; a failure is a problem and nil.
func (p *Package) parse(abs, prune string) *node {
	b, err := p.readXML(abs, prune)
	if err == nil {
		var n *node
		if n, err = parseXML(b, prune); err == nil {
			return n
		}
	}
	code := ProblemXML
	if errors.Is(err, ErrLimit) {
		code = ProblemLimit
	}
	p.problem(code, abs)
	return nil
}

// readXML reads a file that will be parsed, within the limits of XML. Of a page
// only the frame is kept, of any other file every element: it may be half as
// large.
func (p *Package) readXML(abs, prune string) ([]byte, error) {
	e, err := p.find(abs)
	if err != nil {
		return nil, err
	}
	if p.parsed += e.usize; p.parsed > p.lim.XMLTotal || prune == "" && e.usize > p.lim.XMLSize/2 {
		return nil, limitErr("xml of " + abs)
	}
	return p.Read(abs)
}

func (p *Package) readDocument(b *Body) {
	doc := p.parse(b.Root, "")
	if doc == nil {
		return
	}
	common := doc.find("CommonData")
	box := a4
	if area := common.find("PageArea"); area != nil {
		if v, ok := ParseBox(area.value("PhysicalBox")); ok {
			box = v
		}
	}
	if common != nil {
		for _, k := range common.kids {
			switch k.name {
			case "PublicRes", "DocumentRes":
				p.readResource(b.Root, k.text)
			case "TemplatePage":
				if abs, first := p.follow(b.Root, k.get("BaseLoc"), RoleTemplate); first {
					p.readPage(abs, box)
				}
			}
		}
	}
	if pages := doc.find("Pages"); pages != nil {
		for _, k := range pages.kids {
			pg := Page{ID: k.get("ID"), Box: box}
			if abs, first := p.follow(b.Root, k.get("BaseLoc"), RolePage); abs != "" {
				if first {
					p.boxes[abs] = p.readPage(abs, box)
				}
				pg.Path, pg.Box = abs, p.boxes[abs]
			}
			b.Pages = append(b.Pages, pg)
		}
	}
	p.readList(b.Root, doc.value("Annotations"), RoleAnnotation, "FileLoc")
	p.readList(b.Root, doc.value("Attachments"), RoleAttachment, "FileLoc")
	p.readList(b.Root, doc.value("CustomTags"), RoleTag, "FileLoc", "SchemaLoc")
	p.readList(b.Root, doc.value("Extensions"), RoleExtension, "ExtendData")
}

// readPage returns the physical box of a page and follows its resources.
func (p *Package) readPage(abs string, box Box) Box {
	pg := p.parse(abs, "Content")
	if pg == nil {
		return box
	}
	for _, k := range pg.kids {
		switch k.name {
		case "PageRes":
			p.readResource(abs, k.text)
		case "Area":
			if v, ok := ParseBox(k.value("PhysicalBox")); ok {
				box = v
			}
		}
	}
	return box
}

// readResource follows fonts, colour profiles and media of a resource file;
// their places are relative to its BaseLoc (GB/T 33190).
func (p *Package) readResource(base, ref string) {
	abs, first := p.follow(base, ref, RoleResource)
	if !first {
		return
	}
	res := p.parse(abs, "")
	if res == nil {
		return
	}
	for _, group := range res.kids {
		for _, k := range group.kids {
			for _, loc := range []string{k.value("FontFile"), k.value("MediaFile"), k.get("Profile")} {
				if loc = MediaRef(res.get("BaseLoc"), loc); loc != "" {
					p.follow(abs, loc, RoleMedia)
				}
			}
		}
	}
}

// readList follows a file that lists others: annotations, attachments, tags,
// extensions.
func (p *Package) readList(base, ref string, role Role, elements ...string) {
	abs, first := p.follow(base, ref, role)
	if !first {
		return
	}
	list := p.parse(abs, "")
	if list == nil {
		return
	}
	for _, item := range list.kids {
		for _, k := range item.kids {
			for _, name := range elements {
				if k.name == name {
					p.follow(abs, k.text, role)
				}
			}
		}
	}
}

// readVersion follows one kept version: its own document root and files.
func (p *Package) readVersion(loc string) {
	abs, first := p.follow("/OFD.xml", loc, RoleVersion)
	if !first {
		return
	}
	v := p.parse(abs, "")
	if v == nil {
		return
	}
	p.follow(abs, v.value("DocRoot"), RoleVersion)
	if list := v.find("FileList"); list != nil {
		for _, k := range list.kids {
			p.follow(abs, k.text, RoleVersion)
		}
	}
}
