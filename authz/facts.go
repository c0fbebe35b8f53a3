package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Gradings answers with the grading in force, or grading.ErrNotFound.
type Gradings interface {
	Grading(ctx context.Context, system string) (grading.Record, error)
}

// Revisions counts the changes of the store; it never goes back.
type Revisions interface {
	Revision(ctx context.Context) (int64, error)
}

// Peers knows whose a system is: nil for one of the house. The bound of a domain
// that ended is there, and permits nothing.
type Peers interface {
	Bound(ctx context.Context, system string) (*Bound, error)
}

// Transits knows what a system serves for its provider, and what it sent, is to receive
// or carries and what is not received yet, as if it were held: a re-grading asks.
type Transits interface {
	Carried(ctx context.Context, system string) ([]sharing.Holding, error)
}

// People answers who agencies, persons and systems are; identity.ErrNotFound.
type People interface {
	Agency(ctx context.Context, id identity.USCC) (identity.Agency, error)
	Person(ctx context.Context, id string) (identity.Person, error)
	PostsOf(ctx context.Context, person string) ([]identity.Post, error)
	System(ctx context.Context, id string) (identity.System, error)
}

// FactsConfig is what StoreFacts reads from. People, Grading, Sharing and Revision are required. What the
// readers answer is never older than what Revision said before; it is not changed
// here and may be shared.
type FactsConfig struct {
	People   People
	Grading  Gradings
	Sharing  sharing.Reader
	Revision Revisions
	Peers    Peers     // nil: every system is the house's
	Grants   Grants    // nil: nobody was granted anything
	Transits Transits  // nil: nothing is on its way
	Copies   Standings // nil: nobody keeps a copy too long, nobody is suspended
	Quotes   Quotes    // nil: nobody may be quoted
}

// StoreFacts loads the facts of a request from the readers of the rooms; over
// an open transaction it sees what that transaction sees.
type StoreFacts struct{ c FactsConfig }

var _ Facts = (*StoreFacts)(nil)

// NewFacts returns the Facts over c.
func NewFacts(c FactsConfig) *StoreFacts { return &StoreFacts{c} }

// loading is one Load: the snapshot that grows and the systems already read.
type loading struct {
	FactsConfig
	ctx     context.Context
	snap    Snapshot
	parties map[string]*Party
}

// Load reads the revision first: a change that comes in between makes the
// snapshot newer than its number, never older.
func (f *StoreFacts) Load(ctx context.Context, r Request) (Snapshot, error) {
	l := &loading{FactsConfig: f.c, ctx: ctx, parties: map[string]*Party{}}
	rev, err := f.c.Revision.Revision(ctx)
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading the revision: %w", err)
	}
	l.snap.Revision = rev
	for _, step := range []func(Request) error{l.subject, l.grants, l.places, l.items, l.agreements, l.standings, l.holdings, l.consents} {
		if err := step(r); err != nil {
			return Snapshot{}, err
		}
	}
	slices.Sort(l.snap.Missing)
	l.snap.Missing = slices.Compact(l.snap.Missing)
	return l.snap, nil
}

func (l *loading) miss(id string) { l.snap.Missing = append(l.snap.Missing, id) }

func (l *loading) subject(r Request) (err error) {
	switch r.SubjectType {
	case SubjectSystem:
		l.snap.Subject, err = l.party(r.SubjectID)
		return err
	case SubjectAgency:
		l.snap.Subject, err = l.agency(identity.USCC(r.SubjectID))
	case SubjectPerson:
		l.snap.Subject, err = l.person(r.SubjectID)
	}
	if l.snap.Subject == nil && err == nil {
		l.miss(r.SubjectID)
	}
	return err
}

func (l *loading) agency(id identity.USCC) (*Party, error) {
	a, err := l.People.Agency(l.ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading agency %s: %w", id, err)
	}
	return &Party{Agency: a}, nil
}

func (l *loading) person(id string) (*Party, error) {
	who, err := l.People.Person(l.ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading person %s: %w", id, err)
	}
	p, err := l.agency(who.Agency)
	if p == nil || err != nil {
		return nil, err
	}
	if p.Posts, err = l.People.PostsOf(l.ctx, id); err != nil {
		return nil, fmt.Errorf("reading posts of %s: %w", id, err)
	}
	p.Posts = slices.Clone(p.Posts)
	slices.SortFunc(p.Posts, func(a, b identity.Post) int { return cmp.Compare(a.ID, b.ID) })
	// Key and certificate are no facts of a decision.
	who.KeyID, who.CertDER = "", nil
	p.Person = &who
	return p, nil
}

// party reads a system once; nil and a line in Missing when it is unknown.
func (l *loading) party(id string) (*Party, error) {
	if p, done := l.parties[id]; done {
		return p, nil
	}
	sys, err := l.People.System(l.ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		l.parties[id] = nil
		l.miss(id)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading system %s: %w", id, err)
	}
	p, err := l.agency(sys.Agency)
	if err != nil {
		return nil, err
	}
	if p == nil { // a system without its agency is not registered
		l.miss(id)
		l.parties[id] = nil
		return nil, nil
	}
	p.System = sys
	if l.Peers != nil {
		if p.Bound, err = l.Peers.Bound(l.ctx, id); err != nil {
			return nil, fmt.Errorf("reading the domain of system %s: %w", id, err)
		}
	}
	rec, err := l.Grading.Grading(l.ctx, id)
	switch {
	case err == nil:
		p.Grading = &rec
	case !errors.Is(err, grading.ErrNotFound):
		return nil, fmt.Errorf("reading grading of %s: %w", id, err)
	}
	l.parties[id] = p
	return p, nil
}

func (l *loading) places(r Request) (err error) {
	if r.Target != "" {
		if l.snap.Target, err = l.party(r.Target); err != nil {
			return err
		}
	}
	for _, id := range r.Carriers {
		p, err := l.party(id)
		if err != nil {
			return err
		}
		if p != nil {
			l.snap.Carriers = append(l.snap.Carriers, *p)
		}
	}
	return nil
}
