package ofd

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/unicode/norm"
)

// cleanName gives the entry the name by which the package knows it, and notes
// what is wrong with the stored one.
func (d *directory) cleanName(e *entry, flagged bool) {
	name := e.raw
	if !utf8.ValidString(name) {
		// Old Chinese zip tools store GBK without a flag.
		if s, err := simplifiedchinese.GB18030.NewDecoder().String(name); err == nil {
			name = s
		}
		d.note(NoteEncoding, name)
	} else if !flagged && !isASCII(name) {
		// The same bytes as GBK, which the older readers take them for.
		if s, err := simplifiedchinese.GB18030.NewDecoder().String(name); err == nil && !strings.ContainsRune(s, utf8.RuneError) {
			e.alias = strings.TrimLeft(clean(s), "/")
		}
	}
	if strings.Contains(name, `\`) {
		d.note(NoteBackslash, strings.ReplaceAll(name, `\`, "/"))
	}
	name = clean(name)
	e.dir = strings.HasSuffix(name, "/")
	switch {
	case name == "" || strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':':
		d.fault(FaultAbsolute, name)
	case !simple(name):
		d.fault(FaultTraversal, name)
	}
	e.name = strings.TrimLeft(name, "/")
}

// clean brings a name to forward slashes and NFC.
func clean(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if !isASCII(name) {
		name = norm.NFC.String(name)
	}
	return name
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

// fold is the key under which two names are one file to some reader: case does
// not count, nor compatibility forms, nor what file systems of Windows drop: the
// blanks and dots at the end of a part, and a stream behind a colon.
func fold(name string) string {
	if strings.ContainsAny(name, " :") || strings.Contains(name, "./") || strings.HasSuffix(name, ".") {
		parts := strings.Split(name, "/")
		for i := range parts {
			part, _, _ := strings.Cut(parts[i], ":")
			if part = strings.TrimRight(part, " ."); part != "" {
				parts[i] = part
			}
		}
		name = strings.Join(parts, "/")
	}
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
	tries := p.candidates(base, ref)
	for _, t := range tries {
		if e, exact := p.lookup(t); e != nil && !e.dir {
			if !exact || strings.Count(t, "%") < strings.Count(ref, "%") {
				p.note(NoteCase, ref)
			}
			return "/" + e.name, true
		}
	}
	if len(tries) > 0 {
		return tries[0], false
	}
	return "", false
}

// candidates are the places where some reader looks for what a reference names,
// the standard's first: relative to the folder of the referring file, then from
// the root and from the document's folder, as writers exist that mean those; and
// each of them with percent signs decoded, which the standard does not know.
func (p *Package) candidates(base, ref string) []string {
	ref = clean(strings.TrimSpace(ref))
	if ref == "" {
		return nil
	}
	dirs := []string{path.Dir(base)}
	if strings.HasPrefix(ref, "/") {
		dirs[0] = "/"
	} else if dirs[0] != "/" {
		dirs = append(dirs, "/")
		if head, _, deep := strings.Cut(strings.TrimPrefix(base, "/"), "/"); deep {
			dirs = append(dirs, "/"+head)
		}
	}
	var out []string
	for i, dir := range dirs {
		abs, ok := join(dir, ref)
		if ok {
			out = append(out, abs)
		} else if i == 0 {
			p.problem(ProblemEscape, ref)
			return nil
		}
	}
	if strings.Contains(ref, "%") {
		if plain, err := url.PathUnescape(ref); err == nil && plain != ref {
			for _, dir := range dirs {
				if abs, ok := join(dir, clean(plain)); ok {
					out = append(out, abs)
				}
			}
		}
	}
	return out
}

// shadows are the other files that a reference could mean, beside the one that
// Resolve found: a reader that looks from the root first shows them.
func (p *Package) shadows(base, ref, found string) (out []string) {
	for _, t := range p.candidates(base, ref) {
		if e, _ := p.lookup(t); e != nil && !e.dir && "/"+e.name != found {
			out = append(out, "/"+e.name)
		}
	}
	return out
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
