package ofd

import (
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/unicode/norm"
)

// cleanName gives the entry the name by which the package knows it, and notes
// what is wrong with the stored one.
func (d *directory) cleanName(e *entry) {
	name := e.raw
	if !utf8.ValidString(name) {
		// Old Chinese zip tools store GBK without a flag.
		if s, err := simplifiedchinese.GB18030.NewDecoder().String(name); err == nil {
			name = s
		}
		d.note(NoteEncoding, name)
	}
	if strings.Contains(name, `\`) {
		name = strings.ReplaceAll(name, `\`, "/")
		d.note(NoteBackslash, name)
	}
	if !isASCII(name) {
		name = norm.NFC.String(name)
	}
	e.dir = strings.HasSuffix(name, "/")
	switch {
	case name == "" || strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':':
		d.fault(FaultAbsolute, name)
	case !simple(name):
		d.fault(FaultTraversal, name)
	}
	e.name = strings.TrimLeft(name, "/")
}

// simple reports whether no part of name is empty, "." or "..", and no byte is a
// control character.
func simple(name string) bool {
	name = strings.TrimSuffix(name, "/")
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// fold is the key under which two names are one file to some reader.
func fold(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	return norm.NFC.String(strings.ToLower(norm.NFKC.String(name)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lookup finds the file at an absolute path; exact is false when only a
// case-insensitive match exists.
func (p *Package) lookup(abs string) (e *entry, exact bool) {
	if i, ok := p.byName[abs[1:]]; ok {
		return &p.entries[i], true
	}
	if i, ok := p.byFold[fold(abs[1:])]; ok {
		return &p.entries[i], false
	}
	return nil, false
}

// Resolve turns a reference found in the XML file at base into the absolute path
// of a file (reference §3.2). When nothing is there it returns the path where the
// file should be and false. An empty path is a reference out of the package.
func (p *Package) Resolve(base, ref string) (abs string, found bool) {
	ref = strings.ReplaceAll(strings.TrimSpace(ref), `\`, "/")
	if ref == "" {
		return "", false
	}
	if !isASCII(ref) {
		ref = norm.NFC.String(ref)
	}
	dir := path.Dir(base)
	if strings.HasPrefix(ref, "/") {
		dir = "/"
	}
	first, ok := join(dir, ref)
	if !ok {
		p.problem(ProblemEscape, ref)
		return "", false
	}
	tries := []string{first}
	if dir != "/" {
		// Writers that mean the root or the document's folder although the
		// standard says the folder of the referring file.
		if s, ok := join("/", ref); ok {
			tries = append(tries, s)
		}
		if head, _, deep := strings.Cut(strings.TrimPrefix(base, "/"), "/"); deep {
			if s, ok := join("/"+head, ref); ok {
				tries = append(tries, s)
			}
		}
	}
	for _, t := range tries {
		if e, exact := p.lookup(t); e != nil && !e.dir {
			if !exact {
				p.note(NoteCase, ref)
			}
			return "/" + e.name, true
		}
	}
	return first, false
}

// join resolves ref against dir and refuses to leave the root.
func join(dir, ref string) (string, bool) {
	depth := strings.Count(strings.Trim(dir, "/"), "/")
	if strings.Trim(dir, "/") != "" {
		depth++
	}
	for part := range strings.SplitSeq(ref, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return "", false
			}
		default:
			depth++
		}
	}
	abs := path.Join("/", dir, ref)
	return abs, abs != "/"
}
