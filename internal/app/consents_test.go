package app

import (
	"errors"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

func visitor(p identity.Person) console.Person {
	return console.Person{ID: p.ID, Name: p.Name, Unit: string(p.Agency)}
}

// consentsOnPages: BJ17-19b from the page of the clerk to the answer of the
// provider's leader, and to the list from which a use of seal chooses.
func (w *town) consentsOnPages() {
	t := w.t
	provider, consumer, third := w.units[0], w.units[1], w.units[2]
	clerk, leader, stranger := visitor(consumer.clerk), visitor(provider.leader), visitor(third.leader)
	w.resource("res-9", provider)
	form := console.ConsentForm{Resource: "res-9", Title: "页面上的报告", Purpose: "引用总数", Until: w.at.AddDate(0, 1, 0)}

	list, err := w.Desk.Consents(bg, clerk, "res-9")
	ok(t, err)
	if len(list.Resources) != 1 || list.Resources[0].Provider != "样例局甲" || !list.MayAsk {
		t.Errorf("%+v", list)
	}
	if _, err := w.Desk.AskConsent(bg, visitor(consumer.leader), form); !errors.Is(err, console.ErrForbidden) {
		t.Errorf("a leader asked: %v", err)
	}
	wrong := form
	wrong.Resource = "res-none"
	if _, err := w.Desk.AskConsent(bg, clerk, wrong); !errors.Is(err, sharing.ErrNotFound) {
		t.Errorf("%v", err)
	}
	offered := func(id string) bool {
		t.Helper()
		uses, err := w.Desk.Uses(bg, clerk)
		ok(t, err)
		return slices.ContainsFunc(uses.Consents, func(c console.ConsentLine) bool { return c.ID == id })
	}
	ask := func() (string, string) {
		t.Helper()
		id, err := w.Desk.AskConsent(bg, clerk, form)
		ok(t, err)
		v, err := w.Desk.Consent(bg, leader, id)
		ok(t, err)
		if !v.MayAnswer || v.MayWithdraw || v.AskedWho == "" || v.ConsumerName != "样例局乙" || offered(id) {
			t.Errorf("%+v", v)
		}
		return id, v.Digest
	}
	answer := func(p console.Person, id, digest, pin string, yes bool, want error) {
		t.Helper()
		reason := map[bool]string{false: "数据未核"}[yes]
		if err := w.Desk.AnswerConsent(bg, p, id, console.Answer{Digest: digest, PIN: pin, Yes: yes, Reason: reason}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	id, digest := ask()
	for _, p := range []console.Person{stranger, visitor(third.clerk), visitor(w.keeper)} {
		if _, err := w.Desk.Consent(bg, p, id); !errors.Is(err, sharing.ErrNotFound) {
			t.Errorf("somebody else sees it: %v", err)
		}
		answer(p, id, digest, townPIN, true, sharing.ErrNotFound)
	}
	answer(clerk, id, digest, townPIN, true, console.ErrForbidden)
	answer(visitor(consumer.leader), id, digest, townPIN, true, console.ErrForbidden)
	answer(leader, id, signer.Digest(nil), townPIN, true, life.ErrConflict)
	answer(leader, id, digest, "not-the-pin", true, signin.ErrPIN)
	if offered(id) {
		t.Error("offered before it was given")
	}
	answer(leader, id, digest, townPIN, true, nil)
	answer(leader, id, digest, townPIN, false, console.ErrAnswered)
	v, err := w.Desk.Consent(bg, clerk, id)
	ok(t, err)
	if v.State != sharing.ConsentGiven || v.Answer == nil || !v.Answer.Yes || v.MayAnswer || v.MayWithdraw || !offered(id) {
		t.Errorf("%+v", v)
	}
	use, err := w.Desk.Submit(bg, clerk, console.UseForm{Seal: consumer.seal, Title: "报告", Consents: []string{id}, Paper: console.Paper{Name: "a.ofd", Bytes: paper(t, "引用的报告")}})
	ok(t, err)
	if u, err := w.Signer.Use(bg, use); err != nil || len(u.Citations) != 1 || u.Citations[0].Consent != id {
		t.Errorf("%+v %v", u.Citations, err)
	}

	// A no is seen with its reason; what ended is not offered any more.
	no, digest := ask()
	answer(leader, no, digest, townPIN, false, nil)
	if v, err := w.Desk.Consent(bg, clerk, no); err != nil || v.State != sharing.ConsentRefused || v.Answer.Reason == "" || offered(no) {
		t.Errorf("%+v %v", v, err)
	}
	if err := w.Desk.WithdrawConsent(bg, clerk, id, "x"); !errors.Is(err, console.ErrForbidden) {
		t.Errorf("the clerk withdrew: %v", err)
	}
	ok(t, w.Desk.WithdrawConsent(bg, leader, id, "数据有误"))
	if err := w.Desk.WithdrawConsent(bg, leader, id, "再次"); !errors.Is(err, sharing.ErrConsent) {
		t.Errorf("%v", err)
	}
	if offered(id) {
		t.Error("offered after it was withdrawn")
	}
	over, digest := ask()
	answer(leader, over, digest, townPIN, true, nil)
	now := w.at
	w.at = w.at.AddDate(0, 1, 2)
	if v, err := w.Desk.Consent(bg, clerk, over); err != nil || v.State != sharing.ConsentExpired || offered(over) {
		t.Errorf("%s %v", v.State, err)
	}
	w.at = now.Add(time.Minute)
	if _, err := w.rooms.Approvals.ApprovalOf(bg, approval.KindCitation, over); err != nil {
		t.Error(err)
	}
}
