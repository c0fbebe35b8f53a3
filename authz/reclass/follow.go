package reclass

import (
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// Copy is what Follow needs to know of a copy: where it comes from and its label.
// One that was destroyed is there too, for what was made of it.
type Copy struct {
	ID       string
	Resource string
	Sources  []string // copies that it was made of
	Label    level.Label
}

// Follow returns the labels that change when the catalogue goes from one set of
// labels to another. A copy is never lower than the join of its resource and its
// sources. One that stood exactly there follows down; one that its keeper holds
// above it stays as high as it was.
func Follow(copies []Copy, before, after map[string]level.Label) (map[string]level.Label, error) {
	f := follower{byID: map[string]Copy{}, before: before, after: after, done: map[string]level.Label{}, open: map[string]bool{}}
	for _, c := range copies {
		f.byID[c.ID] = c
	}
	out := map[string]level.Label{}
	for _, c := range copies {
		now, err := f.label(c.ID)
		if err != nil {
			return nil, err
		}
		if now.String() != c.Label.String() {
			out[c.ID] = now
		}
	}
	return out, nil
}

type follower struct {
	byID          map[string]Copy
	before, after map[string]level.Label
	done          map[string]level.Label
	open          map[string]bool // on the way down: a circle is no lineage
}

// label of a copy after the change. What is not there is the strictest.
func (f *follower) label(id string) (level.Label, error) {
	if l, ok := f.done[id]; ok {
		return l, nil
	}
	c, ok := f.byID[id]
	if !ok {
		return level.Strictest(), nil
	}
	if f.open[id] {
		return level.Label{}, fmt.Errorf("%w: copy %q is made of itself", ErrInvalid, id)
	}
	f.open[id] = true
	was, is := []level.Label{f.before[c.Resource]}, []level.Label{f.after[c.Resource]}
	for _, s := range c.Sources {
		l, err := f.label(s)
		if err != nil {
			return level.Label{}, err
		}
		if src, ok := f.byID[s]; ok {
			was = append(was, src.Label)
		} else {
			was = append(was, level.Strictest())
		}
		is = append(is, l)
	}
	now := level.Join(is...)
	if c.Label.String() != level.Join(was...).String() { // raised by its keeper, or lagging behind: never down
		now = level.Join(now, c.Label)
	}
	f.done[id] = now
	return now, nil
}
