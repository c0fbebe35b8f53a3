package catest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/closing"
)

// ClosingStores are two rooms over one store.
type ClosingStores struct {
	closing.Store
	Registry ca.Registry
}

// RunClosing is the conformance suite of closing.Store, and of what it means for
// ca.Registry. The tests follow one another in one store: each leaves it open.
func RunClosing(t *testing.T, open func(*testing.T) ClosingStores) {
	t.Helper()
	s := open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, ClosingStores)
	}{
		{"an act keeps what was asked", closingKept},
		{"one act of eight waits", closingAskedOnce},
		{"an act is settled by one of eight", closingSettledOnce},
		{"a withdrawal ends its announcement", closingWithdrawn},
		{"nothing is recorded that outlives the announcement", closingBounds},
		{"a notice is made once and moved once", closingNotices},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
		reopen(t, s)
	}
}

// reopen drops what waits and withdraws what is announced.
func reopen(t *testing.T, s closing.Store) {
	t.Helper()
	acts, err := s.Acts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range acts {
		if a.State == closing.Proposed {
			a.State = closing.Dropped
			if _, err := s.SettleAct(context.Background(), a, event()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, a := range acts {
		if a.Kind == closing.Announcement && a.State == closing.InForce {
			settled(t, s, closingAct(closing.Withdrawal, a.ID), closing.InForce)
		}
	}
}

// InForce makes a certificate of this kind and these holders good. Times that are
// set count; its bytes are those of a root.
func InForce(t *testing.T, reg ca.Registry, c ca.Certificate) ca.Certificate {
	t.Helper()
	row, der := signed(t)
	row.Kind, row.System, row.Person, row.Request, row.Pair = c.Kind, c.System, c.Person, c.Request, c.Pair
	if c.Agency != "" {
		row.Agency = c.Agency
	}
	if !c.NotAfter.IsZero() {
		row.NotBefore, row.NotAfter = c.NotBefore, c.NotAfter
	}
	if _, err := reg.Reserve(context.Background(), []ca.Certificate{row}, nil, event()); err != nil {
		t.Fatal(err)
	}
	row.DER = der
	if _, err := reg.Activate(context.Background(), []ca.Certificate{row}, event()); err != nil {
		t.Fatal(err)
	}
	row.State = ca.StateGood
	return row
}

func closingAct(kind closing.Kind, of string) closing.Act {
	now := time.Now().UTC().Truncate(time.Millisecond)
	a := closing.Act{ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, Reason: "样例", Of: of, AskedBy: "p-1", AskedAt: now, State: closing.Proposed}
	if kind == closing.Announcement {
		a.Mode, a.At = closing.End, now.Add(100*24*time.Hour).Truncate(time.Second)
	}
	return a
}

// settled adds an act and settles it.
func settled(t *testing.T, s closing.Store, a closing.Act, state closing.State) closing.Act {
	t.Helper()
	if _, err := s.AddAct(context.Background(), a, event()); err != nil {
		t.Fatal(err)
	}
	a.State, a.Approval, a.SettledAt = state, "a-1", a.AskedAt.Add(time.Minute)
	if _, err := s.SettleAct(context.Background(), a, event()); err != nil {
		t.Fatal(err)
	}
	return a
}

func closingKept(t *testing.T, s ClosingStores) {
	ctx := context.Background()
	a := closingAct(closing.Announcement, "")
	a.Successor = "样例电子认证服务"
	a = settled(t, s, a, closing.InForce)
	got, err := s.Act(ctx, a.ID)
	if err != nil || !reflect.DeepEqual(got, a) || got.Digest() != a.Digest() {
		t.Fatalf("%+v, %v", got, err)
	}
	if all, err := s.Acts(ctx); err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], a) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := s.Act(ctx, "none"); !errors.Is(err, closing.ErrNotFound) {
		t.Errorf("no such act: %v", err)
	}
	if _, err := s.SettleAct(ctx, closing.Act{ID: "none"}, event()); !errors.Is(err, closing.ErrNotFound) {
		t.Errorf("no such act: %v", err)
	}
}

func closingAskedOnce(t *testing.T, s ClosingStores) {
	race(t, closing.ErrOpen, func() error {
		_, err := s.AddAct(context.Background(), closingAct(closing.Announcement, ""), event())
		return err
	})
}

func closingSettledOnce(t *testing.T, s ClosingStores) {
	a := closingAct(closing.Announcement, "")
	if _, err := s.AddAct(context.Background(), a, event()); err != nil {
		t.Fatal(err)
	}
	a.State = closing.InForce
	race(t, closing.ErrState, func() error {
		_, err := s.SettleAct(context.Background(), a, event())
		return err
	})
	second := closingAct(closing.Announcement, "")
	if _, err := s.AddAct(context.Background(), second, event()); err != nil {
		t.Fatal(err)
	}
	second.State = closing.InForce
	if _, err := s.SettleAct(context.Background(), second, event()); !errors.Is(err, closing.ErrState) {
		t.Errorf("a second announcement in force: %v", err)
	}
	if got, err := s.Act(context.Background(), second.ID); err != nil || got.State != closing.Proposed {
		t.Errorf("what was refused stayed %s, %v", got.State, err)
	}
}

func closingWithdrawn(t *testing.T, s ClosingStores) {
	ctx := context.Background()
	a := settled(t, s, closingAct(closing.Announcement, ""), closing.InForce)
	settled(t, s, closingAct(closing.Withdrawal, a.ID), closing.Refused)
	if got, err := s.Act(ctx, a.ID); err != nil || got.State != closing.InForce {
		t.Fatalf("after a refused withdrawal: %s, %v", got.State, err)
	}
	settled(t, s, closingAct(closing.HandOver, a.ID), closing.InForce)
	settled(t, s, closingAct(closing.Withdrawal, a.ID), closing.InForce)
	if got, err := s.Act(ctx, a.ID); err != nil || got.State != closing.Withdrawn || got.Approval != "a-1" {
		t.Fatalf("after its withdrawal: %+v, %v", got, err)
	}
	late := closingAct(closing.HandOver, a.ID)
	if _, err := s.AddAct(ctx, late, event()); err != nil {
		t.Fatal(err)
	}
	late.State = closing.InForce
	if _, err := s.SettleAct(ctx, late, event()); !errors.Is(err, closing.ErrState) {
		t.Errorf("a hand-over of what was withdrawn: %v", err)
	}
}

func closingBounds(t *testing.T, s ClosingStores) {
	ctx := context.Background()
	a := closingAct(closing.Announcement, "")
	if _, err := s.AddAct(ctx, a, event()); err != nil {
		t.Fatal(err)
	}
	reserve := func(end time.Time) error {
		row, _ := signed(t)
		row.NotAfter = end
		_, err := s.Registry.Reserve(ctx, []ca.Certificate{row}, nil, event())
		return err
	}
	if err := reserve(a.At.Add(time.Hour)); err != nil {
		t.Fatalf("before it is approved: %v", err)
	}
	a.State, a.SettledAt = closing.InForce, a.AskedAt
	if _, err := s.SettleAct(ctx, a, event()); err != nil {
		t.Fatal(err)
	}
	for end, fits := range map[time.Time]bool{a.At.Add(-time.Second): true, a.At: false, a.At.Add(time.Hour): false} {
		err := reserve(end)
		var ends *ca.ClosingError
		if fits && err != nil || !fits && (!errors.As(err, &ends) || !ends.Until.Equal(a.At)) {
			t.Errorf("until %s of %s: %v", end, a.At, err)
		}
	}
	// One that is refused harms nobody beside it.
	fits, _ := signed(t)
	fits.NotAfter = a.At.Add(-time.Hour)
	long, _ := signed(t)
	done := make(chan error, 2)
	for _, row := range []ca.Certificate{fits, long} {
		go func() {
			_, err := s.Registry.Reserve(ctx, []ca.Certificate{row}, nil, event())
			if (err == nil) != (row.Serial == fits.Serial) {
				done <- errors.Join(errors.New(row.Subject), err)
				return
			}
			done <- nil
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	settled(t, s, closingAct(closing.Withdrawal, a.ID), closing.InForce)
	if err := reserve(a.At.Add(time.Hour)); err != nil {
		t.Errorf("after the withdrawal: %v", err)
	}
}

func closingNotices(t *testing.T, s ClosingStores) {
	ctx := context.Background()
	for _, c := range []ca.Certificate{
		{Kind: ca.KindECDSA, System: "sys"}, {Kind: ca.KindECDSATest, System: "sys"}, {Kind: ca.KindSeal}, {Kind: ca.KindPerson, Person: "p-2"}, {Kind: ca.KindService, System: "https"},
	} {
		InForce(t, s.Registry, c)
	}
	row, _ := signed(t)
	row.Kind, row.System = ca.KindECDSA, "pending"
	if _, err := s.Registry.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
		t.Fatal(err)
	}
	holders, err := s.Holders(ctx, time.Now())
	if err != nil || len(holders) != 3 {
		t.Fatalf("%+v, %v", holders, err)
	}
	if late, err := s.Holders(ctx, row.NotAfter); err != nil || len(late) != 0 {
		t.Errorf("after their end: %+v, %v", late, err)
	}
	a := settled(t, s, closingAct(closing.Announcement, ""), closing.InForce)
	var all []closing.NoticeTo
	for _, h := range holders {
		all = append(all, closing.NoticeTo{Announcement: a.ID, Holder: h, State: closing.NoticePending, At: a.SettledAt})
	}
	race(t, closing.ErrExists, func() error {
		_, err := s.AddNotices(ctx, all, event())
		return err
	})
	got, err := s.Notices(ctx, a.ID)
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	n := got[0]
	n.State, n.SeenAt, n.SeenBy = closing.NoticeAcknowledged, a.SettledAt, "p-3"
	race(t, closing.ErrState, func() error {
		_, err := s.MoveNotice(ctx, n, closing.NoticePending, event())
		return err
	})
	if got, err = s.Notices(ctx, a.ID); err != nil || !reflect.DeepEqual(got[0], n) {
		t.Errorf("%+v, want %+v, %v", got[0], n, err)
	}
	if other, err := s.Notices(ctx, "none"); err != nil || len(other) != 0 {
		t.Errorf("of another announcement: %+v, %v", other, err)
	}
}
