package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// direct reads the facts of a decision from the store, index from memory.
func direct(s *store.Store, r *store.Rooms) *authz.StoreFacts {
	return authz.NewFacts(authz.FactsConfig{People: r.Identity, Grading: r.Grading, Sharing: r.Sharing, Revision: s, Copies: r.Sharing})
}

func indexed(r *store.Rooms) *authz.StoreFacts {
	return authz.NewFacts(authz.FactsConfig{People: r.Index, Grading: r.Index, Sharing: r.Index, Revision: r.Index, Copies: r.Index})
}

// everyQuestion names every register, what is there and what is not yet.
func everyQuestion(n int) (out []authz.Request) {
	for i := range n {
		out = append(out,
			authz.Request{SubjectType: authz.SubjectSystem, SubjectID: fmt.Sprint("civil-", i), Action: authz.ActionCopy, Resource: fmt.Sprint("h-", i), Target: "civil-b"},
			authz.Request{SubjectType: authz.SubjectSystem, SubjectID: "civil-b", Action: authz.ActionRead, Resource: fmt.Sprint("r-", i), Target: "civil-0", Carriers: []string{"civil-1"}},
			authz.Request{SubjectType: authz.SubjectPerson, SubjectID: fmt.Sprint("p-", i), Action: authz.ActionRegrade, Resource: "civil-0", Target: "civil-0"},
			authz.Request{SubjectType: authz.SubjectAgency, SubjectID: string(office), Action: authz.ActionRead, Resource: fmt.Sprint("r-", i)},
		)
	}
	return out
}

// answers is what a Facts reads for a question.
func answers(t *testing.T, f *authz.StoreFacts, q authz.Request) authz.Snapshot {
	t.Helper()
	s, err := f.Load(bg, q)
	ok(t, err)
	return s
}

// After any sequence of changes by either of two nodes, the memory of each answers
// what the store answers, with the same revision.
func TestIndexAnswersAsTheStore(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		house(t, s)
		nodes := [2]*store.Rooms{s.Rooms(nil), s.Rooms(nil)}
		memories := [2]*authz.StoreFacts{indexed(nodes[0]), indexed(nodes[1])}
		rnd := rand.New(rand.NewPCG(5, 330))
		const n = 4
		all := everyQuestion(n)
		for step := range 140 {
			change(t, nodes[rnd.IntN(2)], rnd, n, step)
			for range 12 {
				q, node := all[rnd.IntN(len(all))], rnd.IntN(2)
				got, want := answers(t, memories[node], q), answers(t, direct(s, nodes[0]), q)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("step %d, node %d, %+v:\n%+v\nstore:\n%+v", step, node, q, got, want)
				}
			}
		}
	})
}

// change does one act; one that the registers refuse is a change too, of nothing.
func change(t *testing.T, r *store.Rooms, rnd *rand.Rand, n, step int) {
	t.Helper()
	i := rnd.IntN(n)
	id := func(kind string) string { return fmt.Sprint(kind, "-", i) }
	acts := []func() error{
		func() error {
			_, err := r.Identity.AddSystem(bg, system(id("civil")), event("system", "x"))
			return err
		},
		func() error {
			_, err := r.Identity.AddPerson(bg, person(id("p")), event("person", "x"))
			return err
		},
		func() error {
			_, err := r.Identity.AddPost(bg, post(fmt.Sprint("post-", step), id("p"), identity.RoleClerk), event("post", "x"))
			return err
		},
		func() error {
			_, err := r.Identity.EndPost(bg, fmt.Sprint("post-", rnd.IntN(step+1)), day(10), event("post", "x"))
			return err
		},
		func() error { _, err := r.Identity.Leave(bg, id("p"), day(12), event("person", "x")); return err },
		func() error {
			_, err := r.Identity.AddAgency(bg, agency(office), event("agency", "x"))
			return err
		},
		func() error {
			g := record(step+1, 3, 3)
			g.System = id("civil")
			_, err := r.Grading.AddGrading(bg, g, event("system", "x"))
			return err
		},
		func() error {
			_, err := r.Sharing.AddResource(bg, resource(t, id("r")), event("resource", "x"))
			return err
		},
		func() error {
			a := agreement(fmt.Sprint("a-", step))
			a.Resource = id("r")
			_, err := r.Sharing.AddAgreement(bg, a, event("agreement", "x"))
			return err
		},
		func() error {
			_, err := r.Sharing.TerminateAgreement(bg, fmt.Sprint("a-", rnd.IntN(step+1)), day(11), event("agreement", "x"))
			return err
		},
		func() error {
			h := holding(t, id("h"))
			h.System, h.Resource, h.Agreement = id("civil"), fmt.Sprint("r-", rnd.IntN(n)), fmt.Sprint("a-", rnd.IntN(step+1))
			if of, err := r.Sharing.Resource(bg, h.Resource); err == nil {
				h.Label = of.Label
			}
			_, err := r.Sharing.AddHolding(bg, h, event("holding", "x"))
			return err
		},
		func() error {
			_, err := r.Sharing.EndHolding(bg, sharing.Destruction{Holding: id("h"), Method: "x", At: day(9), RecordedAt: day(9), CertDER: []byte{1}, Signature: []byte{1}}, event("holding", "x"))
			return err
		},
		func() error {
			_, err := r.Sharing.AddTask(bg, sharing.Task{ID: fmt.Sprint("t-", step), Holding: id("h"), Due: day(1 + rnd.IntN(28)), Why: sharing.WhyProvider, At: day(2)}, event("holding", "x"))
			return err
		},
		func() error {
			_, err := r.Sharing.AddViolation(bg, violation(fmt.Sprint("v-", step), id("r")), event("violation", "x"))
			return err
		},
		func() error {
			v := violation(fmt.Sprint("v-", rnd.IntN(step+1)), id("r"))
			v.State = sharing.ViolationAsked
			if _, err := r.Sharing.MoveViolation(bg, v, sharing.ViolationRecorded, event("violation", "x")); err != nil {
				return err
			}
			v.State = sharing.ViolationSettled
			_, err := r.Sharing.MoveViolation(bg, v, sharing.ViolationAsked, event("violation", "x"))
			return err
		},
		func() error {
			g := grant.Grant{ID: fmt.Sprint("g-", step), Person: id("p"), Unit: office, State: grant.Proposed, AskedAt: day(3), Until: day(20)}
			if _, err := r.Grants.AddGrant(bg, g, event("grant", "x")); err != nil {
				return err
			}
			g.State = grant.InForce
			_, err := r.Grants.MoveGrant(bg, g, grant.Proposed, event("grant", "x"))
			return err
		},
		func() error { return relabels(t, r, rnd, id("r"), fmt.Sprint("act-", step)) },
		func() error {
			h, err := r.Sharing.Holding(bg, id("h"))
			if err != nil {
				return err
			}
			return relabels(t, r, rnd, h.Resource, fmt.Sprint("act-", step))
		},
		func() error {
			all, err := r.Reclass.NoticesTo(bg, consumer)
			if err != nil || len(all) == 0 {
				return err
			}
			n := all[rnd.IntN(len(all))]
			n.DoneAt, n.DoneBy, n.Evidence, n.Note = day(6), "p-2", "ef", "已处理"
			_, err = r.Reclass.Done(bg, n, event("holding", "x"))
			return err
		},
	}
	err := acts[rnd.IntN(len(acts))]()
	for _, refused := range []error{identity.ErrExists, identity.ErrNotFound, identity.ErrLeft, identity.ErrIncompatible, sharing.ErrExists, sharing.ErrNotFound, sharing.ErrInvalid, sharing.ErrEnded, sharing.ErrViolation,
		grading.ErrBelowHoldings, reclass.ErrNotFound, reclass.ErrState, reclass.ErrKept} {
		if errors.Is(err, refused) {
			return
		}
	}
	ok(t, err)
}

// relabels raises or lowers a resource, with the copies of it.
func relabels(t *testing.T, r *store.Rooms, rnd *rand.Rand, resource, id string) error {
	t.Helper()
	res, err := r.Sharing.Resource(bg, resource)
	if err != nil {
		return err
	}
	a := reclassAct(t, id, res.Label, label(t, level.Level(1+rnd.IntN(4)), uint8(1+rnd.IntN(4)), 1, level.TagPersonal))
	if a.Resource = resource; a.Raises() {
		a.State = reclass.Raised
	}
	if _, err := r.Reclass.AddAct(bg, a, event("resource", resource)); err != nil || a.State == reclass.Raised {
		return err
	}
	a.State, a.SettledAt = reclass.InForce, day(5)
	_, err = r.Reclass.MoveAct(bg, a, reclass.Proposed, event("resource", resource))
	return err
}

// A decision that was asked for after a change was committed rests on it, also
// while others read and change.
func TestIndexIsNeverOlderThanTheQuestion(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		house(t, s)
		here, there := s.Rooms(nil), s.Rooms(nil)
		facts := indexed(there)
		var wg sync.WaitGroup
		for k := range 4 {
			wg.Go(func() {
				for i := range 25 {
					id := fmt.Sprintf("r-%d-%d", k, i)
					q := authz.Request{SubjectType: authz.SubjectSystem, SubjectID: "civil-b", Action: authz.ActionRead, Resource: id}
					if before, err := facts.Load(bg, q); err != nil || before.Item != nil {
						t.Errorf("before: %+v, %v", before.Item, err)
					}
					if _, err := here.Sharing.AddResource(bg, resource(t, id), event("resource", id)); err != nil {
						t.Error(err)
					}
					if after, err := facts.Load(bg, q); err != nil || after.Item == nil {
						t.Errorf("%s is not seen: %v", id, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Who was away for longer than changes are kept, and who finds another store with
// an older revision, reads everything again.
func TestIndexAfterAGap(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		there := s.Rooms(nil)
		seen := func() (string, error) {
			if _, err := r.Index.Revision(bg); err != nil {
				return "", err
			}
			got, err := r.Index.Resource(bg, "r-1")
			return got.Name, err
		}
		rename := func(name string) {
			t.Helper()
			ok(t, s.Exec(bg, "UPDATE sharing_resource SET name = ? WHERE id = 'r-1'", name))
		}
		_, err := seen()
		ok(t, err)
		_, err = there.Identity.AddSystem(bg, system("civil-9"), event("system", "civil-9"))
		ok(t, err)
		rename("behind its back")
		if got, err := seen(); err != nil || got != "低保名单" {
			t.Fatalf("a change of another row made it forget: %q, %v", got, err)
		}
		ok(t, s.Exec(bg, "DELETE FROM facts_change"))
		ok(t, s.Exec(bg, "UPDATE facts_revision SET revision = revision + 1"))
		if got, err := seen(); err != nil || got != "behind its back" {
			t.Errorf("after a gap: %q, %v", got, err)
		}
		rename("older")
		ok(t, s.Exec(bg, "UPDATE facts_revision SET revision = 1"))
		if got, err := seen(); err != nil || got != "older" {
			t.Errorf("after the revision went back: %q, %v", got, err)
		}
		ok(t, s.Close())
		if _, err := seen(); err == nil {
			t.Error("answered without a store")
		}
	})
}
