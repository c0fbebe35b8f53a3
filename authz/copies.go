package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Standings says how a unit stands with a resource of another: what it keeps of it
// beyond its end, and whether a violation keeps it from using it.
type Standings interface {
	Standing(ctx context.Context, r sharing.Resource, agency identity.USCC) (sharing.Standing, error)
}

// Origin is a further resource in a merged copy, and under which agreement it came.
type Origin struct {
	Resource  sharing.Resource `json:"resource"`
	Agreement string           `json:"agreement,omitempty"`
}

// parts are the item once for each resource in it, its own first: who uses a merged
// copy uses all that it was made of, under the terms of each.
func (i Item) parts() []Item {
	out := []Item{i}
	for _, o := range i.Origins {
		h := *i.Holding
		h.Resource, h.Agreement = o.Resource.ID, o.Agreement
		out = append(out, Item{Resource: o.Resource, Holding: &h, Origins: append(i.others(o), Origin{i.Resource, i.Holding.Agreement})})
	}
	return out
}

func (i Item) others(than Origin) []Origin {
	return slices.DeleteFunc(slices.Clone(i.Origins), func(o Origin) bool {
		return o.Resource.ID == than.Resource.ID && o.Agreement == than.Agreement
	})
}

// origins reads what else is in a copy. One that left the catalogue is left out, and
// the copy is unknown then (2014 rule art. 14).
func (l *loading) origins(h sharing.Holding) ([]Origin, error) {
	var out []Origin
	for _, o := range h.Origins {
		r, err := l.Sharing.Resource(l.ctx, o.Resource)
		if errors.Is(err, sharing.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading resource %s: %w", o.Resource, err)
		}
		out = append(out, Origin{r, o.Agreement})
	}
	return out, nil
}

// used is everything that the request draws on.
func (l *loading) used() (out []Item) {
	if l.snap.Item != nil {
		out = l.snap.Item.parts()
	}
	for _, it := range l.snap.Sources {
		out = append(out, it.parts()...)
	}
	return out
}

// standings reads how those who use stand with what they use.
func (l *loading) standings(Request) error {
	if l.Copies == nil {
		return nil
	}
	for _, it := range l.used() {
		for _, agency := range l.users(it) {
			s, err := l.Copies.Standing(l.ctx, it.Resource, agency)
			if err != nil {
				return fmt.Errorf("reading how %s stands with %s: %w", agency, it.Resource.ID, err)
			}
			// An end to come is a fact, too: the answer changes with it.
			if !s.Due.IsZero() || s.Violation != "" {
				l.snap.Standings = append(l.snap.Standings, s)
			}
		}
	}
	slices.SortFunc(l.snap.Standings, func(a, b sharing.Standing) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Agency, b.Agency))
	})
	l.snap.Standings = slices.CompactFunc(l.snap.Standings, func(a, b sharing.Standing) bool { return a.Resource == b.Resource && a.Agency == b.Agency })
	return nil
}

func (b inputBuilder) standings(v view) *ast.Term {
	out := make([]*ast.Term, len(v.standings))
	for i, s := range v.standings {
		out[i] = ast.ObjectTerm(
			b.str("resource", s.Resource), b.str("agency", string(s.Agency)), b.str("copy", s.Copy),
			b.bool("overdue", s.OverdueAt(v.now)), b.str("violation", s.Violation),
		)
	}
	return ast.ArrayTerm(out...)
}
