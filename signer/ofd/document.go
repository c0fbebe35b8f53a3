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
	RoleShadow    // what a reader with other rules reaches instead of something else
)

// a4 is the page of a document that names none.
var a4 = Box{0, 0, 210, 297}

// readBodies walks the whole tree once: every file that OFD.xml reaches is noted
// with its role, and the model is filled.
func (p *Package) readBodies() {
	p.reach = &reach{roles: map[string]uint16{}}
	p.reach.add("/OFD.xml", RoleRoot, "")
	p.readEntries()
	root := p.parse("/OFD.xml", "")
	if root == nil {
		return
	}
	for _, db := range root.kids {
		if db.name != "DocBody" {
			continue
		}
		p.one("/OFD.xml", db, "DocRoot", "Signatures", "Versions")
		b := Body{Listed: db.find("Signatures") != nil, Custom: readCustom(db.find("DocInfo").find("CustomDatas"))}
		b.Root, _ = p.follow("/OFD.xml", p.place("/OFD.xml", db.find("DocRoot")), RoleDocument)
		if b.Root != "" {
			p.readDocument(&b)
		}
		if info := db.find("DocInfo"); info != nil {
			p.follow("/OFD.xml", info.value("Cover"), RoleMedia)
		}
		if v := db.find("Versions"); v != nil {
			for _, k := range v.kids {
				p.readVersion(k.get("BaseLoc"))
			}
		}
		if list := db.find("Signatures"); list != nil {
			var first bool
			if b.List, first = p.follow("/OFD.xml", p.place("/OFD.xml", list), RoleSignature); first {
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
	for _, other := range p.shadows(base, ref, abs) {
		// What the whole-package list signs has its name from the standard.
		if p.reach.roles[other]&asSignature == 0 {
			p.reach.add(other, RoleShadow, base)
		}
	}
	return abs, p.reach.add(abs, role, base)
}

// place is the reference that an element holds as its text.
func (p *Package) place(abs string, n *node) string {
	if n == nil {
		return ""
	}
	if n.broken || len(n.kids) > 0 {
		p.problem(ProblemAmbiguous, abs)
	}
	return n.text
}

// one notes children that stand twice and do not say the same: readers differ in
// which of them they take, and in whether a namespace counts.
func (p *Package) one(abs string, n *node, names ...string) {
	for _, name := range names {
		var first *node
		for _, k := range n.kids {
			switch {
			case k.name != name:
			case first == nil:
				first = k
			case !same(first, k) || name == "Content": // of which the children are not kept
				p.problem(ProblemAmbiguous, abs)
			}
		}
	}
}

// parse reads one structural file; a failure is a problem and nil.
func (p *Package) parse(abs, prune string) *node {
	b, err := p.readXML(abs, prune)
	if err == nil {
		var n *node
		var count int
		n, count, err = parseXMLWithin(b, prune, min(maxFrame, maxFrames-p.nodes))
		if p.nodes += count; err == nil {
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
