package life_test

import (
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// What is offered to a person is what the table lets that person do.
func TestOpenActs(t *testing.T) {
	const stop, cancel, report = life.ActSuspend, life.ActCancel, life.ActCompromise
	for _, c := range []struct {
		state signer.SealState
		who   ledger.Actor
		want  []life.Act
	}{
		{signer.SealApplied, signertest.Applicant, nil},
		{signer.SealApplied, signertest.Keeper, []life.Act{cancel}},
		{signer.SealApproved, signertest.Admin, []life.Act{life.ActMake, cancel}},
		{signer.SealApproved, signertest.Keeper, []life.Act{cancel}},
		{signer.SealMade, signertest.Admin, []life.Act{life.ActFile, cancel, report}},
		{signer.SealFiled, signertest.Keeper, []life.Act{life.ActActivate, cancel, report, life.ActAsk}},
		{signer.SealActive, signertest.Keeper, []life.Act{stop, cancel, report, life.ActAsk}},
		{signer.SealActive, signertest.Leader, []life.Act{stop, cancel, report}},
		{signer.SealActive, signertest.Applicant, nil},
	} {
		h := signertest.NewHouse(t)
		e := h.To(t, c.state)
		rules, err := h.Life.Open(ctx, c.who, e)
		var got []life.Act
		for _, r := range rules {
			got = append(got, r.Act)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s, %s: %v, want %v (%v)", c.state, c.who.ID, got, c.want, err)
		}
	}
	// Nothing more is asked while something waits.
	h := signertest.NewHouse(t)
	h.To(t, signer.SealActive)
	e, _, err := h.Life.AskAuthorise(ctx, signertest.Keeper, id, signer.Authorisation{Total: 3}, "限量")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := h.Life.Open(ctx, signertest.Keeper, e)
	if err != nil || slices.ContainsFunc(rules, func(r life.Rule) bool { return r.Act == life.ActAsk }) {
		t.Errorf("%v %v", rules, err)
	}
}
