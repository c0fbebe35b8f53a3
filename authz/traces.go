package authz

import (
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// maxLineage bounds the copies that one decision walks back through; a longer lineage
// counts as one that nobody can trace.
const maxLineage = 1000

// clockTolerance is how far the clocks of two nodes may differ.
const clockTolerance = time.Minute

// circular says whether a copy's record of what it was made of comes back to a copy
// on the way (2011 rule art. 31: source and use are traceable). The register writes no
// such record; one that was changed behind its back is not believed.
func (l *loading) circular(h sharing.Holding) (bool, error) {
	const open, done = 1, 2
	state := map[string]int{}
	var walk func(h sharing.Holding) (bool, error)
	walk = func(h sharing.Holding) (bool, error) {
		if len(state) >= maxLineage {
			return true, nil
		}
		state[h.ID] = open
		for _, id := range h.Sources {
			switch state[id] {
			case open:
				return true, nil
			case done:
				continue
			}
			source, err := l.Sharing.Holding(l.ctx, id)
			if errors.Is(err, sharing.ErrNotFound) {
				continue
			}
			if err != nil {
				return false, fmt.Errorf("reading holding %s: %w", id, err)
			}
			if yes, err := walk(source); yes || err != nil {
				return yes, err
			}
		}
		state[h.ID] = done
		return false, nil
	}
	if len(h.Sources) == 0 {
		return false, nil
	}
	return walk(h)
}

// written are the times at which the house wrote what v uses.
func (v view) written() (out []time.Time) {
	for _, s := range v.sources {
		if s.item == nil {
			continue
		}
		out = append(out, s.item.Resource.UpdatedAt)
		if h := s.item.Holding; h != nil {
			out = append(out, h.At)
		}
	}
	return out
}

// behind: the clock of this decision is before what it reads was written. Whether a
// period has begun or ended cannot be said by such a clock.
func (v view) behind() bool {
	for _, t := range v.written() {
		if t.Sub(v.now) > clockTolerance {
			return true
		}
	}
	return false
}
