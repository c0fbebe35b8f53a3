package ofd

import "path"

// entriesPath is where the list of the whole package stands (GM/T 0099-2020,
// annex D): names only, no digests, against smuggled files.
const entriesPath = "/OFDEntries.xml"

// Entries is the signed list of all files of a package (防夹带).
type Entries struct {
	Path      string
	ValuePath string   // of its signed value, "" when missing
	Missing   []string // listed, and not in the package
	Smuggled  []string // in the package, and not listed
	Created   string   // CreationDate, as written
	Broken    bool     // the list does not parse
}

// Entries is nil when the package has no such list.
func (p *Package) Entries() *Entries { return p.whole }

// readEntries reads the list and compares it with the package. The list and its
// value cannot list themselves.
func (p *Package) readEntries() {
	e, _ := p.lookup(entriesPath)
	if e == nil || e.dir {
		return
	}
	w := &Entries{Path: "/" + e.name}
	p.whole = w
	p.reach.add(w.Path, RoleSignature, "")
	root := p.parse(w.Path, "")
	list := root.find("FileList")
	if list == nil {
		w.Broken = true
		return
	}
	w.Created = root.get("CreationDate")
	p.one(w.Path, root, "FileList", "SignedValueLoc")
	w.ValuePath, _ = p.follow(w.Path, p.place(w.Path, root.find("SignedValueLoc")), RoleSignature)
	in := map[string]bool{w.Path: true, w.ValuePath: true}
	for _, f := range list.kids {
		if f.name != "File" {
			continue
		}
		abs, found := p.Resolve(w.Path, f.get("FileLoc"))
		if !found {
			w.Missing = append(w.Missing, path.Join("/", f.get("FileLoc")))
			continue
		}
		in[abs] = true
	}
	for _, f := range p.Files() {
		if !in[f] {
			w.Smuggled = append(w.Smuggled, f)
		}
	}
}
