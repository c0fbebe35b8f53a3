package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// receiver is a channel in force.
func receiver(id string) notify.Channel {
	return notify.Channel{
		ID: id, Name: "样例", Kind: notify.Webhook, Address: "https://hook.example/", Unit: "u-1", Kinds: []notify.Kind{notify.CertificateHeld},
		Severity: notify.Info, Roots: []byte("pem"), Secret: []byte{1, 2}, State: notify.Active, MadeBy: "p-1", MadeAt: kept(1),
	}
}

func told(id string) notify.Notice {
	return notify.Notice{
		ID: id, Kind: notify.CertificateHeld, Severity: notify.Warning, Unit: "u-1", System: "s-1",
		Object: ledger.Object{Kind: "certificate", ID: "iss:01"}, At: kept(2), Details: map[string]string{"pair": "p"},
	}
}

// queued is a house with channels and one notice in the queue of each.
func queued(t *testing.T, s *store.Store, notice string, channels ...string) *store.Notify {
	n := s.Rooms(nil).Notify
	for _, c := range channels {
		_, err := n.AddChannel(bg, receiver(c), 9, event("notify_channel", c))
		ok(t, err)
	}
	fresh, err := n.PutNotices(bg, []notify.Notice{told(notice)})
	if ok(t, err); fresh != 1 {
		t.Fatalf("%d notices are new", fresh)
	}
	ok(t, n.SpreadNotice(bg, told(notice), channels))
	return n
}

// later is when all that was queued is due.
func later(d time.Duration) time.Time { return time.Now().Add(time.Minute + d) }

func TestNotifyKeepsChannels(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		n := s.Rooms(nil).Notify
		want := receiver("c-1")
		_, err := n.AddChannel(bg, want, 1, event("notify_channel", "c-1"))
		ok(t, err)
		if got, err := n.Channel(bg, "c-1"); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = n.AddChannel(bg, receiver("c-2"), 1, event("notify_channel", "c-2"))
		wantErr(t, err, notify.ErrTooMany)
		if won := race(t, notify.ErrState, func() error {
			_, err := n.MoveChannel(bg, "c-1", notify.Active, notify.Paused, event("notify_channel", "c-1"))
			return err
		}); won != 1 {
			t.Errorf("%d paused it", won)
		}
		_, err = n.MoveChannel(bg, "none", notify.Active, notify.Paused, event("notify_channel", "none"))
		wantErr(t, err, notify.ErrNotFound)
		_, err = n.MoveChannel(bg, "c-1", notify.Paused, notify.Removed, event("notify_channel", "c-1"))
		ok(t, err)
		if got, err := n.Channel(bg, "c-1"); err != nil || got.State != notify.Removed || len(got.Secret) != 0 {
			t.Errorf("a removed channel keeps %+v, %v", got, err)
		}
		if all, err := n.Channels(bg); err != nil || len(all) != 0 {
			t.Errorf("%d channels, %v", len(all), err)
		}
	})
}

// An act and its notice are written together, or neither.
func TestNotifyRecordsWithTheAct(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		rooms := s.Rooms(nil)
		held := event("certificate", "01")
		held.Type, held.Details = "ca.certificate.revoked", map[string]string{"issuer": "iss", "reason": "1", "note": "张三"}
		if _, err := rooms.CA.SetState(bg, "iss", "01", ca.StateRevoked, 1, time.Now(), held); !errors.Is(err, ca.ErrNotFound) {
			t.Fatalf("an act about nothing: %v", err)
		}
		if n := count(t, s, "notify_notice"); n != 0 {
			t.Fatalf("%d notices of an act that failed", n)
		}
		row := ca.Certificate{Issuer: "iss", Serial: "01", Kind: ca.KindECDSA, Agency: "u-1", System: "s-1", NotBefore: kept(1), NotAfter: kept(9), CreatedAt: kept(1)}
		_, err := rooms.CA.Reserve(bg, []ca.Certificate{row}, nil, event("certificate", "01"))
		ok(t, err)
		row.DER = []byte{1}
		_, err = rooms.CA.Activate(bg, []ca.Certificate{row}, event("certificate", "01"))
		ok(t, err)
		_, err = rooms.CA.SetState(bg, "iss", "01", ca.StateRevoked, 1, time.Now(), held)
		ok(t, err)
		got, err := rooms.Notify.Unspread(bg, 9)
		if err != nil || len(got) != 1 || got[0].ID != held.ID || got[0].Object.ID != "iss:01" || got[0].Details["reason"] != "1" || got[0].Details["note"] != "" {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

func TestNotifyPutsOnceAndSpreadsOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		n := queued(t, s, "n-1", "c-1", "c-2")
		fresh, err := n.PutNotices(bg, []notify.Notice{told("n-1"), told("n-2")})
		if ok(t, err); fresh != 1 {
			t.Errorf("%d are new", fresh)
		}
		race(t, nil, func() error { return n.SpreadNotice(bg, told("n-2"), []string{"c-1", "none"}) })
		if got := count(t, s, "notify_delivery"); got != 3 {
			t.Errorf("%d deliveries", got)
		}
		got, err := n.Due(bg, "c-1", later(0), 9)
		if err != nil || len(got) != 2 || got[0].ID != "n-1" || !reflect.DeepEqual(got[0].Notice, told("n-1")) || got[0].Channel != "c-1" || got[0].Made.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		if recent, err := n.Recent(bg, "u-1", 9); err != nil || len(recent) != 2 || recent[0].ID != "n-2" {
			t.Errorf("%+v, %v", recent, err)
		}
		if recent, err := n.Recent(bg, "u-2", 9); err != nil || len(recent) != 0 {
			t.Errorf("another unit sees %+v, %v", recent, err)
		}
	})
}

func TestNotifyLeasesToOne(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		n := queued(t, s, "n-1", "c-1")
		now := later(0)
		owners := make(chan string, 8)
		for i := range 8 {
			owners <- fmt.Sprint("node-", i)
		}
		if won := race(t, notify.ErrLeased, func() error { return n.LeaseChannel(bg, "c-1", <-owners, now, now.Add(time.Minute)) }); won != 1 {
			t.Fatalf("%d senders at once", won)
		}
		if free, err := n.Waiting(bg, now); err != nil || len(free) != 0 {
			t.Errorf("a leased channel waits: %v, %v", free, err)
		}
		// The end of the lease gives it to another, and the first one settles nothing.
		over := now.Add(2 * time.Minute)
		ok(t, n.LeaseChannel(bg, "c-1", "next", over, over.Add(time.Minute)))
		ok(t, n.LeaseChannel(bg, "c-1", "next", over, over.Add(2*time.Minute)))
		due, err := n.Due(bg, "c-1", over, 9)
		ok(t, err)
		wantErr(t, n.SettleDelivery(bg, "node-0", notify.Result{Delivery: due[0], At: over}), notify.ErrLeased)
		if taken, err := n.Taken(bg, "n-1", "u-1"); err != nil || taken {
			t.Errorf("who lost the channel settled: %v, %v", taken, err)
		}
		ok(t, n.SettleDelivery(bg, "next", notify.Result{Delivery: due[0], At: over}))
		if taken, err := n.Taken(bg, "n-1", "u-1"); err != nil || !taken {
			t.Errorf("%v, %v", taken, err)
		}
		if taken, err := n.Taken(bg, "n-1", "u-2"); err != nil || taken {
			t.Errorf("another unit took it: %v, %v", taken, err)
		}
		ok(t, n.ReleaseChannel(bg, "c-1", "node-0"))
		wantErr(t, n.LeaseChannel(bg, "c-1", "node-0", over, over.Add(time.Minute)), notify.ErrLeased)
		ok(t, n.ReleaseChannel(bg, "c-1", "next"))
		ok(t, n.LeaseChannel(bg, "c-1", "node-0", over, over.Add(time.Minute)))
	})
}

func TestNotifySettlesFailures(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		n := queued(t, s, "n-1", "c-1")
		_, err := n.PutNotices(bg, []notify.Notice{told("n-2")})
		ok(t, err)
		ok(t, n.SpreadNotice(bg, told("n-2"), []string{"c-1"}))
		now := later(0)
		lease := func(at time.Time) error { return n.LeaseChannel(bg, "c-1", "me", at, at.Add(time.Minute)) }
		ok(t, lease(now))
		due, err := n.Due(bg, "c-1", now, 9)
		ok(t, err)
		// A notice that is refused steps aside; the next one is due.
		ok(t, n.SettleDelivery(bg, "me", notify.Result{Delivery: due[0], At: now, Error: "400", Next: now.Add(time.Minute), Dead: now.Add(-time.Hour)}))
		if got, err := n.Due(bg, "c-1", now, 9); err != nil || len(got) != 1 || got[0].ID != "n-2" {
			t.Errorf("%+v, %v", got, err)
		}
		// A fault of the channel lets it rest.
		ok(t, n.SettleDelivery(bg, "me", notify.Result{Delivery: due[1], At: now, Error: "503", Next: now.Add(time.Minute), Rests: true, Dead: now.Add(-time.Hour)}))
		wantErr(t, lease(now), notify.ErrLeased)
		if c, err := n.Channel(bg, "c-1"); err != nil || c.Failures != 1 || c.LastError != "503" || c.FailedAt.IsZero() {
			t.Errorf("%+v, %v", c, err)
		}
		// What nobody took in time is dead, all of it when the channel is at fault.
		then := now.Add(2 * time.Minute)
		ok(t, lease(then))
		ok(t, n.SettleDelivery(bg, "me", notify.Result{Delivery: due[1], At: then, Error: "503", Next: then, Rests: true, Dead: then}))
		if c, err := n.Counts(bg); err != nil || c["c-1"] != (notify.Count{Dead: 2}) {
			t.Errorf("%+v, %v", c, err)
		}
		letters, err := n.Letters(bg, "c-1", 9)
		if err != nil || len(letters) != 2 || letters[0].Error != "503" {
			t.Errorf("%+v, %v", letters, err)
		}
		if won := race(t, notify.ErrState, func() error {
			_, err := n.Retry(bg, "c-1", "n-1", then, event("notify_channel", "c-1"))
			return err
		}); won != 1 {
			t.Errorf("%d retried", won)
		}
		if got, err := n.Due(bg, "c-1", then, 9); err != nil || len(got) != 1 || got[0].Attempts != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestNotifyForgets(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		n := queued(t, s, "n-1", "c-1")
		_, err := n.PutNotices(bg, []notify.Notice{told("n-2"), told("n-3")})
		ok(t, err)
		ok(t, n.SpreadNotice(bg, told("n-2"), nil))
		gone, err := n.ForgetNotices(bg, later(0)) // n-1 waits for a channel, n-3 for its channels
		if ok(t, err); gone != 1 {
			t.Errorf("%d forgotten", gone)
		}
		now := later(0)
		ok(t, n.LeaseChannel(bg, "c-1", "me", now, now.Add(time.Minute)))
		due, err := n.Due(bg, "c-1", now, 9)
		ok(t, err)
		ok(t, n.SettleDelivery(bg, "me", notify.Result{Delivery: due[0], At: now}))
		gone, err = n.ForgetNotices(bg, later(0))
		if ok(t, err); gone != 1 || count(t, s, "notify_delivery") != 0 {
			t.Errorf("%d forgotten", gone)
		}
	})
}

func TestNotifyTestsAndRemoves(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		n := queued(t, s, "n-1", "c-1")
		ev := event("notify_channel", "c-1")
		test := told(ev.ID)
		test.Kind = notify.ChannelTest
		_, err := n.PutTest(bg, test, "c-1", ev)
		ok(t, err)
		if due, err := n.Due(bg, "c-1", later(0), 9); err != nil || len(due) != 2 {
			t.Fatalf("%+v, %v", due, err)
		}
		if recent, err := n.Recent(bg, "", 9); err != nil || len(recent) != 1 {
			t.Errorf("%+v, %v", recent, err)
		}
		_, err = n.MoveChannel(bg, "c-1", notify.Active, notify.Removed, event("notify_channel", "c-1"))
		ok(t, err)
		if got := count(t, s, "notify_delivery"); got != 0 {
			t.Errorf("%d deliveries to nobody", got)
		}
		wantErr(t, n.LeaseChannel(bg, "c-1", "me", later(0), later(time.Minute)), notify.ErrLeased)
	})
}

func TestNotifyCalendar(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		rooms := s.Rooms(nil)
		serial := 0
		add := func(c ca.Certificate) string {
			serial++
			c.Issuer, c.Serial, c.Agency, c.NotBefore, c.CreatedAt = "iss", fmt.Sprintf("%02x", serial), "u-1", kept(1), kept(1)
			_, err := rooms.CA.Reserve(bg, []ca.Certificate{c}, nil, event("certificate", c.Serial))
			ok(t, err)
			c.DER = []byte{1}
			_, err = rooms.CA.Activate(bg, []ca.Certificate{c}, event("certificate", c.Serial))
			ok(t, err)
			return c.Issuer + ":" + c.Serial
		}
		ends := add(ca.Certificate{Kind: ca.KindECDSA, System: "s-1", NotAfter: kept(9)})
		old := add(ca.Certificate{Kind: ca.KindECDSA, System: "s-2", NotAfter: kept(9)})
		renewed := add(ca.Certificate{Kind: ca.KindECDSA, System: "s-2", NotAfter: kept(10), Origin: ca.Origin{Previous: old}})
		add(ca.Certificate{Kind: ca.KindECDSATest, System: "s-3", NotAfter: kept(9)})
		add(ca.Certificate{Kind: ca.KindECDSA, System: "s-4", NotAfter: kept(20)})
		person := add(ca.Certificate{Kind: ca.KindPerson, Person: "p-1", NotAfter: kept(9)})
		got, err := rooms.Notify.Endings(bg, kept(8), kept(8), kept(12))
		ok(t, err)
		var ids []string
		for _, e := range got {
			ids = append(ids, e.Object.ID)
		}
		if !reflect.DeepEqual(ids, []string{ends, person, renewed}) || got[0].System != "s-1" || got[0].Unit != "u-1" || !got[0].At.Equal(kept(9)) || !got[0].From.Equal(kept(1)) {
			t.Errorf("%+v", got)
		}
		if unit, system, err := rooms.Notify.HolderOf(bg, "iss", "01"); err != nil || unit != "u-1" || system != "s-1" {
			t.Errorf("%s %s %v", unit, system, err)
		}
		_, _, err = rooms.Notify.HolderOf(bg, "iss", "ff")
		wantErr(t, err, notify.ErrNotFound)
	})
}
