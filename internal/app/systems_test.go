package app

import (
	"errors"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// paired puts a pair of a system into the registry, as an enrolment leaves it.
func (w *town) paired(system string) (sign, enc ca.Certificate) {
	w.t.Helper()
	row := func(kind ca.Kind, serial string) ca.Certificate {
		return ca.Certificate{
			Issuer: ca.IssuerID(w.anchors.sm2Issuing), Serial: serial, Kind: kind, Pair: "pair-" + system, Agency: w.cfg.USCC, System: system, Subject: "CN=" + system,
			TBSSM3: "00", TBS: []byte{1}, DER: []byte{1}, State: ca.StatePending, NotBefore: w.at, NotAfter: w.at.AddDate(1, 0, 0), CreatedAt: w.at,
		}
	}
	sign, enc = row(ca.KindSM2Sign, "51"+newSerial()), row(ca.KindSM2Enc, "52"+newSerial())
	ev := func() ledger.Event {
		return ledger.Event{
			ID: newID(), Type: "ca.pair.sampled", Class: ledger.ClassCertificate, Time: w.now(), Actor: w.service(),
			Object: ledger.Object{Kind: "certificate", ID: sign.Serial}, Outcome: ledger.Success,
		}
	}
	both := []ca.Certificate{sign, enc}
	_, err := w.rooms.CA.Reserve(bg, both, nil, ev())
	ok(w.t, err)
	_, err = w.rooms.CA.Activate(bg, both, ev())
	ok(w.t, err)
	return sign, enc
}

func newSerial() string { return newID()[24:] }

// Holding acts at once on the pair; a second officer lifts it with a signature of
// his own, from the page (GM/T 0034 12.6, 12.7; design law 8).
func TestOfficersStopAndResumeCertificatesOfASystem(t *testing.T) {
	w := newTown(t, 1)
	own := identity.USCC(w.cfg.USCC)
	second := w.certified(own, identity.RoleRAOfficer)
	_, _, err := w.Identity.RegisterSystem(bg, identity.System{ID: "civil-x", Name: "样例系统", Agency: own, Hosts: []string{"x.gov.internal"}}, w.service())
	ok(t, err)
	sign, enc := w.paired("civil-x")
	officer, other := console.Person{ID: w.officer.ID, Unit: w.cfg.USCC}, console.Person{ID: second.ID, Unit: w.cfg.USCC}
	clerk := console.Person{ID: w.units[0].clerk.ID, Unit: string(w.units[0].unit)}
	expect := func(want ca.State) {
		t.Helper()
		for _, c := range []ca.Certificate{sign, enc} {
			if now, err := w.CA.Status(bg, c.Issuer, c.Serial); err != nil || now.State != want {
				t.Errorf("%s is %s, want %s, %v", c.Kind, now.State, want, err)
			}
		}
	}
	look := func(p console.Person) console.SystemList {
		t.Helper()
		list, err := w.Desk.SystemCertificates(bg, p, "civil-x")
		ok(t, err)
		return list
	}
	wantErr := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("err = %v, want %v", err, want)
		}
	}
	_, err = w.Desk.SystemCertificates(bg, clerk, "civil-x")
	wantErr(err, console.ErrForbidden)
	hold := console.StopForm{System: "civil-x", Serial: enc.Serial, Reason: "设备丢失"}
	wantErr(w.Desk.Stop(bg, clerk, hold), console.ErrForbidden)
	wantErr(w.Desk.Stop(bg, officer, console.StopForm{System: "civil-x", Serial: "5f", Reason: "x"}), ca.ErrNotFound)
	if list := look(officer); len(list.Rows) != 1 || list.Rows[0].Serial != sign.Serial || list.Rows[0].Enc != enc.Serial || list.Rows[0].Hold != nil || len(list.Asked) != 0 {
		t.Fatalf("%+v", list)
	}
	ok(t, w.Desk.Stop(bg, officer, hold))
	expect(ca.StateHold)
	held := look(officer).Rows[0].Hold
	if held == nil || held.Reason != hold.Reason || held.Asked {
		t.Fatalf("%+v", held)
	}
	wantErr(w.Desk.AskResume(bg, clerk, held.ID, "找回"), console.ErrForbidden)
	ok(t, w.Desk.AskResume(bg, officer, held.ID, "已找回"))
	asked := look(other).Asked
	if len(asked) != 1 || !asked[0].MayAnswer || asked[0].Why != "已找回" || look(officer).Asked[0].MayAnswer {
		t.Fatalf("%+v", asked)
	}
	yes := console.Answer{Digest: asked[0].Digest, PIN: townPIN, Yes: true}
	wantErr(w.Desk.AnswerResume(bg, officer, held.ID, yes), approval.ErrSelf)
	wantErr(w.Desk.AnswerResume(bg, clerk, held.ID, yes), console.ErrForbidden)
	wantErr(w.Desk.AnswerResume(bg, other, held.ID, console.Answer{Digest: "00", PIN: townPIN, Yes: true}), ca.ErrDecided)
	expect(ca.StateHold)

	ok(t, w.Desk.AnswerResume(bg, other, held.ID, console.Answer{Digest: yes.Digest, PIN: townPIN, Reason: "无领回记录"}))
	expect(ca.StateHold)
	if h := look(officer).Rows[0].Hold; h.Asked || h.Refusal != "无领回记录" {
		t.Errorf("%+v", h)
	}
	ok(t, w.Desk.AskResume(bg, officer, held.ID, "附领回记录"))
	yes.Digest = look(other).Asked[0].Digest
	ok(t, w.Desk.AnswerResume(bg, other, held.ID, yes))
	expect(ca.StateGood)
	wantErr(w.Desk.AnswerResume(bg, other, held.ID, yes), console.ErrAnswered)

	since := w.at.Add(-time.Hour)
	wantErr(w.Desk.Stop(bg, officer, console.StopForm{System: "civil-x", Serial: sign.Serial, Revoke: true, Code: "superseded", Since: since}), console.ErrForm)
	wantErr(w.Desk.Stop(bg, officer, console.StopForm{System: "civil-x", Serial: sign.Serial, Revoke: true, Code: "certificateHold"}), ca.ErrInvalid)
	ok(t, w.Desk.Stop(bg, officer, console.StopForm{System: "civil-x", Serial: sign.Serial, Revoke: true, Code: "keyCompromise", Since: since}))
	expect(ca.StateRevoked)
	if row := look(officer).Rows[0]; row.Reason != "keyCompromise" || row.Hold != nil {
		t.Errorf("%+v", row)
	}
	wantErr(w.Desk.Stop(bg, officer, hold), ca.ErrRevoked)
	w.historiesInTheHouse(officer, sign, enc)
}
