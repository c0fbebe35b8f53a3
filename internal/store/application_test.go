package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// counter is three units with their people, and the register of applications.
type counter struct {
	*sharing.Applications
	t                          *testing.T
	rooms                      *store.Rooms
	now                        time.Time
	provider, consumer, office ledger.Actor
	yes                        bool
	signed                     error // nil: the leader has answered
}

func newCounter(t *testing.T, s *store.Store, calendar *workday.Calendar) *counter {
	t.Helper()
	c := &counter{t: t, rooms: s.Rooms(nil), now: time.Date(2025, 9, 24, 2, 0, 0, 0, time.UTC), yes: true}
	unit := func(n int, role identity.Role) ledger.Actor {
		code, err := identity.SampleUSCC("110102", n)
		ok(t, err)
		_, err = c.rooms.Identity.AddAgency(bg, agency(code), event("agency", string(code)))
		ok(t, err)
		p := person("person-" + string(role) + string(code))
		p.Agency = code
		_, err = c.rooms.Identity.AddPerson(bg, p, event("person", p.ID))
		ok(t, err)
		held := post("post-"+p.ID, p.ID, role)
		held.Agency, held.From, held.Until = code, c.now.AddDate(0, 0, -1), c.now.AddDate(1, 0, 0)
		_, err = c.rooms.Identity.AddPost(bg, held, event("post", p.ID))
		ok(t, err)
		return ledger.Actor{Kind: "person", ID: p.ID, Unit: string(code)}
	}
	c.provider, c.consumer, c.office = unit(1, identity.RoleClerk), unit(2, identity.RoleClerk), unit(3, identity.RoleInformationOffice)
	for id, regime := range map[string]sharing.Regime{"r-x14": sharing.RegimeXicheng2014, "r-bj17": sharing.RegimeBeijing2017} {
		r := resource(t, id)
		r.Provider, r.Regime, r.DefectNotice = identity.USCC(c.provider.Unit), regime, ""
		_, err := c.rooms.Sharing.AddResource(bg, r, event("resource", id))
		ok(t, err)
	}
	var err error
	c.Applications, err = sharing.NewApplications(sharing.ApplicationsConfig{
		Store: c.rooms.Sharing, Feedback: c.rooms.Sharing, Catalogue: c.rooms.Sharing, Directory: c.rooms.Identity, Posts: c.rooms.Identity,
		Signed:   func(context.Context, sharing.Application) (string, bool, error) { return "ap-1", c.yes, c.signed },
		Calendar: calendar, Office: identity.USCC(c.office.Unit),
		Now: func() time.Time { return c.now }, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	ok(t, err)
	return c
}

func chinese(t *testing.T) *workday.Calendar {
	t.Helper()
	c, err := workday.Load()
	ok(t, err)
	return c
}

func (c *counter) wish(resource string) sharing.Application {
	return sharing.Application{Resource: resource, Purposes: []string{"relief"}, Fields: []string{"name"}, NotBefore: c.now, NotAfter: c.now.AddDate(1, 0, 0)}
}

// asked is one that its own leader signed.
func (c *counter) asked(w sharing.Application) sharing.Application {
	c.t.Helper()
	a, _, err := c.Ask(bg, c.consumer, w)
	ok(c.t, err)
	return c.settled(a, true)
}

func (c *counter) settled(a sharing.Application, yes bool) sharing.Application {
	c.t.Helper()
	c.yes = yes
	a, _, err := c.Settle(bg, c.office, a.ID)
	ok(c.t, err)
	return a
}

func (c *counter) refused(a sharing.Application) sharing.Application {
	c.t.Helper()
	a, _, err := c.Answer(bg, c.provider, a.ID, sharing.ApplicationAnswer{Reason: "超出职责范围", Clause: "X14-23"})
	ok(c.t, err)
	return c.settled(a, true)
}

// The form is complete and signed for its unit before anybody gets it, and has its time of
// receipt; what is wrong leaves nothing behind.
func TestX14_26a_ApplicationIsCompleteAndSigned(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newCounter(t, s, chinese(t))
		bad := func(change func(*sharing.Application)) sharing.Application {
			w := c.wish("r-x14")
			change(&w)
			return w
		}
		before := snapshot(t, s)
		for name, w := range map[string]struct {
			actor ledger.Actor
			a     sharing.Application
			want  error
		}{
			"no clerk":          {c.office, c.wish("r-x14"), sharing.ErrNotParty},
			"its own resource":  {c.provider, c.wish("r-x14"), sharing.ErrInvalid},
			"no such resource":  {c.consumer, c.wish("r-9"), sharing.ErrNotFound},
			"no purpose":        {c.consumer, bad(func(a *sharing.Application) { a.Purposes = nil }), sharing.ErrInvalid},
			"no field":          {c.consumer, bad(func(a *sharing.Application) { a.Fields = nil }), sharing.ErrInvalid},
			"a field of others": {c.consumer, bad(func(a *sharing.Application) { a.Fields = []string{"iban"} }), sharing.ErrInvalid},
			"over":              {c.consumer, bad(func(a *sharing.Application) { a.NotBefore, a.NotAfter = day(1), c.now }), sharing.ErrInvalid},
			"no period":         {c.consumer, bad(func(a *sharing.Application) { a.NotAfter = time.Time{} }), sharing.ErrInvalid},
			"a foreign system":  {c.consumer, bad(func(a *sharing.Application) { a.System = "civil-9" }), identity.ErrNotFound},
			"nothing wanted":    {c.consumer, bad(func(a *sharing.Application) { a.Resource, a.Fields = "", nil }), sharing.ErrInvalid},
			"renews nothing":    {c.consumer, bad(func(a *sharing.Application) { a.Follows = "a-9" }), sharing.ErrNotFound},
		} {
			if _, _, err := c.Ask(bg, w.actor, w.a); !errors.Is(err, w.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		same(t, s, before)
		a, _, err := c.Ask(bg, c.consumer, c.wish("r-x14"))
		ok(t, err)
		c.signed = sharing.ErrNotFound
		_, _, err = c.Settle(bg, c.consumer, a.ID)
		wantErr(t, err, sharing.ErrNotFound) // nobody signed
		_, _, err = c.Answer(bg, c.provider, a.ID, sharing.ApplicationAnswer{Agree: true})
		wantErr(t, err, sharing.ErrApplication)
		c.signed = nil
		a = c.settled(a, true)
		if a.State != sharing.ApplicationReceived || a.Filed != "ap-1" || !a.FiledAt.Equal(c.now) || !a.ReceivedAt.Equal(c.now) {
			t.Errorf("%+v", a)
		}
		kept, err := c.Application(bg, a.ID)
		ok(t, err)
		if x, err := kept.Digest(); err != nil || x != must(a.Digest()) {
			t.Errorf("%s, %v: the digest of the row is another", x, err)
		}
		// One revision is written once.
		_, err = c.rooms.Sharing.MoveApplication(bg, kept, event("application", a.ID))
		wantErr(t, err, sharing.ErrApplication)
		own, _, err := c.Ask(bg, c.consumer, c.wish("r-x14"))
		ok(t, err)
		if own = c.settled(own, false); own.State != sharing.ApplicationWithdrawn {
			t.Errorf("unsigned: %+v", own)
		}
	})
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// 15 and 10 working days after the day of receipt, by the official calendar (vectors of
// the reference); late answers show, and a newer calendar counts again, on the ledger.
func TestX14_26b_BJ17_17_AnswerIsDueByTheCalendar(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		old, err := workday.Read([]byte(`{"coverage":{"from":"2025-01-01","to":"2025-12-31"},"years":{"2025":{"holidays":{"01-01":"元旦"}}}}`))
		ok(t, err)
		c := newCounter(t, s, old)
		a := c.asked(c.wish("r-x14"))
		if a.Due.Day.String() != "2025-10-15" {
			t.Errorf("without the notice: %s", a.Due.Day)
		}
		rooms, provider, consumer, office := c.rooms, c.provider, c.consumer, c.office
		n, err := sharing.NewApplications(sharing.ApplicationsConfig{
			Store: rooms.Sharing, Feedback: rooms.Sharing, Catalogue: rooms.Sharing, Directory: rooms.Identity, Posts: rooms.Identity,
			Signed:   func(context.Context, sharing.Application) (string, bool, error) { return "ap-1", c.yes, nil },
			Calendar: chinese(t), Office: identity.USCC(office.Unit), Now: func() time.Time { return c.now }, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		})
		ok(t, err)
		ok(t, n.Recount(bg, office))
		a, err = n.Application(bg, a.ID)
		if err != nil || a.Due.Day.String() != "2025-10-21" || a.Due.Calendar != chinese(t).Version() {
			t.Errorf("X14, received 2025-09-24: %+v, %v", a.Due, err)
		}
		before := snapshot(t, s)
		ok(t, n.Recount(bg, office)) // nothing to count again
		same(t, s, before)
		c.Applications = n
		if b := c.asked(c.wish("r-bj17")); b.Due.Day.String() != "2025-10-14" {
			t.Errorf("BJ17, received 2025-09-24: %s", b.Due.Day)
		}
		if last := time.Date(2025, 10, 21, 15, 59, 0, 0, time.UTC); a.OverdueAt(last) || !a.OverdueAt(last.Add(time.Minute)) {
			t.Error("overdue from the next day on, by the clock of Beijing")
		}
		_, _, err = n.Object(bg, consumer, a.ID, "未按时答复")
		wantErr(t, err, sharing.ErrApplication) // there is time yet
		c.now = time.Date(2025, 10, 22, 2, 0, 0, 0, time.UTC)
		_, _, err = n.Object(bg, provider, a.ID, "未按时答复")
		wantErr(t, err, sharing.ErrNotParty)
		late, _, err := n.Object(bg, consumer, a.ID, "未按时答复")
		if err != nil || late.State != sharing.ApplicationObjected {
			t.Errorf("%+v, %v", late, err)
		}
	})
}

// A refusal has its reason and clause, is signed by the provider's leader, and both the
// applicant and the office acknowledge it, once each.
func TestX14_26d_RefusalHasReasonAndTwoReceipts(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newCounter(t, s, chinese(t))
		a := c.asked(c.wish("r-x14"))
		for _, w := range []sharing.ApplicationAnswer{{}, {Reason: "不便提供"}, {Clause: "X14-23"}} {
			_, _, err := c.Answer(bg, c.provider, a.ID, w)
			wantErr(t, err, sharing.ErrBasis)
		}
		_, _, err := c.Answer(bg, c.consumer, a.ID, sharing.ApplicationAnswer{Agree: true})
		wantErr(t, err, sharing.ErrNotParty)
		draft, _, err := c.Answer(bg, c.provider, a.ID, sharing.ApplicationAnswer{Reason: "不便", Clause: "X14-23"})
		ok(t, err)
		if back := c.settled(draft, false); back.State != sharing.ApplicationReceived || back.Answer != (sharing.ApplicationAnswer{}) {
			t.Errorf("returned: %+v", back)
		}
		a = c.refused(a)
		if a.State != sharing.ApplicationRefused || a.Answer.Approval != "ap-1" {
			t.Errorf("%+v", a)
		}
		_, _, err = c.Acknowledge(bg, c.provider, a.ID)
		wantErr(t, err, sharing.ErrNotParty)
		for _, actor := range []ledger.Actor{c.consumer, c.office} {
			a, _, err = c.Acknowledge(bg, actor, a.ID)
			ok(t, err)
			_, _, err = c.Acknowledge(bg, actor, a.ID)
			wantErr(t, err, sharing.ErrApplication)
		}
		if len(a.Receipts) != 2 || !a.Acknowledged(a.Consumer) || !a.Acknowledged(a.Office) {
			t.Errorf("%+v", a.Receipts)
		}
	})
}

// An objection is coordinated by the bodies of its regime, one after the other; the
// outcome is signed, and the last one stands.
func TestX14_26e_BJ17_17_ObjectionsAreCoordinated(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newCounter(t, s, chinese(t))
		for id, bodies := range map[string][]string{"r-x14": {"task_group"}, "r-bj17": {"leading_office", "leading_group"}} {
			a := c.refused(c.asked(c.wish(id)))
			_, _, err := c.Object(bg, c.consumer, a.ID, "")
			wantErr(t, err, sharing.ErrInvalid)
			for _, body := range bodies {
				a, _, err = c.Object(bg, c.consumer, a.ID, "依法应当共享")
				ok(t, err)
				_, _, err = c.Propose(bg, c.provider, a.ID, false, "维持")
				wantErr(t, err, sharing.ErrNotParty)
				_, _, err = c.Propose(bg, c.office, a.ID, false, "")
				wantErr(t, err, sharing.ErrInvalid)
				a, _, err = c.Propose(bg, c.office, a.ID, false, "维持")
				ok(t, err)
				a = c.settled(a, true)
				if o := a.Objections[len(a.Objections)-1]; a.State != sharing.ApplicationRefused || o.Body != body || o.Approval != "ap-1" {
					t.Errorf("%s: %+v", id, a)
				}
			}
			_, _, err = c.Object(bg, c.consumer, a.ID, "再次提出")
			wantErr(t, err, sharing.ErrApplication) // the last has spoken
		}
		a := c.refused(c.asked(c.wish("r-x14")))
		a, _, err := c.Object(bg, c.consumer, a.ID, "依法应当共享")
		ok(t, err)
		a, _, err = c.Propose(bg, c.office, a.ID, true, "应当共享")
		ok(t, err)
		if a = c.settled(a, false); a.State != sharing.ApplicationObjected {
			t.Errorf("returned: %+v", a)
		}
		a, _, err = c.Propose(bg, c.office, a.ID, true, "应当共享")
		ok(t, err)
		if a = c.settled(a, true); a.State != sharing.ApplicationAgreed {
			t.Errorf("upheld: %+v", a)
		}
	})
}

// Without a provider the office gets it, and sends it on; the clock starts then.
func TestX14_26f_TheOfficeForwards(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newCounter(t, s, chinese(t))
		w := c.wish("")
		w.Fields, w.Wanted = nil, "低保人员姓名"
		a := c.asked(w)
		if a.State != sharing.ApplicationForward || a.Due.Day != 0 {
			t.Fatalf("%+v", a)
		}
		c.now = c.now.AddDate(0, 0, 1)
		_, _, err := c.Forward(bg, c.consumer, a.ID, "r-x14", []string{"name"})
		wantErr(t, err, sharing.ErrNotParty)
		_, _, err = c.Forward(bg, c.office, a.ID, "r-x14", []string{"iban"})
		wantErr(t, err, sharing.ErrInvalid)
		a, _, err = c.Forward(bg, c.office, a.ID, "r-x14", []string{"name"})
		ok(t, err)
		if want, _ := chinese(t).AddWorkdays(workday.Of(c.now), 15); a.Due != want || a.Provider != identity.USCC(c.provider.Unit) || !a.ReceivedAt.Equal(c.now) || a.ForwardedBy != c.office.ID {
			t.Errorf("%+v", a)
		}
		if of, err := c.Of(bg, a.Provider); err != nil || len(of) != 1 {
			t.Errorf("the provider sees %d, %v", len(of), err)
		}
		_, _, err = c.Forward(bg, c.office, a.ID, "r-bj17", []string{"name"})
		wantErr(t, err, sharing.ErrApplication)
	})
}

// Feedback reaches two receivers and is answered by the provider; until then it is open.
func TestX14_28_BJ17_19a_FeedbackReachesTwoAndIsAnswered(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newCounter(t, s, chinese(t))
		before := snapshot(t, s)
		_, _, err := c.Report(bg, c.provider, "r-x14", "有误")
		wantErr(t, err, sharing.ErrInvalid)
		_, _, err = c.Report(bg, c.consumer, "r-9", "有误")
		wantErr(t, err, sharing.ErrNotFound)
		_, _, err = c.Report(bg, c.consumer, "r-x14", "")
		wantErr(t, err, sharing.ErrInvalid)
		same(t, s, before)
		f, _, err := c.Report(bg, c.consumer, "r-x14", "三条记录的姓名有误")
		ok(t, err)
		if f.Due.Day.String() != "2025-10-21" || !f.Open() || f.OverdueAt(c.now) {
			t.Errorf("%+v", f)
		}
		for _, actor := range []ledger.Actor{c.provider, c.office} {
			f, _, err = c.Heard(bg, actor, f.ID)
			ok(t, err)
			_, _, err = c.Heard(bg, actor, f.ID)
			wantErr(t, err, sharing.ErrApplication)
		}
		_, _, err = c.Heard(bg, c.consumer, f.ID)
		wantErr(t, err, sharing.ErrNotParty)
		_, _, err = c.Reply(bg, c.consumer, f.ID, "已更正")
		wantErr(t, err, sharing.ErrNotParty)
		f, _, err = c.Reply(bg, c.provider, f.ID, "已更正")
		ok(t, err)
		if f.Open() || len(f.Receipts) != 2 || f.Answer != "已更正" {
			t.Errorf("%+v", f)
		}
		_, err = c.rooms.Sharing.MoveFeedback(bg, f, event("feedback", f.ID))
		wantErr(t, err, sharing.ErrApplication)
		if of, err := c.FeedbackOf(bg, f.Provider); err != nil || len(of) != 1 {
			t.Errorf("%d, %v", len(of), err)
		}
	})
}

// A renewal keeps the copies: under the new agreement, to its end; not those of a merged
// copy, nor when the new one is narrower.
func TestRenewalKeepsTheCopies(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		c := newCounter(t, s, chinese(t))
		civil := system("civil-a")
		civil.Agency = identity.USCC(c.consumer.Unit)
		_, err := c.rooms.Identity.AddSystem(bg, civil, event("system", civil.ID))
		ok(t, err)
		old := sharing.Agreement{
			ID: "old", Resource: "r-x14", Provider: identity.USCC(c.provider.Unit), Consumer: identity.USCC(c.consumer.Unit), Office: identity.USCC(c.office.Unit),
			Purposes: []string{"relief"}, Fields: []string{"name"}, NotBefore: c.now.AddDate(-1, 0, 0), NotAfter: c.now.AddDate(0, 1, 0),
		}
		_, err = c.rooms.Sharing.AddAgreement(bg, old, event("agreement", "old"))
		ok(t, err)
		hold := func(id, resource, agreement string, until time.Time, sources ...string) {
			h := holding(t, id)
			h.Agency, h.Resource, h.Agreement, h.At, h.Until, h.Sources = old.Consumer, resource, agreement, c.now, until, sources
			_, err := c.rooms.Sharing.AddHolding(bg, h, event("holding", id))
			ok(t, err)
		}
		hold("whole", "r-x14", "old", old.NotAfter)
		hold("short", "r-x14", "old", c.now.AddDate(0, 0, 3))
		hold("other", "r-bj17", "", old.NotAfter)
		hold("merged", "r-x14", "old", old.NotAfter, "whole", "other")
		renewal := func(change func(*sharing.Application)) sharing.Agreement {
			w := c.wish("")
			w.Follows = "old"
			change(&w)
			a := c.asked(w)
			a, _, err := c.Answer(bg, c.provider, a.ID, sharing.ApplicationAnswer{Agree: true})
			ok(t, err)
			g, err := c.settled(a, true).Agreement()
			ok(t, err)
			_, _, err = c.Bind(bg, c.consumer, a.ID)
			wantErr(t, err, sharing.ErrUnsealed) // not registered
			_, err = c.rooms.Sharing.AddAgreement(bg, g, event("agreement", g.ID))
			ok(t, err)
			a, _, err = c.Bind(bg, c.consumer, a.ID)
			if err != nil || a.State != sharing.ApplicationBound {
				t.Errorf("%+v, %v", a, err)
			}
			return g
		}
		is := func(id, agreement string, until time.Time) {
			t.Helper()
			_, err := c.rooms.Index.Revision(bg)
			ok(t, err)
			for _, read := range []func(context.Context, string) (sharing.Holding, error){c.rooms.Sharing.Holding, c.rooms.Index.Holding} {
				if h, err := read(bg, id); err != nil || h.Agreement != agreement || !h.Until.Equal(until) {
					t.Errorf("%s under %s until %s, %v", id, h.Agreement, h.Until, err)
				}
			}
		}
		is("whole", "old", old.NotAfter)
		renewal(func(w *sharing.Application) { w.Purposes = []string{"audit"} })
		is("whole", "old", old.NotAfter)
		renewal(func(w *sharing.Application) { w.NotBefore = old.NotAfter.AddDate(0, 0, 1) }) // a gap
		is("whole", "old", old.NotAfter)
		g := renewal(func(*sharing.Application) {})
		is("whole", g.ID, g.NotAfter)
		is("short", g.ID, c.now.AddDate(0, 0, 3))
		is("merged", g.ID, old.NotAfter)
		is("other", "", old.NotAfter)
	})
}
