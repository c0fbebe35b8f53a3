package closing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/closing"
)

const (
	house = "11110102MB1234567M"
	day   = 24 * time.Hour
)

var protocol = strings.Repeat("ab", 32)

// world has two officers, and answers that somebody signed.
type world struct {
	*closing.Service
	store   *catest.Closing
	reg     *catest.Registry
	at      time.Time
	answers map[string]closing.Answer // by digest
	sent    []closing.NoticeTo
	broken  error // of the notifier
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{reg: catest.New(), at: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), answers: map[string]closing.Answer{}}
	w.store = catest.NewClosing(w.reg)
	var err error
	w.Service, err = closing.New(closing.Config{
		Store: w.store, Approver: w, Posts: w, House: house, Notifier: w, Now: func() time.Time { return w.at },
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return unit == house && (person == "admin" && slices.Contains(roles, "system_admin") || person == "officer" && slices.Contains(roles, "ra_officer")), nil
}

func (w *world) Answer(_ context.Context, a closing.Act) (closing.Answer, error) {
	got, ok := w.answers[a.Digest()]
	if !ok {
		return closing.Answer{}, closing.ErrNotApproved
	}
	return got, nil
}

func (w *world) NotifyClosing(_ context.Context, _ closing.Act, n closing.NoticeTo) error {
	if w.broken == nil {
		w.sent = append(w.sent, n)
	}
	return w.broken
}

func person(id string) ledger.Actor { return ledger.Actor{Kind: "person", ID: id, Unit: house} }

func announce(in time.Duration, w *world) closing.Act {
	return closing.Act{Kind: closing.Announcement, Mode: closing.End, At: w.at.Add(in), Reason: "机构撤并", Successor: "样例电子认证服务"}
}

// asked proposes and approves.
func (w *world) asked(t *testing.T, a closing.Act) closing.Act {
	t.Helper()
	a, _, err := w.Propose(context.Background(), person("admin"), a)
	if err != nil {
		t.Fatal(err)
	}
	w.answers[a.Digest()] = closing.Answer{ID: "a-1", Yes: true}
	if a, _, err = w.Settle(context.Background(), person("officer"), a.ID); err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) phase(t *testing.T) closing.Phase {
	t.Helper()
	st, err := w.Standing(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Phase
}

func (w *world) handOver() closing.Act {
	return closing.Act{Kind: closing.HandOver, Reason: "承接", Taker: "样例电子认证服务", Records: "证书库、注册资料、台账", Protocol: protocol, Reported: w.at}
}

// 电子签名法 art. 23: 90 days before, and not one less.
func TestNinetyDays(t *testing.T) {
	for in, want := range map[time.Duration]error{89 * day: closing.ErrSoon, 90*day - time.Second: closing.ErrSoon, 90 * day: nil, 91 * day: nil, 6 * 365 * day: closing.ErrInvalid} {
		w := newWorld(t)
		if _, _, err := w.Propose(context.Background(), person("admin"), announce(in, w)); !errors.Is(err, want) {
			t.Errorf("in %s: %v, want %v", in, err, want)
		}
	}
	// The days count from the approval: what waited a day too long is too late.
	w := newWorld(t)
	a, _, err := w.Propose(context.Background(), person("admin"), announce(90*day, w))
	if err != nil {
		t.Fatal(err)
	}
	w.answers[a.Digest()] = closing.Answer{ID: "a-1", Yes: true}
	w.at = w.at.Add(time.Second)
	if _, _, err := w.Settle(context.Background(), person("officer"), a.ID); !errors.Is(err, closing.ErrSoon) {
		t.Errorf("approved too late: %v", err)
	}
	if w.phase(t) != closing.Open {
		t.Error("it came into force all the same")
	}
}

func TestTwoPersons(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	for _, actor := range []ledger.Actor{person("clerk"), {Kind: "system", ID: "admin", Unit: house}} {
		if _, _, err := w.Propose(ctx, actor, announce(100*day, w)); !errors.Is(err, closing.ErrForbidden) {
			t.Errorf("%s %s: %v", actor.Kind, actor.ID, err)
		}
	}
	a, _, err := w.Propose(ctx, person("admin"), announce(100*day, w))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Settle(ctx, person("officer"), a.ID); !errors.Is(err, closing.ErrNotApproved) {
		t.Errorf("without an answer: %v", err)
	}
	if _, _, err := w.Propose(ctx, person("officer"), announce(100*day, w)); !errors.Is(err, closing.ErrOpen) {
		t.Errorf("beside one that waits: %v", err)
	}
	other := a
	other.At = other.At.Add(day)
	w.answers[other.Digest()] = closing.Answer{ID: "a-0", Yes: true}
	if _, _, err := w.Settle(ctx, person("officer"), a.ID); !errors.Is(err, closing.ErrNotApproved) {
		t.Errorf("an answer to other words: %v", err)
	}
	w.answers[a.Digest()] = closing.Answer{ID: "a-1"}
	if got, _, err := w.Settle(ctx, person("officer"), a.ID); err != nil || got.State != closing.Refused || w.phase(t) != closing.Open {
		t.Errorf("refused: %+v, %v", got, err)
	}
	if _, err := w.Drop(ctx, person("admin"), a.ID); !errors.Is(err, closing.ErrState) {
		t.Errorf("dropped after the answer: %v", err)
	}
	b, _, err := w.Propose(ctx, person("admin"), announce(100*day, w))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Drop(ctx, person("clerk"), b.ID); !errors.Is(err, closing.ErrForbidden) {
		t.Errorf("dropped by a clerk: %v", err)
	}
	if _, err := w.Drop(ctx, person("officer"), b.ID); err != nil {
		t.Error(err)
	}
	w.answers[b.Digest()] = closing.Answer{ID: "a-2", Yes: true}
	if _, _, err := w.Settle(ctx, person("officer"), b.ID); !errors.Is(err, closing.ErrState) {
		t.Errorf("settled after it was dropped: %v", err)
	}
}

func TestHorizonFollowsTheAnnouncement(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	if end, err := w.Horizon(ctx); err != nil || !end.IsZero() {
		t.Fatalf("%s, %v", end, err)
	}
	a := w.asked(t, announce(100*day, w))
	if end, err := w.Horizon(ctx); err != nil || !end.Equal(a.At) {
		t.Fatalf("%s, %v", end, err)
	}
	if _, _, err := w.Propose(ctx, person("admin"), announce(200*day, w)); !errors.Is(err, closing.ErrState) {
		t.Errorf("a second announcement: %v", err)
	}
	w.asked(t, closing.Act{Kind: closing.Withdrawal, Reason: "机构保留"})
	if end, err := w.Horizon(ctx); err != nil || !end.IsZero() || w.phase(t) != closing.Open {
		t.Fatalf("withdrawn: %s, %v", end, err)
	}
	w.asked(t, announce(100*day, w))
	w.store.Fail(errors.New("disk"))
	w.at = w.at.Add(time.Second)
	if _, err := w.Horizon(ctx); err == nil {
		t.Error("a state that cannot be read does not fail closed")
	}
}

// The end takes the day, the 90 days, the report and the hand-over; and is final.
func TestEnd(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	a := w.asked(t, announce(100*day, w))
	for _, bad := range []func(*closing.Act){
		func(a *closing.Act) { a.Taker = "" }, func(a *closing.Act) { a.Records = "" }, func(a *closing.Act) { a.Protocol = "ab" },
		func(a *closing.Act) { a.Protocol = strings.Repeat("AB", 32) }, func(a *closing.Act) { a.Reported = time.Time{} },
		func(a *closing.Act) { a.Reported = w.at.Add(day) }, func(a *closing.Act) { a.Reason = "" }, func(a *closing.Act) { a.Taker = "a\u202eb" },
	} {
		h := w.handOver()
		bad(&h)
		if _, _, err := w.Propose(ctx, person("admin"), h); !errors.Is(err, closing.ErrInvalid) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	w.at = a.At.Add(-time.Second)
	if w.phase(t) != closing.Closing {
		t.Fatalf("a second before: %s", w.phase(t))
	}
	w.at = a.At
	if w.phase(t) != closing.Stopped {
		t.Fatalf("without a hand-over: %s", w.phase(t))
	}
	h := w.handOver() // the department is told on the day itself
	w.asked(t, h)
	if w.phase(t) != closing.Stopped {
		t.Fatalf("60 days were not kept: %s", w.phase(t))
	}
	if _, _, err := w.Propose(ctx, person("admin"), w.handOver()); !errors.Is(err, closing.ErrState) {
		t.Errorf("a second hand-over: %v", err)
	}
	w.at = a.At.Add(60*day - time.Second)
	if w.phase(t) != closing.Stopped {
		t.Fatalf("a second before 60 days: %s", w.phase(t))
	}
	w.at = a.At.Add(60 * day)
	if w.phase(t) != closing.Ended {
		t.Fatalf("after all of it: %s", w.phase(t))
	}
	if end, err := w.Horizon(ctx); err != nil || !end.Equal(a.At) {
		t.Errorf("an ended service has the horizon %s, %v", end, err)
	}
	for _, again := range []closing.Act{{Kind: closing.Withdrawal, Reason: "反悔"}, announce(100*day, w), w.handOver()} {
		if _, _, err := w.Propose(ctx, person("admin"), again); !errors.Is(err, closing.ErrState) {
			t.Errorf("%s after the end: %v", again.Kind, err)
		}
	}
}

func TestEndsOnTheDay(t *testing.T) {
	w := newWorld(t)
	a := w.asked(t, announce(90*day, w))
	w.asked(t, w.handOver())
	w.at = a.At.Add(-time.Second)
	if w.phase(t) != closing.Closing {
		t.Fatalf("before: %s", w.phase(t))
	}
	w.at = a.At
	if w.phase(t) != closing.Ended {
		t.Fatalf("at the moment: %s", w.phase(t))
	}
}

func TestSuspension(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	a := announce(90*day, w)
	a.Mode = closing.Suspend
	a = w.asked(t, a)
	if _, _, err := w.Propose(ctx, person("admin"), w.handOver()); !errors.Is(err, closing.ErrState) {
		t.Errorf("a hand-over of what goes on later: %v", err)
	}
	w.at = a.At.Add(300 * day)
	if w.phase(t) != closing.Suspended {
		t.Fatalf("%s", w.phase(t))
	}
	w.asked(t, closing.Act{Kind: closing.Withdrawal, Reason: "恢复服务"})
	if w.phase(t) != closing.Open {
		t.Fatalf("resumed: %s", w.phase(t))
	}
}

// Everybody with a certificate in force has one notice, also who got it later.
func TestNotices(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	holder := func(serial string, kind ca.Kind, system, person string) {
		t.Helper()
		catest.InForce(t, w.reg, ca.Certificate{Kind: kind, Agency: "unit-" + serial, System: system, Person: person, NotBefore: w.at, NotAfter: w.at.Add(80 * day)})
	}
	holder("1", ca.KindECDSA, "sys-1", "")
	holder("2", ca.KindPerson, "", "p-2")
	holder("3", ca.KindSeal, "", "")
	svc := ledger.Actor{Kind: "service", ID: "yinxin"}
	if err := w.Tell(ctx, svc); err != nil || len(w.sent) != 0 {
		t.Fatalf("nothing is announced: %d, %v", len(w.sent), err)
	}
	w.asked(t, announce(100*day, w))
	w.broken = errors.New("no line")
	if err := w.Tell(ctx, svc); err == nil {
		t.Error("a failed delivery is nowhere")
	}
	all, err := w.Notices(ctx)
	if err != nil || len(all) != 3 || all[0].State != closing.NoticePending {
		t.Fatalf("%+v, %v", all, err)
	}
	w.broken = closing.ErrOnItsWay // no failure, and not told yet
	if err := w.Tell(ctx, svc); err != nil {
		t.Error(err)
	}
	if all, err = w.Notices(ctx); err != nil || all[0].State != closing.NoticePending {
		t.Fatalf("%+v, %v", all, err)
	}
	w.broken = nil
	holder("4", ca.KindECDSA, "sys-4", "")
	for range 2 {
		if err := w.Tell(ctx, svc); err != nil {
			t.Fatal(err)
		}
	}
	if all, err = w.Notices(ctx); err != nil || len(all) != 4 || len(w.sent) != 4 {
		t.Fatalf("%d notices, %d sent, %v", len(all), len(w.sent), err)
	}
	mine := func(h closing.Holder) (bool, error) { return h.Kind == closing.HolderPerson && h.ID == "p-2", nil }
	if n, err := w.Acknowledge(ctx, person("p-2"), mine); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := w.Acknowledge(ctx, person("p-2"), mine); err != nil || n != 0 {
		t.Errorf("again: %d, %v", n, err)
	}
	all, _ = w.Notices(ctx)
	states := map[closing.NoticeState]int{}
	for _, n := range all {
		states[n.State]++
	}
	if states[closing.NoticeAcknowledged] != 1 || states[closing.NoticeDelivered] != 3 {
		t.Errorf("%v", states)
	}
}
