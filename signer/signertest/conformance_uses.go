package signertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

func newUse(seal string) signer.Use {
	return signer.Use{
		ID: newID(), Seal: seal, Document: "ab", Title: "通知", Type: "notice", Purpose: "发文", Requester: "clerk", State: signer.UseRequested, CreatedAt: Start(),
		Place: &signer.Placement{Page: 2, X: 12.5, Y: 1e-6, Keyword: "样例“局”", Ride: signer.EdgeLeft},
	}
}

// approved adds a use and approves it.
func approved(t *testing.T, s Store, seal string) signer.Use {
	t.Helper()
	u := newUse(seal)
	_, err := s.AddUse(ctx, u, event())
	ok(t, err)
	u.State, u.Approval, u.ApprovedAt = signer.UseApproved, "ap", Start()
	_, err = s.MoveUse(ctx, u, signer.UseRequested, event())
	ok(t, err)
	return u
}

// take moves an approved use to sealing at a time.
func take(s Store, u signer.Use, at time.Time) error {
	u.State, u.TakenAt = signer.UseSealing, at
	_, err := s.MoveUse(ctx, u, signer.UseApproved, event())
	return err
}

func useArrows(t *testing.T, s Store) {
	Active(t, s, "1", signer.Authorisation{})
	u := newUse("1")
	u.State = signer.UseSealed
	_, err := s.AddUse(ctx, u, event())
	wants(t, err, signer.ErrNotApproved)
	_, err = s.AddUse(ctx, newUse("ghost"), event())
	wants(t, err, signer.ErrNotFound)
	u = approved(t, s, "1")
	_, err = s.AddUse(ctx, newUseLike(u), event())
	wants(t, err, signer.ErrExists)
	at := Start().Add(time.Hour)
	ok(t, take(s, u, at))
	wants(t, take(s, u, at), signer.ErrNotApproved)
	u.State, u.TakenAt, u.Sealed, u.SealedAt, u.Document, u.Type, u.Place = signer.UseSealed, at, "ee", at, "another", "another", &signer.Placement{}
	_, err = s.MoveUse(ctx, u, signer.UseSealing, event())
	ok(t, err)
	got, err := s.Use(ctx, u.ID)
	ok(t, err)
	u.Document, u.Type, u.Place = "ab", "notice", newUse("1").Place // what was asked for never changes
	if !reflect.DeepEqual(got, u) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, u)
	}
	ghost := u
	ghost.ID = "ghost"
	_, err = s.MoveUse(ctx, ghost, signer.UseSealed, event())
	wants(t, err, signer.ErrNotFound)
}

func newUseLike(u signer.Use) signer.Use {
	again := newUse(u.Seal)
	again.ID = u.ID
	return again
}

func notAdmitted(t *testing.T, s Store) {
	Active(t, s, "1", signer.Authorisation{})
	u := approved(t, s, "1")
	_, err := Move(s, "1", life.ActSuspend, nil)
	ok(t, err)
	wants(t, take(s, u, Start()), signer.ErrSealState)
	_, err = Move(s, "1", life.ActResume, nil)
	ok(t, err)
	wants(t, take(s, u, Start().AddDate(2, 0, 0)), signer.ErrSealState)
	ok(t, take(s, u, Start()))
	// What was interrupted and is taken back is not counted.
	u.State = signer.UseApproved
	_, err = s.MoveUse(ctx, u, signer.UseSealing, event())
	ok(t, err)
	if n, err := s.Taken(ctx, "1", time.Time{}, time.Time{}); err != nil || n != (signer.Taken{}) {
		t.Fatalf("%+v, %v", n, err)
	}
}

// raceQuota lets eight callers take three uses each, and returns how many did.
func raceQuota(t *testing.T, s Store, seal string, at time.Time) int {
	t.Helper()
	var won atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		mine := []signer.Use{approved(t, s, seal), approved(t, s, seal), approved(t, s, seal)}
		wg.Go(func() {
			for _, u := range mine {
				if err := take(s, u, at); err == nil {
					won.Add(1)
				} else if !errors.Is(err, signer.ErrQuota) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return int(won.Load())
}

func quotaAll(t *testing.T, s Store) {
	Active(t, s, "1", signer.Authorisation{Total: 5, Since: Start()})
	if n := raceQuota(t, s, "1", Start().Add(time.Minute)); n != 5 {
		t.Fatalf("%d uses, the quota is 5", n)
	}
	// A new authorisation counts from its own beginning.
	later := Start().Add(time.Hour)
	_, err := Move(s, "1", life.ActAuthorise, func(e *signer.Seal) { e.Authorisation = signer.Authorisation{Total: 2, Since: later} })
	ok(t, err)
	if n := raceQuota(t, s, "1", later); n != 2 {
		t.Fatalf("%d uses, the new quota is 2", n)
	}
}

func quotaDay(t *testing.T, s Store) {
	Active(t, s, "1", signer.Authorisation{Quota: 3, Per: signer.PerDay})
	for day := range 2 {
		at := Start().AddDate(0, 0, day)
		if n := raceQuota(t, s, "1", at); n != 3 {
			t.Fatalf("day %d: %d uses, the quota is 3", day, n)
		}
		all, window := signer.Seal{Life: signer.Life{Authorisation: signer.Authorisation{Per: signer.PerDay}}}.Counted(at)
		if n, err := s.Taken(ctx, "1", all, window); err != nil || n != (signer.Taken{All: 3 * (day + 1), Window: 3}) {
			t.Fatalf("%+v, %v", n, err)
		}
	}
}

func useOrSuspend(t *testing.T, s Store) {
	for round := range 5 {
		id := fmt.Sprint(round)
		Active(t, s, id, signer.Authorisation{})
		u := approved(t, s, id)
		var wg sync.WaitGroup
		var took, stopped error
		wg.Go(func() { took = take(s, u, Start()) })
		wg.Go(func() { _, stopped = Move(s, id, life.ActSuspend, nil) })
		wg.Wait()
		ok(t, stopped)
		if took != nil && !errors.Is(took, signer.ErrSealState) {
			t.Fatal(took)
		}
	}
}

func usesListed(t *testing.T, s Store) {
	Active(t, s, "1", signer.Authorisation{})
	Active(t, s, "2", signer.Authorisation{})
	a, b, c := approved(t, s, "1"), approved(t, s, "2"), approved(t, s, "1")
	ok(t, take(s, c, Start().Add(time.Hour)))
	for name, q := range map[string]struct {
		q    signer.UseQuery
		want []string
	}{
		"all": {signer.UseQuery{}, []string{c.ID, b.ID, a.ID}}, "unit": {signer.UseQuery{Unit: Unit, Limit: 2}, []string{c.ID, b.ID}},
		"another unit": {signer.UseQuery{Unit: "x"}, nil}, "seal": {signer.UseQuery{Seals: []string{"1"}}, []string{c.ID, a.ID}},
		"state": {signer.UseQuery{States: []signer.UseState{signer.UseSealing}}, []string{c.ID}}, "page": {signer.UseQuery{Before: b.ID}, []string{a.ID}},
		"since": {signer.UseQuery{Since: Start().Add(time.Hour)}, []string{c.ID}}, "since later": {signer.UseQuery{Since: Start().Add(2 * time.Hour)}, nil},
		"requester": {signer.UseQuery{Requester: "nobody"}, nil},
	} {
		got, err := s.Uses(ctx, q.q)
		ok(t, err)
		var ids []string
		for _, u := range got {
			ids = append(ids, u.ID)
		}
		if !slices.Equal(ids, q.want) {
			t.Errorf("%s: %v, want %v", name, ids, q.want)
		}
	}
}
