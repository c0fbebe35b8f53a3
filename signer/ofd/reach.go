package ofd

import (
	"path"
	"sort"
	"strings"
)

// Reached is one way in which a file is reached from OFD.xml.
type Reached struct {
	Path string
	Role Role
	From string // the file that holds the reference
}

// reach collects what OFD.xml reaches.
type reach struct {
	ways  []Reached
	roles map[string]uint16 // one bit for each Role
}

const asSignature = 1 << RoleSignature

// add notes one way and reports whether the file is new in this role.
func (r *reach) add(abs string, role Role, from string) bool {
	had := r.roles[abs]
	if had&(1<<role) != 0 {
		return false
	}
	r.roles[abs] = had | 1<<role
	r.ways = append(r.ways, Reached{abs, role, from})
	return true
}

// Reachable lists every file that is reached from OFD.xml, and how.
func (p *Package) Reachable() []Reached { return p.reach.ways }

// OnlySignature reports whether a file is reached as a part of signatures and as
// nothing else.
func (p *Package) OnlySignature(abs string) bool { return p.reach.roles[abs] == asSignature }

// Coverage tells what a signature protects.
type Coverage struct {
	Covered      []string // referenced and present
	Uncovered    []string // reachable content, OFD.xml included, that is not referenced
	Unreferenced []string // neither reachable nor referenced: extra files
}

// CoverageOf compares the references of s with what is reachable.
//
// The files of signatures themselves need no coverage: a signed value cannot
// cover itself and the list stays open for later seals (ContinueSign). That holds
// only for a file that nothing reaches as content, or else a forged record could
// exempt a page.
func (p *Package) CoverageOf(s *Signature) Coverage {
	var c Coverage
	in := make(map[string]bool, len(s.References))
	for i := range s.References {
		if r := &s.References[i]; r.Found && !in[r.Path] {
			in[r.Path] = true
			c.Covered = append(c.Covered, r.Path)
		}
	}
	for _, f := range p.Files() {
		switch roles := p.reach.roles[f]; {
		case in[f]:
		case roles&^asSignature != 0:
			c.Uncovered = append(c.Uncovered, f)
		case roles == 0:
			c.Unreferenced = append(c.Unreferenced, f)
		}
	}
	sort.Strings(c.Covered)
	return c
}

// Covers reports whether the signature references the file.
func (s *Signature) Covers(abs string) bool {
	for i := range s.References {
		if s.References[i].Path == abs {
			return true
		}
	}
	return false
}

// Orphans are files that look like parts of a signature and that no list names:
// what remains when a signature was stripped (reference §5.3 6).
func (p *Package) Orphans() []string {
	var out []string
	for _, f := range p.Files() {
		if p.reach.roles[f] != 0 {
			continue
		}
		switch base := strings.ToLower(path.Base(f)); {
		case base == "signatures.xml", base == "signature.xml", base == "signedvalue.dat",
			base == "signvalue.dat", strings.HasSuffix(base, ".esl"):
			out = append(out, f)
		}
	}
	return out
}
