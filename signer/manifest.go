package signer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrManifest: not a list of documents for one approval.
var ErrManifest = errors.New("signer: not a manifest")

// Entry is one document of a manifest.
type Entry struct {
	SM3  string // lower-case hex
	Size int64  // bytes
	Path string // relative, forward slashes
}

// Manifest lists the documents that one approval is for.
type Manifest []Entry

// maxPath is that of a title: it is shown as one.
const maxPath = 800

// Text is what is approved, by its SM3: one line a document, sorted by the bytes
// of the path,
//
//	<SM3, 64 hexadecimal digits>  <size in bytes>  <path>
//
// with two spaces between and a line feed behind each. ErrManifest is an empty
// list, a path twice, absolute, with "..", a backslash or what is no printable
// text, and a digest that is none.
func (m Manifest) Text() ([]byte, error) {
	if len(m) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrManifest)
	}
	sorted := m.sorted()
	var out bytes.Buffer
	for i, e := range sorted {
		if err := e.check(); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].Path == e.Path {
			return nil, fmt.Errorf("%w: %.80q stands twice", ErrManifest, e.Path)
		}
		fmt.Fprintf(&out, "%s  %d  %s\n", e.SM3, e.Size, e.Path)
	}
	return out.Bytes(), nil
}

func (m Manifest) sorted() Manifest {
	return slices.SortedFunc(slices.Values(m), func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
}

func (e Entry) check() error {
	raw, err := hex.DecodeString(e.SM3)
	if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != e.SM3 {
		return fmt.Errorf("%w: digest of %.80q", ErrManifest, e.Path)
	}
	if e.Size < 0 || e.Path == "" || len(e.Path) > maxPath || e.Path != path.Clean(e.Path) || e.Path[0] == '/' || e.Path == "." || e.Path == ".." ||
		strings.HasPrefix(e.Path, "../") || strings.Contains(e.Path, `\`) || !utf8.ValidString(e.Path) ||
		strings.ContainsFunc(e.Path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%w: size or path of %.80q", ErrManifest, e.Path)
	}
	return nil
}

// Digest is SM3 of the text, in lower-case hex.
func (m Manifest) Digest() (string, error) {
	text, err := m.Text()
	if err != nil {
		return "", err
	}
	return Digest(text), nil
}

// ParseManifest reads a text, and refuses one that Text would write otherwise.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "  ", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("%w: line %d", ErrManifest, len(m)+1)
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: size in line %d", ErrManifest, len(m)+1)
		}
		m = append(m, Entry{SM3: f[0], Size: size, Path: f[2]})
	}
	again, err := m.Text()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%w: it is not in its canonical form", ErrManifest)
	}
	return m, nil
}
