package ofd

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Kinds of a signature in the list (GB/T 33190, 18.1).
const (
	TypeSeal = "Seal" // electronic seal; also when the attribute is missing
	TypeSign = "Sign" // GB/T 35275 signed data, without a picture
)

// Signature is one record of Signatures.xml with its Signature.xml
// (GB/T 33190, 18.2).
type Signature struct {
	ID, Type string
	Path     string // of Signature.xml
	Relative string // id of the signature this one builds on (OFD 2.0)
	Body     int    // index of its document in the package

	Provider    string
	Method      string
	DateTime    string // as written: display only, the trusted time is signed
	CheckMethod string
	References  []Reference
	Stamps      []Stamp
	SealPath    string // of Seal.esl, "" when the seal is only in the value
	ValuePath   string // of the signed value, "" when missing
	Broken      bool   // Signature.xml is missing or does not parse
}

// Reference is one covered file with the digest it had.
type Reference struct {
	FileRef string
	Path    string // resolved; where the file should be when it is missing
	Found   bool
	Value   []byte // nil when it is not base64
}

// Stamp is where the picture appears.
type Stamp struct {
	ID, PageRef string
	Boundary    Box
	Clip        *Box
	Malformed   bool
}

// Visible is the part of the stamp that is drawn, in page space.
func (st *Stamp) Visible() Box { return visible(st.Boundary, st.Clip) }

// maxSignatures of one list: each costs two SM2 verifications and more.
const maxSignatures = 256

// maxReferences of all signatures of a package: each is kept.
const maxReferences = 200_000

// maxStamps of all signatures of a package: a ride seal has one on each page.
const maxStamps = 100_000

// SM3Check reports whether the digest method is plain SM3, by name or by one of
// its two object identifiers; the keyed variant …401.2 is not.
func (s *Signature) SM3Check() bool {
	switch strings.ToUpper(strings.TrimSpace(s.CheckMethod)) {
	case "SM3", "1.2.156.10197.1.401", "1.2.156.10197.1.401.1":
		return true
	}
	return false
}

func (p *Package) readSignatures(b *Body) {
	list := p.parse(b.List, "")
	if list == nil {
		return
	}
	for _, k := range list.kids {
		switch k.name {
		case "MaxSignId":
			b.use(k.text) // two of them in real files: the largest counts
		case "Signature":
			s := Signature{ID: k.get("ID"), Type: k.get("Type"), Relative: k.get("Relative"), Body: len(p.Bodies)}
			if s.Type == "" {
				s.Type = TypeSeal
			}
			b.use(s.ID)
			if len(b.Signatures) == maxSignatures {
				p.problem(ProblemLimit, b.List)
				return
			}
			p.readSignature(&s, b, k.get("BaseLoc"))
			b.Signatures = append(b.Signatures, s)
		}
	}
}

// use keeps the highest number of signature and stamp ids ("s012", "12").
func (b *Body) use(id string) {
	id = strings.TrimLeft(strings.TrimSpace(id), "sS")
	if n, err := strconv.Atoi(id); err == nil && n < 1<<30 {
		b.MaxSignID = max(b.MaxSignID, n)
	}
}

func (p *Package) readSignature(s *Signature, b *Body, loc string) {
	s.Broken = true
	var first bool
	if s.Path, first = p.follow(b.List, loc, RoleSignature); !first {
		return // nothing there, or two records of one file
	}
	root := p.parse(s.Path, "")
	info := root.find("SignedInfo")
	if info == nil {
		return
	}
	s.Broken = false
	p.one(s.Path, root, "SignedInfo", "SignedValue")
	p.one(s.Path, info, "References", "Seal", "SignatureMethod")
	s.Method, s.DateTime = info.value("SignatureMethod"), info.value("SignatureDateTime")
	for _, k := range info.kids {
		switch k.name {
		case "Provider":
			s.Provider = k.get("ProviderName")
		case "References":
			s.CheckMethod = k.get("CheckMethod")
			for _, r := range k.kids {
				if p.refs++; p.refs > maxReferences {
					p.problem(ProblemLimit, s.Path)
					s.Broken = true
					return
				}
				if r.name == "Reference" {
					s.References = append(s.References, p.readReference(s.Path, r))
				}
			}
		case "StampAnnot":
			if p.stamps++; p.stamps > maxStamps {
				p.problem(ProblemLimit, s.Path)
				s.Broken = true
				return
			}
			st := Stamp{ID: k.get("ID"), PageRef: k.get("PageRef")}
			var ok bool
			st.Boundary, ok = ParseBox(k.get("Boundary"))
			st.Malformed = !ok
			if c := k.get("Clip"); c != "" {
				box, ok := ParseBox(c)
				st.Clip, st.Malformed = &box, st.Malformed || !ok
			}
			b.use(st.ID)
			s.Stamps = append(s.Stamps, st)
		case "Seal":
			p.one(s.Path, k, "BaseLoc")
			s.SealPath, _ = p.follow(s.Path, p.place(s.Path, k.find("BaseLoc")), RoleSignature)
		}
	}
	s.ValuePath, _ = p.follow(s.Path, p.place(s.Path, root.find("SignedValue")), RoleSignature)
}

func (p *Package) readReference(base string, n *node) Reference {
	p.one(base, n, "CheckValue")
	r := Reference{FileRef: n.get("FileRef")}
	r.Path, r.Found = p.Resolve(base, r.FileRef)
	// Pretty-printers break long values into lines.
	value := strings.Join(strings.Fields(n.value("CheckValue")), "")
	if v, err := base64.StdEncoding.DecodeString(value); err == nil {
		r.Value = v
	}
	return r
}

// Signatures are the signatures of all documents, in order.
func (p *Package) Signatures() []Signature {
	var out []Signature
	for i := range p.Bodies {
		out = append(out, p.Bodies[i].Signatures...)
	}
	return out
}

// Pages are the pages of all documents, in order.
func (p *Package) Pages() []Page {
	var out []Page
	for i := range p.Bodies {
		out = append(out, p.Bodies[i].Pages...)
	}
	return out
}
