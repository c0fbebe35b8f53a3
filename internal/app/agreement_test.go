package app

import (
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/signer"
)

// agreementInTheHouse: a seal goes on an agreement as on a document: asked by a
// person of the unit, approved by its own leader, counted and recorded.
func (w *town) agreementInTheHouse() {
	t := w.t
	provider, consumer, office := w.units[0], w.units[1], w.units[2]
	a, err := sharing.Draft(sharing.Agreement{
		ID: "agr-1", Resource: "res-1", Provider: provider.unit, Consumer: consumer.unit, Office: office.unit, Purposes: []string{"assist"},
		Fields: []string{"name"}, Confidentiality: "样例保密协议", NotBefore: w.at, NotAfter: w.at.AddDate(1, 0, 0), Sample: true,
	})
	ok(t, err)
	clerk := w.actor(consumer.clerk)
	_, err = w.SealAgreement(bg, clerk, a, consumer.seal)
	wantErr(t, err, signer.ErrNotApproved)
	own := AgreementSubject(a, consumer.unit, consumer.clerk.ID)
	foreign := own
	foreign.Unit = office.unit
	w.refusedAnswer(foreign, office.leader)
	w.sign(own, consumer.leader, true)
	_, err = w.SealAgreement(bg, w.actor(office.clerk), a, consumer.seal)
	wantErr(t, err, signer.ErrUnit)
	_, err = w.SealAgreement(bg, w.actor(office.clerk), a, office.seal) // another party's approval
	wantErr(t, err, signer.ErrNotApproved)
	other := a
	other.Digest = strings.Repeat("0", 64)
	_, err = w.SealAgreement(bg, clerk, other, consumer.seal)
	wantErr(t, err, signer.ErrNotApproved)

	before := w.Ledger.Head().Size
	s, err := w.SealAgreement(bg, clerk, a, consumer.seal)
	ok(t, err)
	_, err = sharing.AddSeal(a, s)
	ok(t, err)
	if n := w.Ledger.Head().Size - before; n != 4 {
		t.Errorf("%d records of request, approval, activation and seal", n)
	}
	uses, err := w.Signer.Uses(bg, signer.UseQuery{Seals: []string{consumer.seal}, States: []signer.UseState{signer.UseSealed}, Limit: 1})
	ok(t, err)
	if len(uses) != 1 || uses[0].Type != signer.TypeTerms || uses[0].Document != a.Digest || uses[0].Sealed != signer.Digest(s.Signature) || uses[0].Approval == "" {
		t.Errorf("%+v", uses)
	}
}

// 西政办发〔2014〕14号 art. 26: what leaders sign about an agreement names the party.
func TestAgreementSubject(t *testing.T) {
	a := sharing.Agreement{ID: "agr-1", Digest: "ab"}
	if got := AgreementSubject(a, "U", "p"); got != (approval.Subject{Kind: approval.KindAgreement, ID: "agr-1/U", Digest: "ab", Unit: "U", Requester: "p"}) {
		t.Errorf("%+v", got)
	}
}
