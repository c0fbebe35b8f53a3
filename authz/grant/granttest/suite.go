package granttest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Run holds a store to the contract of grant.Store.
func Run(t *testing.T, open func(t *testing.T) grant.Store) {
	t.Run("grants", func(t *testing.T) { grants(t, open(t)) })
	t.Run("reviews", func(t *testing.T) { reviews(t, open(t)) })
	t.Run("delegations", func(t *testing.T) { delegations(t, open(t)) })
}

var (
	bg    = context.Background()
	start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
)

const unitA, unitB identity.USCC = "11110102000000001A", "11110102000000002B"

func sample(id string) grant.Grant {
	return grant.Grant{
		ID: id, Unit: unitA, Person: "p-1", Role: identity.RoleClerk, Need: "低保'复核", Actions: []level.Act{level.Copy, level.Read}, Purposes: []string{"relief"},
		Resources: []string{"r-1"}, Providers: []identity.USCC{unitB}, Systems: []string{"civil-a"}, Level: 3, From: start, Until: start.AddDate(0, 6, 0),
		Requester: "p-2", AskedAt: start, Digest: "ab", State: grant.Proposed,
	}
}

func event(kind, id string) ledger.Event {

	return ledger.Event{
		ID: uuid.NewString(), Type: "authz.grant.moved", Class: ledger.ClassAdmin, Time: start, Actor: ledger.Actor{Kind: "person", ID: "p-2"},
		Object: ledger.Object{Kind: kind, ID: id}, Outcome: ledger.Success,
	}
}

func want(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func grants(t *testing.T, s grant.Store) {
	add := func(g grant.Grant) error {
		_, err := s.AddGrant(bg, g, event("grant", g.ID))
		return err
	}
	move := func(g grant.Grant, from, to grant.State) error {
		g.State = to
		_, err := s.MoveGrant(bg, g, from, event("grant", g.ID))
		return err
	}
	early := sample("g-0")
	early.State = grant.InForce
	want(t, add(early), grant.ErrState)
	g := sample("g-1")
	want(t, add(g), nil)
	want(t, add(g), grant.ErrExists)
	if got, err := s.Grant(bg, g.ID); err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := s.Grant(bg, "ghost"); !errors.Is(err, grant.ErrNotFound) {
		t.Fatal(err)
	}
	want(t, move(sample("ghost"), grant.Proposed, grant.InForce), grant.ErrNotFound)
	for _, m := range [][2]grant.State{
		{grant.Proposed, grant.Suspended}, {grant.Proposed, grant.Ended}, {grant.InForce, grant.Suspended}, {grant.Refused, grant.InForce}, {grant.Ended, grant.InForce}, {grant.Proposed, "x"},
		{grant.Proposed, grant.Replaced}, {grant.Withdrawn, grant.InForce},
	} {
		want(t, move(g, m[0], m[1]), grant.ErrState)
	}
	g.Approval, g.SettledAt, g.Need = "ap-1", start.Add(time.Hour), "another need"
	want(t, move(g, grant.Proposed, grant.InForce), nil)
	g.Suspensions, g.Suspension = 1, grant.Suspension{By: "p-3", Reason: "核查", At: start.Add(2 * time.Hour)}
	want(t, move(g, grant.InForce, grant.Suspended), nil)
	stale := g
	stale.Suspensions = 0
	want(t, move(stale, grant.Suspended, grant.InForce), grant.ErrState)
	want(t, move(g, grant.Suspended, grant.InForce), nil)
	want(t, move(stale, grant.InForce, grant.Ended), grant.ErrState)
	got, err := s.Grant(bg, g.ID)
	g.State, g.Need = grant.InForce, sample("").Need
	if err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("the terms changed or the rest did not:\n%+v\n%+v, %v", got, g, err)
	}

	// Of two that replace one, the second finds nothing to replace; the first ends
	// it with itself.
	for _, id := range []string{"g-2", "g-3"} {
		next := sample(id)
		next.Replaces, next.AskedAt = "g-1", start.Add(3*time.Hour)
		want(t, add(next), nil)
	}
	next := sample("g-2")
	next.Replaces, next.SettledAt = "g-1", start.Add(4*time.Hour)
	want(t, move(next, grant.Proposed, grant.InForce), nil)
	next.ID = "g-3"
	want(t, move(next, grant.Proposed, grant.InForce), grant.ErrState)
	if old, err := s.Grant(bg, "g-1"); err != nil || old.State != grant.Replaced || !old.EndedAt.Equal(next.SettledAt) {
		t.Fatalf("%+v, %v", old, err)
	}
	if third, err := s.Grant(bg, "g-3"); err != nil || third.State != grant.Proposed {
		t.Fatalf("%+v, %v", third, err)
	}
	other := sample("g-4")
	other.Unit, other.Person = unitB, "p-9"
	want(t, add(other), nil)
	for unit, n := range map[identity.USCC]int{unitA: 3, unitB: 1, "": 4, "11110102000000003C": 0} {
		if all, err := s.GrantsOf(bg, unit); err != nil || len(all) != n || unit == unitA && all[2].ID != "g-1" {
			t.Errorf("%q: %+v, %v", unit, all, err)
		}
	}
	for after, n := range map[time.Time]int{start: 2, start.AddDate(0, 6, 0): 0} {
		if all, err := s.GrantsFor(bg, "p-1", after); err != nil || len(all) != n {
			t.Errorf("after %s: %+v, %v", after, all, err)
		}
	}
}

func reviews(t *testing.T, s grant.Store) {
	g := sample("g-1")
	g.Emergency, g.Actions = true, []level.Act{level.Read}
	_, err := s.AddGrant(bg, g, event("grant", g.ID))
	want(t, err, nil)
	review := func(r grant.Review) error {
		q := g
		q.Review = r
		_, err := s.ReviewGrant(bg, q, event("grant", g.ID))
		return err
	}
	led, audited := grant.Review{Approval: "ap-2", Found: true, At: start.Add(time.Hour)}, grant.Review{Auditor: "p-7", Note: "属实", AuditAt: start.Add(2 * time.Hour)}
	want(t, review(led), grant.ErrState) // nothing is due yet
	g.State, g.Review.Due = grant.InForce, start.AddDate(0, 0, 1)
	_, err = s.MoveGrant(bg, g, grant.Proposed, event("grant", g.ID))
	want(t, err, nil)
	want(t, review(grant.Review{}), grant.ErrState)
	want(t, review(audited), nil)
	want(t, review(audited), grant.ErrState)
	want(t, review(led), nil)
	led.Found = false
	want(t, review(led), grant.ErrState)
	got, err := s.Grant(bg, g.ID)
	if err != nil || got.Review != (grant.Review{Due: g.Review.Due, Approval: "ap-2", Found: true, At: start.Add(time.Hour), Auditor: "p-7", Note: "属实", AuditAt: start.Add(2 * time.Hour)}) {
		t.Fatalf("%+v, %v", got.Review, err)
	}
	q := g
	q.ID = "ghost"
	_, err = s.ReviewGrant(bg, q, event("grant", "ghost"))
	want(t, err, grant.ErrNotFound)
}

func delegations(t *testing.T, s grant.Store) {
	d := grant.Delegation{
		ID: "d-1", Unit: unitA, Leader: "p-5", Deputy: "p-6", Reason: "出差", From: start, Until: start.AddDate(0, 1, 0), Requester: "p-2", AskedAt: start,
		Digest: "cd", State: grant.InForce,
	}
	add := func() error {
		_, err := s.AddDelegation(bg, d, event("delegation", d.ID))
		return err
	}
	move := func(from, to grant.State) error {
		q := d
		q.State = to
		_, err := s.MoveDelegation(bg, q, from, event("delegation", d.ID))
		return err
	}
	want(t, add(), grant.ErrState)
	d.State = grant.Proposed
	want(t, add(), nil)
	want(t, add(), grant.ErrExists)
	for _, m := range [][2]grant.State{{grant.Proposed, grant.Ended}, {grant.InForce, grant.Ended}, {grant.Proposed, grant.Suspended}} {
		want(t, move(m[0], m[1]), grant.ErrState)
	}
	d.Approval, d.SettledAt = "ap-1", start.Add(time.Hour)
	want(t, move(grant.Proposed, grant.InForce), nil)
	want(t, move(grant.InForce, grant.Suspended), grant.ErrState)
	d.EndedBy, d.EndReason, d.EndedAt = "p-5", "返回", start.Add(2*time.Hour)
	want(t, move(grant.InForce, grant.Ended), nil)
	want(t, move(grant.InForce, grant.Ended), grant.ErrState)
	d.State = grant.Ended
	if got, err := s.Delegation(bg, d.ID); err != nil || !reflect.DeepEqual(got, d) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := s.Delegation(bg, "ghost"); !errors.Is(err, grant.ErrNotFound) {
		t.Fatal(err)
	}
	for unit, n := range map[identity.USCC]int{unitA: 1, unitB: 0, "": 1} {
		if all, err := s.DelegationsOf(bg, unit); err != nil || len(all) != n {
			t.Errorf("%q: %+v, %v", unit, all, err)
		}
	}
}
