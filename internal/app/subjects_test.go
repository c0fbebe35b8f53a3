package app

import (
	"crypto"
	"errors"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/reclass"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// standing is an open question of one kind, and who may answer it.
type standing struct {
	name    string
	subject approval.Subject
	by      identity.Person
	settle  func() // what answering leads to; nil: the same question stays, answered
}

// questions asks one question of every kind that this house asks.
func (w *registry) questions() (out []standing) {
	t := w.t
	own := identity.USCC(w.cfg.USCC)
	add := func(name string, s approval.Subject, by identity.Person, settle func()) {
		out = append(out, standing{name, s, by, settle})
	}
	unit, other := w.units[0], w.units[1]

	use, err := w.request(unit, paper(t, "年度报告"))
	ok(t, err)
	s, err := w.UseSubject(bg, use)
	ok(t, err)
	add("use of a seal", s, unit.leader, func() {
		_, _, err := w.Signer.MarkApproved(bg, w.actor(unit.clerk), use.ID)
		ok(t, err)
	})

	order := SealOrder{ID: "11010000000088", Unit: unit.unit, Name: "样章"}
	s, _, err = w.ApplySeal(bg, w.actor(unit.clerk), order)
	ok(t, err)
	add("a seal", s, unit.leader, func() {
		_, _, err := w.Life.Settle(bg, w.actor(unit.clerk), order.ID)
		ok(t, err)
	})
	second := SealOrder{ID: "11010000000089", Unit: other.unit, Name: "样章", Kind: life.KindSpecial}
	s, _, err = w.ApplySeal(bg, w.actor(other.clerk), second)
	ok(t, err)
	early, err := w.PrepareSeal(bg, second)
	ok(t, err)
	w.refusedAnswer(early, w.officer) // its leader has not approved it
	w.sign(s, other.leader, true)
	_, _, err = w.Life.Settle(bg, w.actor(other.clerk), second.ID)
	ok(t, err)
	add("the certificate of a seal", early, w.officer, nil)

	person := w.person(unit.unit, identity.RoleRecordsOfficer)
	s, err = w.PersonOrder(bg, person.ID)
	ok(t, err)
	add("the certificate of a person", s, w.officer, func() {
		_, err := w.CertifyPerson(bg, w.service(), person.ID)
		ok(t, err)
	})

	w.resource("res-q", unit)
	c := w.asked("res-q", "", other)
	add("a citation", w.ConsentSubject(c), unit.leader, func() {
		_, _, err := w.Consents.Decide(bg, c.ID, w.actor(other.clerk))
		ok(t, err)
	})

	g, _, err := w.Grants.Propose(bg, grant.Grant{
		Person: unit.clerk.ID, Role: identity.RoleClerk, Need: "低保复核", Actions: []level.Act{level.Read}, Purposes: []string{"relief"}, Level: 2, Until: w.at.AddDate(0, 1, 0),
	}, w.actor(unit.clerk))
	ok(t, err)
	add("a grant", w.GrantSubject(g), unit.leader, func() {
		_, _, err := w.Grants.Settle(bg, g.ID, w.actor(unit.leader))
		ok(t, err)
	})
	d, _, err := w.Grants.Delegate(bg, grant.Delegation{Leader: other.leader.ID, Deputy: other.clerk.ID, Reason: "出差", Until: w.at.AddDate(0, 1, 0)}, w.actor(other.clerk))
	ok(t, err)
	add("a deputy", d.Subject(), other.leader, func() {
		_, _, err := w.Grants.SettleDelegation(bg, d.ID, w.actor(other.leader))
		ok(t, err)
	})

	act, _, err := w.Reclass.Propose(bg, reclass.Act{
		Resource: "res-q", To: level.Label{Level: 2, RequiredS: 2, RequiredA: 1}, Ground: "样例依据", Due: w.at.AddDate(0, 1, 0),
	}, w.actor(unit.clerk))
	ok(t, err)
	add("a label that was raised", act.Subject(), unit.leader, func() {
		_, _, err := w.Reclass.Settle(bg, act.ID, w.actor(unit.leader))
		ok(t, err)
	})

	terms, err := sharing.Draft(sharing.Agreement{
		ID: "agr-q", Resource: "res-q", Provider: unit.unit, Consumer: other.unit, Office: own, Purposes: []string{"assist"},
		Fields: []string{"name"}, Confidentiality: "样例保密协议", NotBefore: w.at, NotAfter: w.at.AddDate(1, 0, 0), Sample: true,
	})
	ok(t, err)
	add("an agreement", AgreementSubject(terms, other.unit, other.clerk.ID), other.leader, nil)

	// A pair with an escrowed key: what can be held, and recovered.
	w.graded(w.at.AddDate(1, 0, 0))
	ok(t, w.record(grading.ClearanceAcceptance, w.officer, true))
	ok(t, w.record(grading.ClearanceReview, w.office, true))
	pair := func() (sign, enc ca.Certificate) {
		r := w.reviewed(ca.PurposeProduction)
		ok(t, w.answer(r))
		both, err := w.enrol(r)
		ok(t, err)
		if both[0].Kind == ca.KindSM2Sign {
			return both[0], both[1]
		}
		return both[1], both[0]
	}
	_, enc := pair()
	sign, _ := pair()
	next := w.reviewed(ca.PurposeTest)
	add("the certificates of a system", w.RequestSubject(next), w.officer, func() {
		_, _, err := w.RA.Approve(bg, w.actor(w.officer), next.ID)
		ok(t, err)
	})

	ask := func(kind kmc.Kind, by identity.Person) kmc.Recovery {
		r := kmc.Recovery{Kind: kind, EncryptionIssuer: enc.Issuer, EncryptionSerial: enc.Serial, Receiver: sign.DER, Reason: "服务器损坏"}
		if kind == kmc.ForLaw {
			r.Document, r.Authority, r.ScanSM3 = "样检调〔2026〕1号", "样例区人民检察院", strings.Repeat("ab", 32)
		}
		got, _, err := w.Recoveries.Ask(bg, w.actor(by), r)
		ok(t, err)
		return got
	}
	keeper := w.certified(own, identity.RoleKMCOfficer)
	checked := ask(kmc.ForOwner, w.admin)
	early = recoveryApprovers{unit: own}.vote(checked)
	w.refusedAnswer(early, keeper) // before the check
	w.sign(w.RecoverySubject(checked), w.officer, true)
	checked, err = w.Recoveries.Settle(bg, w.actor(w.officer), checked.ID)
	ok(t, err)
	add("a recovery", w.RecoverySubject(checked), keeper, nil)
	add("a judicial recovery", w.RecoverySubject(ask(kmc.ForLaw, w.officer)), keeper, nil)

	x, _, err := w.CA.Hold(bg, w.actor(w.officer), sign.Issuer, sign.Serial, "丢失")
	ok(t, err)
	w.refusedAnswer(approval.Subject{Kind: approval.KindCertificate, ID: x.Question(), Digest: ca.ResumptionDigest(x), Unit: own, Requester: w.officer.ID}, w.reviewer)
	x, _, err = w.CA.AskResume(bg, w.actor(w.officer), x.ID, "找回")
	ok(t, err)
	add("a resumption", approval.Subject{Kind: approval.KindCertificate, ID: x.Question(), Digest: ca.ResumptionDigest(x), Unit: own, Requester: w.officer.ID}, w.reviewer, func() {
		_, _, err := w.CA.Resume(bg, w.actor(w.reviewer), x.ID)
		ok(t, err)
	})
	return out
}

// Of every kind: nobody answers what nobody asked, in these words, of this person
// and now; such an answer leaves no row, and the question can still be answered.
func TestOnlyOpenQuestionsAreAnswered(t *testing.T) {
	w := newRegistry(t, 2)
	questions := w.questions()
	kinds := map[approval.Kind]bool{}
	opened := map[string]crypto.Signer{} // the PIN once a person: opening is made to be slow
	answer := func(s approval.Subject, by identity.Person) error {
		t.Helper()
		if opened[by.ID] == nil {
			key, _, err := w.Signin.Open(bg, by.ID, townPIN)
			ok(t, err)
			t.Cleanup(func() { ok(t, key.Close()) })
			opened[by.ID] = key
		}
		_, _, err := w.Approvals.Decide(bg, approval.Approval{Subject: s, Approved: true, Approver: by.ID}, opened[by.ID], w.actor(by))
		return err
	}
	refused := func(name string, s approval.Subject, by identity.Person) {
		t.Helper()
		before := w.Ledger.Head().Size
		err := answer(s, by)
		if !errors.Is(err, approval.ErrInvalid) && !errors.Is(err, approval.ErrDecided) {
			t.Errorf("%s: %v", name, err)
		}
		if after := w.Ledger.Head().Size; after != before {
			t.Errorf("%s: left %d entries", name, after-before)
		}
	}
	for _, q := range questions {
		kinds[q.subject.Kind] = true
		edits := map[string]func(*approval.Subject){
			"another requester":  func(s *approval.Subject) { s.Requester = w.keeper.ID },
			"an id of nothing":   func(s *approval.Subject) { s.ID = "nothing" },
			"a person of no one": func(s *approval.Subject) { s.ID = "person-nobody" },
			"a seal of no one":   func(s *approval.Subject) { s.ID = "seal-99999999999999" },
			"a hold of nothing":  func(s *approval.Subject) { s.ID = "nothing/1" },
		}
		if s := q.subject; s.Kind != approval.KindAgreement { // terms are on no record before they are sealed
			s.Digest = strings.Repeat("0", 64)
			refused(q.name+", another digest", s, q.by)
		}
		for name, edit := range edits {
			s := q.subject
			edit(&s)
			if err := w.House.asked(bg, s); !errors.Is(err, approval.ErrInvalid) {
				t.Errorf("%s, %s: %v", q.name, name, err)
			}
		}
		for _, other := range questions { // under the id of another question
			if other.subject.ID != q.subject.ID {
				s := q.subject
				s.ID = other.subject.ID
				if err := w.House.asked(bg, s); !errors.Is(err, approval.ErrInvalid) {
					t.Errorf("%s for %s: %v", q.name, other.name, err)
				}
			}
		}
	}
	for _, q := range questions {
		ok(t, answer(q.subject, q.by))
		if q.settle != nil {
			q.settle()
		}
		refused(q.name+", answered", q.subject, q.by)
	}
	leader := w.units[0].leader
	for _, kind := range []approval.Kind{approval.KindRegrade} { // this house does not ask for them
		kinds[kind] = true
		refused(string(kind), approval.Subject{Kind: kind, ID: "x", Digest: strings.Repeat("0", 64), Unit: w.units[0].unit, Requester: w.units[0].clerk.ID}, leader)
	}
	for _, kind := range []approval.Kind{
		approval.KindSealUse, approval.KindSeal, approval.KindCertificate, approval.KindGrant, approval.KindAgreement, approval.KindRelabel, approval.KindRegrade,
		approval.KindCitation, approval.KindRecovery, approval.KindJudicial, approval.KindDelegation,
	} {
		if !kinds[kind] {
			t.Errorf("%s is not tried", kind)
		}
	}
	if u, err := w.Signer.Use(bg, questions[0].subject.ID); err != nil || u.State != signer.UseApproved {
		t.Errorf("%s, %v", u.State, err)
	}
}
