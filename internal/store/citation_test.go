package store_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

func consent(id string) sharing.Consent {
	return sharing.Consent{
		ID: id, Resource: "r-1", ResourceName: "低保'名单", Provider: provider, ProviderName: "民政局", Consumer: consumer, Title: "报告", Purpose: "引用",
		Document: "ab", NotBefore: day(1), NotAfter: day(9), Digest: "cd", Requester: "p-1", State: sharing.ConsentAsked, AskedAt: day(2),
	}
}

func citation(n string) cite.Citation {
	return cite.Citation{
		Consent: "consent-" + n, Consumer: string(consumer), Note: "表 '1'", Provider: string(provider), ProviderName: "民政局", Resource: "r-" + n, Title: "低保名单",
	}
}

// BJ17-19b: a consent moves along its arrows only, its terms never change, and
// both sides find it.
func TestBJ17_19b_ConsentStates(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		early := consent("c0")
		early.State = sharing.ConsentGiven
		_, err := r.Sharing.AddConsent(bg, early, event("consent", "c0"))
		wantErr(t, err, sharing.ErrConsent)
		ghost := consent("c0")
		ghost.Resource = "ghost"
		_, err = r.Sharing.AddConsent(bg, ghost, event("consent", "c0"))
		wantErr(t, err, sharing.ErrNotFound)
		for _, id := range []string{"c1", "c2"} {
			_, err = r.Sharing.AddConsent(bg, consent(id), event("consent", id))
			ok(t, err)
		}
		move := func(id string, from, to sharing.ConsentState) error {
			c := consent(id)
			c.State, c.Approval, c.DecidedAt, c.Title = to, "ap-1", day(3), "another"
			if to == sharing.ConsentWithdrawn {
				c.WithdrawnAt, c.Reason = day(4), "有误"
			}
			_, err := r.Sharing.MoveConsent(bg, c, from, event("consent", id))
			return err
		}
		before := snapshot(t, s)
		for _, m := range [][2]sharing.ConsentState{
			{sharing.ConsentAsked, sharing.ConsentWithdrawn}, {sharing.ConsentGiven, sharing.ConsentWithdrawn}, {sharing.ConsentGiven, sharing.ConsentRefused},
			{sharing.ConsentRefused, sharing.ConsentGiven}, {sharing.ConsentWithdrawn, sharing.ConsentGiven}, {sharing.ConsentAsked, "x"},
		} {
			wantErr(t, move("c1", m[0], m[1]), sharing.ErrConsent)
		}
		wantErr(t, move("ghost", sharing.ConsentAsked, sharing.ConsentGiven), sharing.ErrNotFound)
		same(t, s, before)
		ok(t, move("c1", sharing.ConsentAsked, sharing.ConsentGiven))
		wantErr(t, move("c1", sharing.ConsentAsked, sharing.ConsentRefused), sharing.ErrConsent)
		ok(t, move("c1", sharing.ConsentGiven, sharing.ConsentWithdrawn))
		ok(t, move("c2", sharing.ConsentAsked, sharing.ConsentRefused))
		got, err := r.Sharing.Consent(bg, "c1")
		if err != nil || got.State != sharing.ConsentWithdrawn || got.WithdrawnAt != kept(4) || got.DecidedAt != kept(3) || got.Title != "报告" || got.Reason != "有误" {
			t.Fatalf("%+v, %v", got, err)
		}
		for unit, want := range map[string]int{string(provider): 2, string(consumer): 2, string(office): 0} {
			all, err := r.Sharing.ConsentsOf(bg, identity.USCC(unit))
			if err != nil || len(all) != want || want > 0 && all[0].ID != "c2" {
				t.Errorf("%s: %+v, %v", unit, all, err)
			}
		}
	})
}

// A use keeps what its document quotes, and is found by the sealed document.
func TestBJ17_19b_UsesKeepTheirCitations(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		u := use("u1")
		u.Citations = []cite.Citation{citation("2"), citation("1")}
		_, err := r.Seals.AddUse(bg, u, event("use", "u1"))
		ok(t, err)
		got, err := r.Seals.Use(bg, "u1")
		if err != nil || !reflect.DeepEqual(got.Citations, u.Citations) || got.Batch != "" {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = r.Seals.SealedAs(bg, "ee")
		wantErr(t, err, signer.ErrNotFound)
		u.State, u.Sealed, u.SealedAt, u.Citations = signer.UseSealed, "ee", day(5), nil
		_, err = r.Seals.MoveUse(bg, u, signer.UseRequested, event("use", "u1"))
		ok(t, err)
		if got, err = r.Seals.SealedAs(bg, "ee"); err != nil || got.ID != "u1" || len(got.Citations) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

func batch(id string, n int) (signer.Use, []signer.Item) {
	b := use(id)
	items := make([]signer.Item, n)
	for i := range items {
		u := use(fmt.Sprintf("%s-%d", id, i))
		u.State, u.Batch, u.Document, u.Title = signer.UseListed, id, strings.Repeat("ab", i+1), fmt.Sprintf("a/%d.ofd", i)
		items[i] = signer.Item{Use: u, Size: int64(i) << 33}
	}
	return b, items
}

// A batch is written whole, and the answer to it moves its items, in one act.
func TestBatches(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		before := snapshot(t, s)
		for name, spoil := range map[string]func(*signer.Use, *[]signer.Item) error{
			"approved already": func(b *signer.Use, _ *[]signer.Item) error {
				b.State = signer.UseApproved
				return signer.ErrNotApproved
			},
			"empty": func(_ *signer.Use, i *[]signer.Item) error { *i = nil; return signer.ErrNotApproved },
			"item approved": func(_ *signer.Use, i *[]signer.Item) error {
				(*i)[1].State = signer.UseApproved
				return signer.ErrNotApproved
			},
			"of another batch": func(_ *signer.Use, i *[]signer.Item) error { (*i)[1].Batch = "x"; return signer.ErrNotApproved },
			"of another seal":  func(_ *signer.Use, i *[]signer.Item) error { (*i)[1].Seal = "x"; return signer.ErrNotApproved },
			"item with a place": func(_ *signer.Use, i *[]signer.Item) error {
				(*i)[1].Place = &signer.Placement{}
				return signer.ErrNotApproved
			},
			"item twice": func(_ *signer.Use, i *[]signer.Item) error { (*i)[1].ID = (*i)[0].ID; return signer.ErrExists },
		} {
			b, items := batch("b1", 3)
			want := spoil(&b, &items)
			if _, err := r.Seals.AddBatch(bg, b, items, event("batch", name)); err == nil {
				t.Fatalf("%s: written", name)
			} else {
				wantErr(t, err, want)
			}
		}
		same(t, s, before)
		for _, id := range []string{"b1", "b2"} {
			b, items := batch(id, 3)
			_, err := r.Seals.AddBatch(bg, b, items, event("batch", id))
			ok(t, err)
		}
		b, want := batch("b1", 3)
		b.State, b.Approval, b.ApprovedAt = signer.UseApproved, "ap-1", day(3)
		_, err := r.Seals.MoveUse(bg, b, signer.UseRequested, event("batch", "b1"))
		ok(t, err)
		got, err := r.Seals.Items(bg, "b1")
		ok(t, err)
		for i := range want {
			want[i].Use = truncated(want[i].Use)
			want[i].State, want[i].Approval, want[i].ApprovedAt = signer.UseApproved, "ap-1", kept(3)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if one, err := r.Seals.Use(bg, "b1-2"); err != nil || one.Batch != "b1" || one.State != signer.UseApproved {
			t.Errorf("%+v, %v", one, err)
		}
		other, err := r.Seals.Items(bg, "b2")
		if err != nil || len(other) != 3 || other[0].State != signer.UseListed {
			t.Errorf("%+v, %v", other, err)
		}
		// Nothing else moves items, and none starts without its batch.
		b.State, b.Sealed, b.SealedAt = signer.UseSealed, "ee", day(5)
		_, err = r.Seals.MoveUse(bg, b, signer.UseApproved, event("batch", "b1"))
		ok(t, err)
		if got, err = r.Seals.Items(bg, "b1"); err != nil || got[0].State != signer.UseApproved {
			t.Errorf("%+v, %v", got, err)
		}
		// A batch that lapses takes with it what is not sealed, and only that.
		b3, _ := batch("b2", 3)
		for _, step := range []struct{ from, to signer.UseState }{{signer.UseRequested, signer.UseApproved}, {signer.UseApproved, signer.UseLapsed}} {
			if step.to == signer.UseLapsed {
				done := other[1].Use
				done.State, done.Sealed, done.SealedAt = signer.UseSealed, "ef", day(5)
				_, err = r.Seals.MoveUse(bg, done, signer.UseApproved, event("batch", "b2"))
				ok(t, err)
			}
			b3.State = step.to
			_, err = r.Seals.MoveUse(bg, b3, step.from, event("batch", "b2"))
			ok(t, err)
		}
		other, err = r.Seals.Items(bg, "b2")
		if err != nil || other[0].State != signer.UseLapsed || other[1].State != signer.UseSealed || other[2].State != signer.UseLapsed {
			t.Errorf("%+v, %v", other, err)
		}
		listed, err := r.Seals.Uses(bg, signer.UseQuery{})
		ok(t, err)
		for _, u := range listed {
			if (u.Batch != "") != strings.Contains(u.ID, "-") {
				t.Errorf("listed: %+v", u)
			}
		}
		heads, err := r.Seals.Uses(bg, signer.UseQuery{Heads: true, Seals: []string{b3.Seal}})
		ok(t, err)
		for _, u := range heads {
			if u.Batch != "" {
				t.Errorf("an item among the heads: %+v", u)
			}
		}
		if none, err := r.Seals.Items(bg, "u9"); err != nil || len(none) != 0 {
			t.Errorf("%+v, %v", none, err)
		}
	})
}

// Of eight callers at once one takes an item (design law 3).
func TestAnItemIsTakenOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		const n = 5
		b, items := batch("b1", n)
		_, err := r.Seals.AddBatch(bg, b, items, event("batch", "b1"))
		ok(t, err)
		b.State, b.Approval = signer.UseApproved, "ap-1"
		_, err = r.Seals.MoveUse(bg, b, signer.UseRequested, event("batch", "b1"))
		ok(t, err)
		var taken atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, it := range items {
					u := it.Use
					u.State, u.Approval, u.TakenAt = signer.UseSealing, "ap-1", signertest.Start()
					if _, err := r.Seals.MoveUse(bg, u, signer.UseApproved, event("item", u.ID)); err == nil {
						taken.Add(1)
					} else {
						wantErr(t, err, signer.ErrNotApproved)
					}
				}
			})
		}
		wg.Wait()
		if taken.Load() != n {
			t.Errorf("%d of %d items were taken", taken.Load(), n)
		}
	})
}
