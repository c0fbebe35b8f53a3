package signer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrManifest: a list that one approval cannot be asked for.
var ErrManifest = errors.New("signer: not a manifest")

// maxPath is that of a title: it is shown as one.
const maxPath = 800

// checked is the manifest in order, as a leader may be asked to sign it. It
// refuses an empty list, a path twice, absolute, with ".." or what does not print
// as it is, and a digest that is none: what is signed can be read line by line.
func (m Manifest) checked() (Manifest, error) {
	if len(m) == 0 || len(m) > MaxBatch {
		return nil, fmt.Errorf("%w: %d documents, at most %d", ErrManifest, len(m), MaxBatch)
	}
	out := slices.SortedFunc(slices.Values(m), func(a, b Listed) int { return strings.Compare(a.Path, b.Path) })
	for i, l := range out {
		if raw, err := hex.DecodeString(l.SM3); err != nil || len(raw) != 32 || hex.EncodeToString(raw) != l.SM3 {
			return nil, fmt.Errorf("%w: digest of %.80q", ErrManifest, l.Path)
		}
		if l.Size < 0 || !readable(l.Path) {
			return nil, fmt.Errorf("%w: size or path of %.80q", ErrManifest, l.Path)
		}
		if i > 0 && out[i-1].Path == l.Path {
			return nil, fmt.Errorf("%w: %.80q stands twice", ErrManifest, l.Path)
		}
	}
	return out, nil
}

func readable(p string) bool {
	return p != "" && p != "." && len(p) <= maxPath && p == path.Clean(p) && p[0] != '/' && p != ".." && !strings.HasPrefix(p, "../") &&
		!strings.ContainsAny(p, `"\`) && utf8.ValidString(p) && !strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) })
}
