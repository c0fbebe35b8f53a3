package authzen

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Evaluation is one question as the standard asks it: the typed request that
// our rules read, and beside it what the caller sent with its entities.
type Evaluation struct {
	authz.Request
	ResourceType string

	SubjectProperties, ActionProperties, ResourceProperties, Context object
}

// Search is an Evaluation that leaves one entity open.
type Search struct {
	Kind       authz.SearchKind
	Base       Evaluation
	Candidates []string
	Limit      int
	Asker      ledger.Actor
}

// Decider answers questions. It returns authz.ErrMalformed for what it will
// not look at, any other error for what it could not answer.
type Decider interface {
	Decide(ctx context.Context, q Evaluation) (authz.Decision, error)
	Search(ctx context.Context, s Search) (authz.Found, error)
}

// Guarded is the Decider of the house: the three guards over facts of the
// store. Properties are not read: a caller cannot bring its own facts.
type Guarded struct{ PDP *authz.PDP }

var _ Decider = Guarded{}

// Decide implements Decider.
func (g Guarded) Decide(ctx context.Context, q Evaluation) (authz.Decision, error) {
	return g.PDP.Decide(ctx, q.Request)
}

// Search implements Decider.
func (g Guarded) Search(ctx context.Context, s Search) (authz.Found, error) {
	return g.PDP.Search(ctx, authz.Search{
		Kind: s.Kind, Base: s.Base.Request, Candidates: s.Candidates, Limit: s.Limit, Asker: s.Asker,
	})
}

// Domains are the application domains: what agencies' own systems decide about
// their own things, by rules of their own.
type Domains interface {
	// Of is the domain that answers about a resource; nil: the house does. resource is
	// empty in a search for resources.
	Of(ctx context.Context, resourceType, resource string) (Domain, error)
}

// Domain answers as the house does, but for it properties are facts.
type Domain interface {
	Decider
	MayAsk(caller ledger.Actor) bool
	// Candidates are entities that the domain itself lists, behind after and in order.
	Candidates(ctx context.Context, kind authz.SearchKind, entityType, after string, limit int) ([]string, error)
}

// Candidates lists what a search may find: at most limit ids in a fixed order,
// those behind after ("": from the beginning). An unknown type or caller has none.
type Candidates interface {
	// Subjects lists those that caller may ask about (see MayAsk).
	Subjects(ctx context.Context, caller, subjectType, after string, limit int) ([]string, error)
	// Resources lists the catalogue, or what caller's agency keeps.
	Resources(ctx context.Context, caller, resourceType, after string, limit int) ([]string, error)
}
