package authz

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// items reads what the request draws on; re-grading draws on nothing.
func (l *loading) items(r Request) error {
	if r.Action == ActionRegrade {
		return nil
	}
	for i, id := range sourceIDs(r) {
		it, err := l.item(id)
		if err != nil {
			return err
		}
		switch {
		case it == nil:
			l.miss(id)
		case i == 0:
			l.snap.Item = it
		default:
			l.snap.Sources = append(l.snap.Sources, *it)
		}
	}
	return nil
}

// item finds a resource of the catalogue or else a holding with its resource.
// A holding whose resource left the catalogue is unknown (2014 rule art. 14).
func (l *loading) item(id string) (*Item, error) {
	res, err := l.Sharing.Resource(l.ctx, id)
	if err == nil {
		return &Item{Resource: res}, nil
	}
	if !errors.Is(err, sharing.ErrNotFound) {
		return nil, fmt.Errorf("reading resource %s: %w", id, err)
	}
	h, err := l.Sharing.Holding(l.ctx, id)
	if errors.Is(err, sharing.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading holding %s: %w", id, err)
	}
	return l.kept(h)
}

func (l *loading) kept(h sharing.Holding) (*Item, error) {
	res, err := l.Sharing.Resource(l.ctx, h.Resource)
	if errors.Is(err, sharing.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading resource %s: %w", h.Resource, err)
	}
	it := &Item{Resource: res, Holding: &h}
	if it.Origins, err = l.origins(h); err != nil || len(it.Origins) < len(h.Origins) {
		return nil, err
	}
	it.Circular, err = l.circular(h)
	return it, err
}

// agreements reads those of every agency that may use a source under one: the
// subject's and the target's; and the one a copy came under.
func (l *loading) agreements(r Request) error {
	items := l.used()
	seen := map[string]bool{}
	add := func(list ...sharing.Agreement) {
		for _, a := range list {
			if !seen[a.ID] {
				seen[a.ID] = true
				a.Seals = slices.Clone(a.Seals)
				for i := range a.Seals { // who sealed is a fact; by which certificate was checked at registration
					a.Seals[i].CertDER = nil
				}
				l.snap.Agreements = append(l.snap.Agreements, a)
			}
		}
	}
	for _, it := range items {
		for _, agency := range l.users(it) {
			list, err := l.Sharing.Agreements(l.ctx, it.Resource.ID, agency)
			if err != nil {
				return fmt.Errorf("reading agreements of %s: %w", it.Resource.ID, err)
			}
			add(list...)
		}
		if it.Holding == nil || it.Holding.Agreement == "" || seen[it.Holding.Agreement] {
			continue
		}
		a, err := l.Sharing.Agreement(l.ctx, it.Holding.Agreement)
		if err == nil {
			add(a)
		} else if !errors.Is(err, sharing.ErrNotFound) {
			return fmt.Errorf("reading agreement %s: %w", it.Holding.Agreement, err)
		}
	}
	slices.SortFunc(l.snap.Agreements, func(a, b sharing.Agreement) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

func (l *loading) users(it Item) []identity.USCC {
	var out []identity.USCC
	for _, p := range []*Party{l.snap.Subject, l.snap.Target} {
		if p != nil && p.Agency.USCC != it.Resource.Provider && !slices.Contains(out, p.Agency.USCC) {
			out = append(out, p.Agency.USCC)
		}
	}
	return out
}

// holdings reads what a system to be re-graded keeps, provides and carries. A copy whose resource is
// gone keeps its own label: the system still holds it.
func (l *loading) holdings(r Request) error {
	if r.Action != ActionRegrade || l.snap.Target == nil {
		return nil
	}
	list, err := l.Sharing.HoldingsOf(l.ctx, l.snap.Target.System.ID)
	if err != nil {
		return fmt.Errorf("reading holdings of %s: %w", l.snap.Target.System.ID, err)
	}
	if l.Transits != nil {
		way, err := l.Transits.Carried(l.ctx, l.snap.Target.System.ID)
		if err != nil {
			return fmt.Errorf("reading what %s carries: %w", l.snap.Target.System.ID, err)
		}
		list = append(slices.Clone(list), way...)
	}
	for _, h := range list {
		it, err := l.kept(h)
		if err != nil {
			return err
		}
		if it == nil {
			it = &Item{Resource: sharing.Resource{ID: h.Resource, Label: h.Label}, Holding: &h}
		}
		l.snap.Holdings = append(l.snap.Holdings, *it)
	}
	slices.SortFunc(l.snap.Holdings, func(a, b Item) int { return cmp.Compare(a.id(), b.id()) })
	return nil
}
