package signertest

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// reported is a report about a key, and what it does to these seals.
func reported(s Store, key string, revision int64, since time.Time, seals ...string) (life.Compromise, []life.Stop, ledger.Event, error) {
	ev := event()
	ev.Type, ev.Object.ID = "signer.key.compromised", seals[0]
	c := life.Compromise{
		ID: "report-" + key, KeyID: key, Since: since, Reason: "遗失", Reporter: "keeper", At: Start(), Revision: revision, Seals: seals,
		Certificates: []life.Certificate{{SM3: "cert-" + key}},
	}
	var stops []life.Stop
	for _, id := range seals {
		e, err := s.Seal(ctx, id)
		if err != nil {
			return c, nil, ev, err
		}
		step := life.Step{Seal: id, Revision: e.Revision + 1, Act: life.ActCompromise, From: e.State, To: e.State, Actor: "keeper", Reason: "遗失", Ref: c.ID, At: Start(), Event: ev.ID}
		if e.State == signer.SealActive {
			step.Act, step.To = life.ActSuspend, signer.SealSuspended
		}
		e.State, e.Revision, e.CompromisedAt = step.To, step.Revision, since
		stops = append(stops, life.Stop{Seal: e, Step: step})
	}
	return c, stops, ev, nil
}

func reportStops(t *testing.T, s Store) {
	for _, id := range []string{"1", "2", "3"} {
		e := Full(id)
		e.Life = signer.Life{Revision: 1}
		if id != "3" {
			e.KeyID = "shared"
		}
		_, err := Put(s, e, event())
		ok(t, err)
		for _, act := range []life.Act{life.ActAdopt, life.ActFile, life.ActActivate} {
			_, err = Move(s, id, act, nil)
			ok(t, err)
		}
	}
	put := func(revision int64, since time.Time, seals ...string) error {
		c, stops, ev, err := reported(s, "shared", revision, since, seals...)
		if err != nil {
			return err
		}
		_, err = s.PutCompromise(ctx, c, stops, ev)
		return err
	}
	wants(t, put(1, Start(), "1"), life.ErrConflict) // the second seal would live on
	wants(t, put(2, Start(), "1", "2"), life.ErrConflict)
	for _, id := range []string{"1", "2"} {
		if e, err := s.Seal(ctx, id); err != nil || e.State != signer.SealActive {
			t.Fatalf("a refused report stopped seal %s: %s, %v", id, e.State, err)
		}
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if err := put(1, Start(), "1", "2"); err == nil {
				won.Add(1)
			} else if !errors.Is(err, life.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d reports of one key", won.Load())
	}
	for id, want := range map[string]signer.SealState{"1": signer.SealSuspended, "2": signer.SealSuspended, "3": signer.SealActive} {
		if e, err := s.Seal(ctx, id); err != nil || e.State != want || (e.CompromisedAt.IsZero()) != (id == "3") {
			t.Errorf("seal %s is %s, reported %v, %v", id, e.State, e.CompromisedAt, err)
		}
	}
	earlier := Start().Add(-time.Hour)
	ok(t, put(2, earlier, "1", "2"))
	got, err := s.Compromise(ctx, "shared")
	ok(t, err)
	want, _, _, err := reported(s, "shared", 2, earlier, "1", "2")
	ok(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if since, err := s.CompromisedSince(ctx, "cert-shared"); err != nil || !since.Equal(earlier) {
		t.Errorf("since %v, %v", since, err)
	}
	if since, err := s.CompromisedSince(ctx, "cert-other"); err != nil || !since.IsZero() {
		t.Errorf("another certificate since %v, %v", since, err)
	}
	if all, err := s.Compromises(ctx); err != nil || len(all) != 1 || all[0].ID != want.ID {
		t.Errorf("%+v, %v", all, err)
	}
}

func noticesMove(t *testing.T, s Store) {
	e := Full("1")
	e.KeyID = "shared"
	_, err := Put(s, e, event())
	ok(t, err)
	_, err = Move(s, "1", life.ActAdopt, nil)
	ok(t, err)
	c, stops, ev, err := reported(s, "shared", 1, Start(), "1")
	ok(t, err)
	_, err = s.PutCompromise(ctx, c, stops, ev)
	ok(t, err)
	notice := func(id, unit string) life.Notice {
		return life.Notice{ID: id, Compromise: c.ID, Unit: unit, Systems: []string{"sys"}, Documents: []string{"ab", "cd"}, State: life.NoticePending, At: Start()}
	}
	ev = event()
	ev.Type = "signer.key.relied"
	ev.Object.ID = "1"
	_, err = s.AddNotices(ctx, c, []life.Notice{notice("n1", Unit)}, ev)
	wants(t, err, life.ErrConflict) // not over the revision that was read
	c.Revision, c.Done, c.Uses = 2, true, []string{"u"}
	_, err = s.AddNotices(ctx, c, []life.Notice{notice("n1", Unit), notice("n2", MakerUnit)}, ev)
	ok(t, err)
	if got, err := s.Compromise(ctx, "shared"); err != nil || !got.Done || len(got.Uses) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, q := range map[string]struct {
		q life.NoticeQuery
		n int
	}{
		"all": {life.NoticeQuery{}, 2}, "unit": {life.NoticeQuery{Unit: Unit}, 1}, "id": {life.NoticeQuery{ID: "n2"}, 1}, "report": {life.NoticeQuery{Compromise: c.ID}, 2},
		"another": {life.NoticeQuery{Compromise: "x"}, 0}, "state": {life.NoticeQuery{States: []life.NoticeState{life.NoticeDelivered}}, 0},
	} {
		if got, err := s.Notices(ctx, q.q); err != nil || len(got) != q.n {
			t.Errorf("%s: %d notices, %v", name, len(got), err)
		}
	}
	var won atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			n := notice("n1", "forged")
			n.State, n.DeliveredAt = life.NoticeDelivered, Start()
			ev := event()
			ev.Type, ev.Object = "signer.notice.delivered", ledger.Object{Kind: "seal_notice", ID: "n1"}
			if _, err := s.MoveNotice(ctx, n, life.NoticePending, ev); err == nil {
				won.Add(1)
			} else if !errors.Is(err, life.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Notices(ctx, life.NoticeQuery{ID: "n1"})
	ok(t, err)
	if won.Load() != 1 || len(got) != 1 || got[0].Unit != Unit || got[0].State != life.NoticeDelivered || !got[0].DeliveredAt.Equal(Start()) {
		t.Fatalf("%d delivered, %+v", won.Load(), got)
	}
	ev = event()
	ev.Type, ev.Object = "signer.notice.delivered", ledger.Object{Kind: "seal_notice", ID: "none"}
	_, err = s.MoveNotice(ctx, notice("none", Unit), life.NoticePending, ev)
	wants(t, err, signer.ErrNotFound)
}
