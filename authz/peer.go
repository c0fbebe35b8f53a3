package authz

import (
	"slices"

	"github.com/yinxin-gov/yinxin/authz/level"
)

// codePeerAct: an action or purpose that was not agreed with a peer domain.
const codePeerAct = "E26_peer_act"

// bounds are those of the peer domains whose systems ask, receive or carry, as they
// hold now. Only what the view matched by id is looked at.
func (v view) bounds() (out []Bound) {
	add := func(p *Party) {
		if p == nil || p.Bound == nil {
			return
		}
		b := *p.Bound
		if v.now.Before(b.From) || !v.now.Before(b.Until) {
			b = Bound{Domain: b.Domain}
		}
		if !slices.ContainsFunc(out, func(o Bound) bool { return o.Domain == b.Domain && o.Level == b.Level }) {
			out = append(out, b)
		}
	}
	add(&v.subject)
	add(v.target)
	for _, h := range v.hops {
		add(h.party)
	}
	return out
}

// outOfBounds is the part of the sealed guard that is no lattice: a peer domain does
// what was agreed with it, for the purposes that were, and nothing else.
func (v view) outOfBounds() (out []finding) {
	for _, b := range v.bounds() {
		switch {
		case b.Level < level.LevelMin: // said already: E25
		case !slices.Contains(b.Actions, v.req.Action):
			out = append(out, finding{codePeerAct, b.Domain + ": " + string(v.req.Action), guardLevel})
		case !slices.Contains(b.Purposes, v.req.Purpose):
			out = append(out, finding{codePeerAct, b.Domain + ": purpose " + v.req.Purpose, guardLevel})
		}
	}
	return out
}
