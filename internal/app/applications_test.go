package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// An application walks through the people's side: signed for its unit, answered and
// signed by the provider, sealed by the three parties; the next decision allows. One
// party ends the agreement, and the next decision denies again (X14 art. 26, J2).
func TestX14_26c_FromApplicationToAccess(t *testing.T) {
	w := newTown(t, 3)
	provider, consumer, bystander := w.units[0], w.units[1], w.units[2]
	own := identity.USCC(w.cfg.USCC)
	house := office{unit: own, leader: w.certified(own, identity.RoleUnitLeader), clerk: w.certified(own, identity.RoleClerk)}
	w.contact(house.clerk)
	house.seal = w.newSeal(house, 30)
	bureau := w.certified(own, identity.RoleInformationOffice)
	w.resource("res-1", provider)
	res, err := w.rooms.Sharing.Resource(bg, "res-1")
	ok(t, err)
	conditional := res
	conditional.ID, conditional.ShareType = "res-2", sharing.ShareConditional
	_, _, err = w.Sharing.RegisterResource(bg, conditional, w.actor(provider.clerk))
	ok(t, err)
	allowed := func() bool {
		t.Helper()
		d, err := w.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectAgency, SubjectID: string(consumer.unit), Action: authz.ActionRead, Resource: "res-2", Purpose: "relief", Fields: []string{"x"}})
		ok(t, err)
		return !slices.ContainsFunc(d.Reasons, func(r authz.Reason) bool { return strings.HasPrefix(r.Code, "E06_agreement") })
	}
	who := func(p identity.Person) console.Person { return console.Person{ID: p.ID, Unit: string(p.Agency)} }
	line := func(p identity.Person) console.ApplicationLine {
		t.Helper()
		list, err := w.Desk.Applications(bg, who(p))
		if err != nil || len(list.Rows) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		return list.Rows[0]
	}
	yes := func(sum string) console.Answer { return console.Answer{Digest: sum, PIN: townPIN, Yes: true} }
	if allowed() {
		t.Fatal("allowed before")
	}
	ok(t, w.Desk.ApplyToShare(bg, who(consumer.clerk), sharing.Application{Resource: "res-2", Purposes: []string{"relief"}, Fields: []string{"x"}, NotBefore: w.at, NotAfter: w.at.AddDate(1, 0, 0)}))
	id := line(consumer.clerk).ID
	if l := line(consumer.leader); !l.MayAnswer {
		t.Errorf("the consumer's leader: %+v", l)
	}
	wantErr(t, w.Desk.AnswerApplication(bg, who(provider.leader), id, yes(line(provider.leader).Sum)), sharing.ErrNotParty)
	wantErr(t, w.Desk.AnswerApplication(bg, who(consumer.clerk), id, yes(line(consumer.clerk).Sum)), console.ErrForbidden)
	wantErr(t, w.Desk.AnswerApplication(bg, who(consumer.leader), id, yes("00")), life.ErrConflict)
	ok(t, w.Desk.AnswerApplication(bg, who(consumer.leader), id, yes(line(consumer.leader).Sum)))
	wantErr(t, w.Desk.AnswerApplication(bg, who(consumer.leader), id, yes(line(consumer.leader).Sum)), console.ErrAnswered)
	if l := line(provider.clerk); !l.MayReply || l.Due.Day == 0 {
		t.Errorf("the provider's clerk: %+v", l)
	}
	ok(t, w.Desk.Reply(bg, who(provider.clerk), id, sharing.ApplicationAnswer{Reason: "不便", Clause: "BJ17-16"}))
	ok(t, w.Desk.AnswerApplication(bg, who(provider.leader), id, yes(line(provider.leader).Sum)))
	if l := line(bureau); l.State != sharing.ApplicationRefused || !l.MayAcknowledge {
		t.Errorf("refused: %+v", l)
	}
	ok(t, w.Desk.AcknowledgeAnswer(bg, who(bureau), id))
	ok(t, w.Desk.AcknowledgeAnswer(bg, who(consumer.clerk), id))
	ok(t, w.Desk.Object(bg, who(consumer.clerk), id, "依法应当共享"))
	ok(t, w.Desk.Outcome(bg, who(bureau), id, true, "应当共享"))
	usurped, err := w.ApplicationSubject(line(bureau).Application)
	ok(t, err)
	usurped.Unit = provider.unit
	w.refusedAnswer(usurped, provider.leader)
	ok(t, w.Desk.AnswerApplication(bg, who(house.leader), id, yes(line(house.leader).Sum)))
	if l := line(consumer.clerk); l.State != sharing.ApplicationAgreed || l.Objections[0].Approval == "" {
		t.Fatalf("settled: %+v", l)
	}
	for _, party := range []office{consumer, provider, house} {
		if allowed() {
			t.Fatal("allowed with a seal missing")
		}
		wantErr(t, w.Desk.SealTerms(bg, who(party.leader), id, yes("")), console.ErrAnswered) // no clerk asked
		wantErr(t, w.Desk.AskTermsSeal(bg, who(party.clerk), id, bystander.seal), signer.ErrUnit)
		ok(t, w.Desk.AskTermsSeal(bg, who(party.clerk), id, party.seal))
		ok(t, w.Desk.AskTermsSeal(bg, who(party.clerk), id, party.seal)) // again, by the same
		ok(t, w.Desk.SealTerms(bg, who(party.leader), id, yes(line(party.leader).Terms)))
	}
	if l := line(consumer.clerk); l.State != sharing.ApplicationBound || !allowed() {
		t.Errorf("bound: %+v, allowed %v", l, allowed())
	}
	g := "agr-" + id
	stranger := w.certified(own, identity.RoleAuditor)
	wantErr(t, w.Desk.EndAgreement(bg, who(stranger), g, "不再使用"), console.ErrForbidden)
	list, err := w.Desk.Applications(bg, who(provider.leader))
	if err != nil || len(list.Agreements) != 1 || !list.Agreements[0].MayEnd || !list.Agreements[0].InForce {
		t.Fatalf("%+v, %v", list.Agreements, err)
	}
	ok(t, w.Desk.EndAgreement(bg, who(provider.leader), g, "不再使用"))
	wantErr(t, w.Desk.AskTermsSeal(bg, who(bystander.clerk), id, bystander.seal), sharing.ErrApplication)
	if allowed() {
		t.Error("allowed after the end")
	}
	wantErr(t, w.Desk.EndAgreement(bg, who(provider.leader), g, "不再使用"), sharing.ErrNotInForce)
}
