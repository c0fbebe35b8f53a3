package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Index is what decisions read: Revision follows the store, and what is read
// afterwards is as new as that revision or newer. So a decision asks the store once
// and rests on nothing older than itself, on every node; while the store does
// not answer, there is no decision.
//
// What it returns is shared: nobody changes it.
type Index struct {
	m        *memory
	identity *Identity
	grading  *Grading
	sharing  *Sharing
}

// Revision follows the store and returns the revision reached.
func (x *Index) Revision(ctx context.Context) (int64, error) { return x.m.now(ctx) }

// Agency is Identity.Agency.
func (x *Index) Agency(ctx context.Context, id identity.USCC) (identity.Agency, error) {
	return recall(ctx, x.m, factAgency, string(id), func(ctx context.Context) (identity.Agency, error) { return x.identity.Agency(ctx, id) })
}

// staff is a person with the posts held.
type staff struct {
	person identity.Person
	posts  []identity.Post
}

func (x *Index) staff(ctx context.Context, id string) (staff, error) {
	return recall(ctx, x.m, factPerson, id, func(ctx context.Context) (m staff, err error) {
		if m.person, err = x.identity.Person(ctx, id); err != nil {
			return m, err
		}
		m.posts, err = x.identity.PostsOf(ctx, id)
		return m, err
	})
}

// Person is Identity.Person.
func (x *Index) Person(ctx context.Context, id string) (identity.Person, error) {
	m, err := x.staff(ctx, id)
	return m.person, err
}

// PostsOf is Identity.PostsOf of a person on record.
func (x *Index) PostsOf(ctx context.Context, person string) ([]identity.Post, error) {
	m, err := x.staff(ctx, person)
	return m.posts, err
}

// System is Identity.System.
func (x *Index) System(ctx context.Context, id string) (identity.System, error) {
	return recall(ctx, x.m, factSystem, id, func(ctx context.Context) (identity.System, error) { return x.identity.System(ctx, id) })
}

// Grading is Grading.Grading.
func (x *Index) Grading(ctx context.Context, system string) (grading.Record, error) {
	return recall(ctx, x.m, factGrading, system, func(ctx context.Context) (grading.Record, error) { return x.grading.Grading(ctx, system) })
}

// Resource is Sharing.Resource.
func (x *Index) Resource(ctx context.Context, id string) (sharing.Resource, error) {
	return recall(ctx, x.m, factResource, id, func(ctx context.Context) (sharing.Resource, error) { return x.sharing.Resource(ctx, id) })
}

// Agreement is Sharing.Agreement.
func (x *Index) Agreement(ctx context.Context, id string) (sharing.Agreement, error) {
	return recall(ctx, x.m, factAgreement, id, func(ctx context.Context) (sharing.Agreement, error) {
		a, err := x.sharing.Agreement(ctx, id)
		return slim(a), err
	})
}

// Agreements is Sharing.Agreements.
func (x *Index) Agreements(ctx context.Context, resource string, consumer identity.USCC) ([]sharing.Agreement, error) {
	all, err := recall(ctx, x.m, factTerms, resource, func(ctx context.Context) (terms, error) {
		all, err := x.sharing.about(ctx, resource)
		return all[resource], err
	})
	return all[consumer], err
}

// terms are the agreements about one resource by their consumer.
type terms map[identity.USCC][]sharing.Agreement

// about reads the agreements about resources.
func (s *Sharing) about(ctx context.Context, resources ...string) (map[string]terms, error) {
	all, err := list(ctx, s.s.r, agreementRow.agreement, "not_before, id", "resource IN (?)", bun.List(resources))
	if err != nil {
		return nil, fmt.Errorf("reading agreements: %w", err)
	}
	out := map[string]terms{}
	for _, a := range all {
		if out[a.Resource] == nil {
			out[a.Resource] = terms{}
		}
		out[a.Resource][a.Consumer] = append(out[a.Resource][a.Consumer], slim(a))
	}
	return out, nil
}

// slim drops the certificates of the seals: they were checked at registration and
// are no facts of a decision.
func slim(a sharing.Agreement) sharing.Agreement {
	for i := range a.Seals {
		a.Seals[i].CertDER = nil
	}
	return a
}

// Holding is Sharing.Holding.
func (x *Index) Holding(ctx context.Context, id string) (sharing.Holding, error) {
	return recall(ctx, x.m, factHolding, id, func(ctx context.Context) (sharing.Holding, error) { return x.sharing.Holding(ctx, id) })
}

// Standing is Sharing.Standing. Neither part is as of another revision than the
// rest: the ends of copies change with copies, violations with a unit.
func (x *Index) Standing(ctx context.Context, r sharing.Resource, agency identity.USCC) (sharing.Standing, error) {
	out, err := recall(ctx, x.m, factStanding, standingOf(r.ID, string(agency)), func(ctx context.Context) (out sharing.Standing, err error) {
		out.Resource, out.Agency = r.ID, agency
		out.Due, out.Copy, err = x.sharing.due(ctx, r.ID, agency)
		return out, err
	})
	if err != nil {
		return sharing.Standing{}, err
	}
	open, err := recall(ctx, x.m, factViolations, string(agency), func(ctx context.Context) ([]sharing.Violation, error) {
		return x.sharing.suspended(ctx, agency)
	})
	out.Violation = suspends(open, r)
	return out, err
}

// HoldingsOf is Sharing.HoldingsOf, read of the store: only a change of grade asks.
func (x *Index) HoldingsOf(ctx context.Context, system string) ([]sharing.Holding, error) {
	return x.sharing.HoldingsOf(ctx, system)
}
