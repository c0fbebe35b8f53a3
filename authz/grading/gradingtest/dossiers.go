package gradingtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Dossiers is grading.Dossiers in memory, over a Registry that it shares with
// what reads gradings. New makes one.
type Dossiers struct {
	reg    *Registry
	now    map[string]grading.Dossier
	due    map[string][]grading.Deadline
	steps  map[string][]grading.Step
	papers map[string][]grading.Paper
	claims map[string]string
}

var _ grading.Dossiers = (*Dossiers)(nil)

// New returns an empty store over reg.
func New(reg *Registry) *Dossiers {
	reg.files = map[string]bool{}
	return &Dossiers{
		reg: reg, now: map[string]grading.Dossier{}, due: map[string][]grading.Deadline{}, steps: map[string][]grading.Step{},
		papers: map[string][]grading.Paper{}, claims: map[string]string{},
	}
}

// Put is one transaction: all is checked before anything is kept.
func (s *Dossiers) Put(_ context.Context, e grading.Entry, ev ledger.Event) (ledger.Receipt, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	if err := s.check(e); err != nil {
		return ledger.Receipt{}, err
	}
	rc, err := s.reg.Record(ev)
	if err != nil {
		return rc, err
	}
	id := e.Dossier.Object.ID
	s.now[id], s.due[id], s.reg.files[id] = e.Dossier, slices.Clone(e.Deadlines), true
	if e.Step != nil {
		s.steps[id] = append(s.steps[id], *e.Step)
	}
	if e.Paper != nil {
		s.papers[id] = append(s.papers[id], *e.Paper)
	}
	for _, u := range e.Unique {
		s.claims[u.Key] = id
	}
	if e.Record != nil {
		rec := *e.Record
		rec.Version = len(s.reg.rows[id]) + 1
		if s.reg.rows == nil {
			s.reg.rows = map[string][]grading.Record{}
		}
		s.reg.rows[id] = append(s.reg.rows[id], rec)
	}
	return rc, nil
}

func (s *Dossiers) check(e grading.Entry) error {
	d := e.Dossier
	id := d.Object.ID
	old, known := s.now[id]
	if known && d.Revision == 1 {
		return grading.ErrExists
	}
	if d.Revision != old.Revision+1 {
		return grading.ErrConflict
	}
	for _, u := range e.Unique {
		if owner, taken := s.claims[u.Key]; taken && (owner != id || !u.Again) {
			return fmt.Errorf("%w: %s", grading.ErrExists, u.Key)
		}
	}
	if err := s.hosts(d); err != nil {
		return err
	}
	if d.State == grading.StateRetired && len(s.reg.holds[id]) > 0 {
		return grading.ErrInUse
	}
	if e.Record != nil && d.State != grading.StateRetired {
		return s.reg.carries(*e.Record)
	}
	return nil
}

func (s *Dossiers) hosts(d grading.Dossier) error {
	for _, h := range d.Object.CarriedBy {
		host, ok := s.now[h]
		if !ok || host.Offers() < d.Needs() {
			return fmt.Errorf("%w: %s by %s", grading.ErrHost, d.Object.ID, h)
		}
	}
	for _, o := range s.now {
		if !slices.Contains(o.Object.CarriedBy, d.Object.ID) || o.State == grading.StateRetired {
			continue
		}
		if d.State == grading.StateRetired {
			return grading.ErrInUse
		}
		if d.Offers() < o.Needs() {
			return fmt.Errorf("%w: %s by %s", grading.ErrHost, o.Object.ID, d.Object.ID)
		}
	}
	return nil
}

// Dossier returns ErrNotFound for an unknown object.
func (s *Dossiers) Dossier(_ context.Context, object string) (grading.Dossier, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	d, ok := s.now[object]
	if !ok {
		return d, grading.ErrNotFound
	}
	return d, nil
}

// Objects lists by id.
func (s *Dossiers) Objects(_ context.Context, f grading.Filter) ([]grading.Summary, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	var out []grading.Summary
	for _, d := range s.now {
		m := d.Summary()
		if (f.Unit == "" || f.Unit == d.Object.Owner || f.Unit == d.Object.BuildingUnit) && (f.State == "" || f.State == d.State) &&
			(f.Kind == "" || f.Kind == d.Object.Kind) && (f.Level == 0 || f.Level == m.Level) && (!f.Flagged || len(m.Flags) > 0) && m.ID > f.After {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b grading.Summary) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// Due lists by day.
func (s *Dossiers) Due(_ context.Context, f grading.DueFilter) ([]grading.Deadline, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	var out []grading.Deadline
	for id, list := range s.due {
		for _, l := range list {
			if l.Due <= f.Until && (f.Rule == "" || f.Rule == l.Rule) && (f.Unit == "" || f.Unit == s.now[id].Object.Owner) {
				out = append(out, l)
			}
		}
	}
	slices.SortFunc(out, func(a, b grading.Deadline) int { return int(a.Due) - int(b.Due) })
	return out, nil
}

// History lists the steps of an object.
func (s *Dossiers) History(_ context.Context, object string) ([]grading.Step, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	return slices.Clone(s.steps[object]), nil
}

// Papers lists the papers of an object.
func (s *Dossiers) Papers(_ context.Context, object string) ([]grading.Paper, error) {
	s.reg.mu.Lock()
	defer s.reg.mu.Unlock()
	return slices.Clone(s.papers[object]), nil
}
