package verify

import (
	"bytes"
	"slices"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Revision is what became of the document after one signature: an OFD package
// keeps no earlier states, but later signatures and changed files show.
type Revision struct {
	Number int      `json:"number"`            // in the order of the list, from 1
	Covers []string `json:"covers_signatures"` // ids of the earlier ones that it protects
	Later  []string `json:"later_signatures"`  // ids of those that it does not
	After  After    `json:"after"`
	// Changed are files that it covers and that are not as they were.
	Changed []string `json:"changed"`
	// SealedAgain is the first later signature for which the document as it is now
	// holds: the changes were made before it.
	SealedAgain string `json:"sealed_again_by,omitempty"`
}

// After says what happened to a document after a signature.
type After string

// Unknown: there are files that the signature does not cover, and nothing tells
// whether they were there.
const (
	AfterNothing After = "nothing"
	AfterSigned  After = "signed"
	AfterChanged After = "changed"
	AfterUnknown After = "unknown"
)

// revision tells the story of the i-th signature; nil where its references say
// nothing.
func (s *subject) revision(i int) *Revision {
	if s.sig.Broken || len(s.sig.References) == 0 || !s.sig.SM3Check() {
		return nil
	}
	r := &Revision{Number: i + 1, Covers: []string{}, Later: []string{}, After: AfterNothing}
	r.Changed = append([]string{}, s.changed[:min(len(s.changed), maxWarnings)]...)
	for j := range s.all {
		switch o := &s.all[j]; {
		case j == i || o.Path == "":
		default:
			if _, ok := slices.BinarySearch(s.cov.Covered, o.Path); ok {
				r.Covers = append(r.Covers, o.ID)
			} else {
				r.Later = append(r.Later, o.ID)
			}
		}
	}
	switch {
	case len(s.changed) > 0:
		r.After = AfterChanged
		r.SealedAgain = s.sealedAgain()
	case len(s.cov.Uncovered) > 0 || len(s.cov.Unreferenced) > 0:
		r.After = AfterUnknown
	case len(r.Later) > 0:
		r.After = AfterSigned
	}
	return r
}

// maxStory bounds the signatures among which sealedAgain looks: each is compared
// with each.
const maxStory = 16

// sealedAgain is the first signature beside this one that covers every changed
// file with the digest that it has now.
func (s *subject) sealedAgain() string {
	if len(s.all) > maxStory {
		return ""
	}
	changed := make(map[string]bool, len(s.changed))
	for _, f := range s.changed {
		changed[f] = true
	}
	for j := range s.all {
		if o := &s.all[j]; o != s.sig && !o.Broken && o.SM3Check() && s.holdsNow(o, changed) {
			return o.ID
		}
	}
	return ""
}

func (s *subject) holdsNow(o *ofd.Signature, files map[string]bool) bool {
	left := len(files)
	for i := range o.References {
		r := &o.References[i]
		if !files[r.Path] {
			continue
		}
		if now, err := s.pkg.Digest(r.Path); err != nil || !bytes.Equal(now, r.Value) {
			return false
		}
		left--
	}
	return left == 0
}
