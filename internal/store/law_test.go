package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// 西政办发〔2014〕14号 art. 31: a copy is never below what it was made from.
func TestX11_30_NoHoldingBelowItsSources(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s) // r-1 is L2/S2A1[personal]
		other := resource(t, "r-2")
		other.Label = label(t, 1, 1, 3, level.TagSensitive)
		_, err := r.Sharing.AddResource(bg, other, event("resource", "r-2"))
		ok(t, err)
		high := holding(t, "high")
		high.Label = label(t, 3, 3, 1, level.TagPersonal, level.TagWorkSecret)
		_, err = r.Sharing.AddHolding(bg, high, event("holding", "high"))
		ok(t, err)
		second := holding(t, "second")
		second.Resource, second.Label = "r-2", label(t, 1, 1, 3, level.TagSensitive)
		_, err = r.Sharing.AddHolding(bg, second, event("holding", "second"))
		ok(t, err)

		merged := label(t, 3, 3, 3, level.TagPersonal, level.TagWorkSecret, level.TagSensitive)
		for _, c := range []struct {
			name    string
			sources []string
			label   level.Label
			want    error
		}{
			{"the resource's own label", nil, label(t, 2, 2, 1, level.TagPersonal), nil},
			{"above it", nil, label(t, 4, 5, 5, level.TagPersonal, level.TagWorkSecret), nil},
			{"a lower level", nil, label(t, 1, 2, 1, level.TagPersonal), sharing.ErrLowered},
			{"a lower S", nil, label(t, 2, 1, 1, level.TagPersonal), sharing.ErrLowered},
			{"a tag lost", nil, label(t, 2, 2, 1), sharing.ErrLowered},
			{"a higher level does not pay for a lost tag", nil, label(t, 4, 5, 5), sharing.ErrLowered},
			{"no label at all", nil, level.Label{}, sharing.ErrLowered},
			{"below one source", []string{"high"}, label(t, 2, 2, 1, level.TagPersonal), sharing.ErrLowered},
			{"as high as the source", []string{"high"}, high.Label, nil},
			{"merged: the first source only", []string{"high", "second"}, high.Label, sharing.ErrLowered},
			{"merged: the join", []string{"high", "second"}, merged, nil},
			{"a source that nobody knows", []string{"high", "ghost"}, level.Strictest(), sharing.ErrNotFound},
		} {
			before := snapshot(t, s)
			h := holding(t, "h "+c.name)
			h.Sources, h.Label = c.sources, c.label
			_, err := r.Sharing.AddHolding(bg, h, event("holding", c.name))
			if !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
			if c.want != nil {
				same(t, s, before)
			}
		}
		stray := holding(t, "stray")
		stray.Resource = "ghost"
		_, err = r.Sharing.AddHolding(bg, stray, event("holding", "stray"))
		wantErr(t, err, sharing.ErrNotFound)
	})
}

// 密码法 art. 8, design law 1: state secrets are refused at registration.
func TestXA18_31_BJ17_03_StateSecretsAreNotRegistered(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		secret := level.Label{Level: 4, RequiredS: 5, RequiredA: 5, Tags: []level.Tag{"机密"}}
		res, tr := resource(t, "r-9"), transfer(t, "t-9")
		res.Label, tr.Label = secret, secret
		_, err := r.Sharing.AddResource(bg, res, event("resource", "r-9"))
		wantErr(t, err, level.ErrStateSecret)
		wantErr(t, err, sharing.ErrInvalid)
		_, err = r.Transfers.AddTransfer(bg, tr, event("transfer", "t-9"))
		wantErr(t, err, level.ErrStateSecret)
		wantErr(t, err, exchange.ErrDocument)
	})
}

// 西政办发〔2014〕14号 art. 30: no grade below what the system holds.
func TestX14_30_NoGradeBelowItsHoldings(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		grade := func(version int, gs, ga uint8) error {
			_, err := r.Grading.AddGrading(bg, record(version, gs, ga), event("system", "civil-a"))
			return err
		}
		hold := func(id string, gs, ga uint8) error {
			h := holding(t, id)
			h.Label.RequiredS, h.Label.RequiredA = gs, ga
			_, err := r.Sharing.AddHolding(bg, h, event("holding", id))
			return err
		}
		ok(t, hold("before", 2, 2)) // ungraded: the decision point's to refuse
		wantErr(t, grade(1, 3, 1), grading.ErrBelowHoldings)
		wantErr(t, grade(1, 1, 3), grading.ErrBelowHoldings)
		wantErr(t, grade(0, 3, 3), grading.ErrInvalid)
		wantErr(t, grade(1, 0, 3), grading.ErrInvalid)
		wantErr(t, grade(1, 6, 3), grading.ErrInvalid)
		ok(t, grade(1, 3, 3))
		wantErr(t, grade(1, 3, 3), grading.ErrInvalid) // history is append-only
		wantErr(t, hold("too much", 4, 1), grading.ErrBelowHoldings)
		ok(t, hold("more", 3, 1))
		wantErr(t, grade(2, 2, 3), grading.ErrBelowHoldings)
		ok(t, grade(2, 3, 2))

		// An ended copy does not bind any more; a draft is not in force.
		gone := holding(t, "gone")
		gone.Label, gone.Ended = label(t, 4, 5, 5, level.TagPersonal), day(4)
		_, err := r.Sharing.AddHolding(bg, gone, event("holding", "gone"))
		ok(t, err)
		draft := record(3, 5, 5)
		draft.State = grading.StateDraft
		_, err = r.Grading.AddGrading(bg, draft, event("system", "civil-a"))
		ok(t, err)
		got, err := r.Grading.Grading(bg, "civil-a")
		if err != nil || got.Version != 2 {
			t.Fatalf("in force: version %d, %v", got.Version, err)
		}
		live, err := r.Sharing.HoldingsOf(bg, "civil-a")
		ok(t, err)
		if len(live) != 2 {
			t.Fatalf("%d live holdings", len(live))
		}
	})
}

// Re-grading and a new copy at the same moment: whoever comes second must see
// the first. At the end the grade carries every copy, whatever the order was.
func TestGradeAndHoldingsAgreeUnderRace(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		for round := range 25 {
			id := fmt.Sprintf("sys-%d", round)
			first := record(1, 3, 3)
			first.System = id
			_, err := r.Grading.AddGrading(bg, first, event("system", id))
			ok(t, err)
			var wg sync.WaitGroup
			for n := range 4 {
				wg.Go(func() {
					h := holding(t, fmt.Sprint(id, n))
					h.System, h.Label = id, label(t, 3, 3, 3, level.TagPersonal)
					_, err := r.Sharing.AddHolding(bg, h, event("holding", h.ID))
					if err != nil && !errors.Is(err, grading.ErrBelowHoldings) {
						t.Errorf("holding: %v", err)
					}
				})
				wg.Go(func() {
					g := record(2, 2, 2)
					g.System = id
					_, err := r.Grading.AddGrading(bg, g, event("system", id))
					if err != nil && !errors.Is(err, grading.ErrBelowHoldings) && !errors.Is(err, grading.ErrInvalid) {
						t.Errorf("grading: %v", err)
					}
				})
			}
			wg.Wait()
			g, err := r.Grading.Grading(bg, id)
			ok(t, err)
			live, err := r.Sharing.HoldingsOf(bg, id)
			ok(t, err)
			for _, h := range live {
				if !g.Grade.Carries(h.Label) {
					t.Fatalf("round %d: %s does not carry %s", round, g.Grade, h.Label)
				}
			}
		}
	})
}

// 三员分立, GB/T 22239 8.1.5: three people.
func TestX11_24a_AdministratorsAreThreePeople(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		add := func(id, person string, role identity.Role, from, until int) error {
			p := post(id, person, role)
			p.Agency, p.From, p.Until = consumer, day(from), day(until) // in whatever agency
			if until == 0 {
				p.Until = time.Time{} // open
			}
			_, err := r.Identity.AddPost(bg, p, event("post", id))
			return err
		}
		ok(t, add("1", "p-1", identity.RoleSystemAdmin, 1, 10))
		wantErr(t, add("2", "p-1", identity.RoleAuditor, 9, 0), identity.ErrIncompatible)
		wantErr(t, add("2", "p-1", identity.RoleSecurityOfficer, 2, 3), identity.ErrIncompatible)
		ok(t, add("2", "p-1", identity.RoleAuditor, 10, 0)) // the day the other term ends
		wantErr(t, add("3", "p-1", identity.RoleSystemAdmin, 20, 0), identity.ErrIncompatible)
		wantErr(t, add("3", "p-1", identity.RoleClerk, 1, 0), identity.ErrIncompatible)
		ok(t, add("3", "p-1", identity.RoleUnitLeader, 1, 0))
		ok(t, add("4", "p-1", identity.RoleAuditor, 12, 13)) // the same role
		ok(t, add("5", "p-2", identity.RoleSecurityOfficer, 1, 0))
		wantErr(t, add("6", "p-2", identity.RoleUnitLeader, 5, 5), identity.ErrInvalid)
		wantErr(t, add("6", "ghost", identity.RoleUnitLeader, 1, 0), identity.ErrNotFound)
	})
}

func TestAdministratorsAreThreePeopleUnderRace(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		roles := []identity.Role{identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor}
		for round := range 20 {
			who := fmt.Sprintf("racer-%d", round)
			_, err := r.Identity.AddPerson(bg, person(who), event("person", who))
			ok(t, err)
			var wg sync.WaitGroup
			for n, role := range roles {
				wg.Go(func() {
					_, err := r.Identity.AddPost(bg, post(fmt.Sprint(who, n), who, role), event("post", who))
					if err != nil && !errors.Is(err, identity.ErrIncompatible) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if posts, err := r.Identity.PostsOf(bg, who); err != nil || len(posts) != 1 {
				t.Fatalf("round %d: %d administrators in one person, %v", round, len(posts), err)
			}
		}
	})
}
