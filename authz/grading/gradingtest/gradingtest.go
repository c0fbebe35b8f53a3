// Package gradingtest holds the fake store of authz/grading for tests.
package gradingtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity/identitytest"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Registry is grading.Registry in memory: versions only grow, and no grade
// falls below what Hold says the system holds. The zero Registry is ready.
type Registry struct {
	identitytest.Journal
	mu    sync.Mutex
	rows  map[string][]grading.Record
	holds map[string][]level.Label
	files map[string]bool // objects with a dossier
}

var _ grading.Registry = (*Registry)(nil)

// Hold makes a system hold something labelled l.
func (r *Registry) Hold(system string, l level.Label) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holds == nil {
		r.holds = map[string][]level.Label{}
	}
	r.holds[system] = append(r.holds[system], l)
}

// AddGrading appends a version.
func (r *Registry) AddGrading(_ context.Context, rec grading.Record, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := rec.Validate(); err != nil {
		return ledger.Receipt{}, err
	}
	if r.files[rec.System] {
		return ledger.Receipt{}, grading.ErrProcedure
	}
	if err := r.carries(rec); err != nil {
		return ledger.Receipt{}, err
	}
	if rows := r.rows[rec.System]; len(rows) > 0 && rows[len(rows)-1].Version >= rec.Version {
		return ledger.Receipt{}, fmt.Errorf("%w: version %d is taken", grading.ErrInvalid, rec.Version)
	}
	rc, err := r.Record(ev)
	if err == nil {
		if r.rows == nil {
			r.rows = map[string][]grading.Record{}
		}
		r.rows[rec.System] = append(r.rows[rec.System], rec)
	}
	return rc, err
}

func (r *Registry) carries(rec grading.Record) error {
	for _, l := range r.holds[rec.System] {
		if !rec.Grade.Carries(l) {
			return fmt.Errorf("%w: %s", grading.ErrBelowHoldings, l)
		}
	}
	return nil
}

// Grading returns the newest version that is neither draft nor proposed.
func (r *Registry) Grading(_ context.Context, system string) (grading.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := r.rows[system]
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].State != grading.StateDraft && rows[i].State != grading.StateProposed {
			return rows[i], nil
		}
	}
	return grading.Record{}, grading.ErrNotFound
}
