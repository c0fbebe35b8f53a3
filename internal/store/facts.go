package store

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
)

// Facts answers from memory what was read of the registers at the facts revision
// that the store has now: each call asks for the revision first, so that whatever
// was committed before the call is seen by it, on every node. A store that does
// not answer is an error, never an old answer.
//
// What it returns is shared: nobody changes it.
type Facts struct {
	identity *Identity
	grading  *Grading
	revision *gather[struct{}, int64]

	mu   sync.Mutex
	at   int64 // revision of what follows
	read map[[2]string]any
}

func newFacts(s *Store, i *Identity, g *Grading) *Facts {
	revision := func(ctx context.Context, _ []struct{}) (map[struct{}]int64, error) {
		now, err := s.Revision(ctx)
		return map[struct{}]int64{{}: now}, err
	}
	return &Facts{identity: i, grading: g, revision: newGather(revision), read: map[[2]string]any{}}
}

// maxFacts bounds what is remembered between two changes of the registers.
const maxFacts = 4096

// System is Identity.System.
func (f *Facts) System(ctx context.Context, id string) (identity.System, error) {
	return remember(ctx, f, "system", id, f.identity.System)
}

// Grading is Grading.Grading.
func (f *Facts) Grading(ctx context.Context, system string) (grading.Record, error) {
	return remember(ctx, f, "grading", system, f.grading.Grading)
}

// Dossier is Grading.Dossier.
func (f *Facts) Dossier(ctx context.Context, object string) (grading.Dossier, error) {
	return remember(ctx, f, "dossier", object, f.grading.Dossier)
}

// Clearances is Grading.Clearances.
func (f *Facts) Clearances(ctx context.Context, system string) ([]grading.Clearance, error) {
	all, err := remember(ctx, f, "clearances", system, f.grading.Clearances)
	return slices.Clone(all), err
}

// absent is a remembered error: what is not on record stays so at a revision.
type absent struct{ error }

func remember[T any](ctx context.Context, f *Facts, kind, id string, read func(context.Context, string) (T, error)) (T, error) {
	var none T
	now, _, err := f.revision.get(ctx, struct{}{})
	if err != nil {
		return none, err
	}
	key := [2]string{kind, id}
	f.mu.Lock()
	if f.at != now || len(f.read) >= maxFacts {
		clear(f.read)
		f.at = now
	}
	had, ok := f.read[key]
	f.mu.Unlock()
	if ok {
		switch v := had.(type) {
		case absent:
			return none, v.error
		case T:
			return v, nil
		}
	}
	// Read after the revision: it is as new, or newer and then forgotten at the
	// next call.
	got, err := read(ctx, id)
	var keep any = got
	switch {
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, grading.ErrNotFound):
		keep = absent{err}
	case err != nil:
		return none, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == now {
		f.read[key] = keep
	}
	return got, err
}
