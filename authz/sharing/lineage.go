package sharing

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// maxLineage bounds the copies that one answer names.
const maxLineage = 1000

// ErrLineage: the copy would be made of itself.
var ErrLineage = errors.New("sharing: a copy cannot be made of itself")

// Lineage is what a copy was made of and what was made of it, each with its way:
// copies by id, an edge from source to what was made of it.
type Lineage struct {
	Copies []Holding   `json:"copies"`
	Made   [][2]string `json:"made"`
	Cut    bool        `json:"cut,omitempty"` // there are more than are named
}

// Lineage walks from a copy up to its sources and down to what was made of it. For
// the provider of something in the copy, and for the unit that keeps it.
func (s *Copies) Lineage(ctx context.Context, actor ledger.Actor, id string) (Lineage, error) {
	start, err := s.cfg.Store.Holding(ctx, id)
	if err != nil {
		return Lineage{}, err
	}
	if string(start.Agency) != actor.Unit {
		if err := s.provides(ctx, actor, start); err != nil {
			return Lineage{}, fmt.Errorf("%w: holding", ErrNotFound)
		}
	}
	w := walk{s: s, ctx: ctx, seen: map[string]bool{id: true}, out: Lineage{Copies: []Holding{start}}}
	if err := w.up(start); err != nil {
		return Lineage{}, err
	}
	err = w.down(id)
	return w.out, err
}

type walk struct {
	s    *Copies
	ctx  context.Context
	seen map[string]bool
	out  Lineage
}

// visit reads a copy that was not seen before; nil when it was, or there are too many.
func (w *walk) visit(id string) (*Holding, error) {
	if w.seen[id] {
		return nil, nil
	}
	if len(w.out.Copies) >= maxLineage {
		w.out.Cut = true
		return nil, nil
	}
	w.seen[id] = true
	h, err := w.s.cfg.Store.Holding(w.ctx, id)
	if err != nil {
		return nil, err
	}
	w.out.Copies = append(w.out.Copies, h)
	return &h, nil
}

func (w *walk) up(h Holding) error {
	for _, id := range h.Sources {
		w.out.Made = append(w.out.Made, [2]string{id, h.ID})
		source, err := w.visit(id)
		if err != nil {
			return err
		}
		if source == nil {
			continue
		}
		if err := w.up(*source); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) down(id string) error {
	made, err := w.s.cfg.Store.MadeOf(w.ctx, id)
	if err != nil {
		return err
	}
	for _, next := range made {
		w.out.Made = append(w.out.Made, [2]string{id, next})
		h, err := w.visit(next)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		if err := w.down(h.ID); err != nil {
			return err
		}
	}
	return nil
}
