package demo

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// 西政办发〔2011〕8号 art. 26: on application means under an agreement in force that
// covers consumer, resource, purpose, items and date; the record of a permit names it.
func TestX11_26_AgreementInForce(t *testing.T) {
	d := demo(t)
	covered, none := offered(t, d, "acc-covered", nil), offered(t, d, "acc-none", nil)
	later, ended := offered(t, d, "acc-later", nil), offered(t, d, "acc-ended", nil)
	ok(t, agreed(t, d, covered, nil))
	ok(t, agreed(t, d, later, func(a *sharing.Agreement) { a.NotBefore = a.NotAfter.AddDate(0, -1, 0) }))
	ok(t, agreed(t, d, ended, nil))
	got := decides(t, d, map[string]asking{
		"under the agreement": {act: authz.ActionRead, res: covered.ID, facts: assist()},
		"before its end":      {act: authz.ActionRead, res: ended.ID, facts: assist()},
		"without one":         {act: authz.ActionRead, res: none.ID, facts: assist(), code: "E06_agreement.none"},
		"another consumer":    {unit: unitB, act: authz.ActionRead, res: covered.ID, facts: assist(), code: "E06_agreement.none"},
		"before it begins":    {act: authz.ActionRead, res: later.ID, facts: assist(), code: "E06_agreement.not_yet"},
		"after its end":       {act: authz.ActionRead, res: resArchive, facts: assist(), code: "E06_agreement.expired"},
		"another item":        {act: authz.ActionRead, res: covered.ID, facts: assist("fields", []string{"income"}), code: "E06_agreement.fields"},
		"another purpose":     {act: authz.ActionRead, res: covered.ID, facts: given("purpose", purposeOther), code: "E06_agreement.purpose"},
	})
	for _, name := range []string{"under the agreement", "before its end"} {
		if ag := got[name].Event.Agreement; !strings.HasPrefix(ag, "agr-acc-") {
			t.Errorf("%s: the record names agreement %q", name, ag)
		}
	}
	_, err := d.walk.house.Sharing.TerminateAgreement(bg, "agr-"+ended.ID, "样例：协商终止", actorOf(d, d.walk.agencies[unitA]))
	ok(t, err)
	decides(t, d, map[string]asking{"once it is terminated": {act: authz.ActionRead, res: ended.ID, facts: assist(), code: "E06_agreement.terminated"}})
	if got["under the agreement"].obliged("expiry") == "" {
		t.Error("a permit under an agreement has no end")
	}
}

// 西政办发〔2014〕14号 art. 26 (1): three seals, or the agreement is none and the
// decision point knows nothing of it.
func TestX14_26c_TwoSealsBindNobody(t *testing.T) {
	d := demo(t)
	for i, parties := range [][]string{{provider, unitA}, {provider, office}, {unitA, office}, {}} {
		r := offered(t, d, fmt.Sprintf("acc-seals-%d", i), nil)
		if err := agreed(t, d, r, nil, parties...); !errors.Is(err, sharing.ErrUnsealed) {
			t.Errorf("sealed by %v: %v", parties, err)
		}
		decides(t, d, map[string]asking{"read": {act: authz.ActionRead, res: r.ID, facts: assist(), code: "E06_agreement.none"}})
	}
}

// 西政办发〔2014〕14号 art. 23: only for a purpose of the agreement; a third party
// gets something only where the provider sealed its consent to that.
func TestX14_23a_PurposeAndThirdParties(t *testing.T) {
	d := demo(t)
	plain, open := offered(t, d, "acc-plain", nil), offered(t, d, "acc-onward", nil)
	ok(t, agreed(t, d, plain, nil))
	ok(t, agreed(t, d, open, func(a *sharing.Agreement) { a.Onward = []identity.USCC{uscc(d, unitB)} }))
	to := d.walk.agencies[unitB].system.ID
	decides(t, d, map[string]asking{
		"the agreed purpose":           {act: authz.ActionRead, res: plain.ID, facts: assist()},
		"a duty, but not agreed":       {act: authz.ActionRead, res: plain.ID, facts: given("purpose", purposeOther), code: "E06_agreement.purpose"},
		"no purpose":                   {act: authz.ActionRead, res: plain.ID, code: "E06_agreement.purpose"},
		"to a third party":             {act: authz.ActionForward, res: plain.ID, facts: assist("target_system", to), code: "E11_third_party"},
		"read on a third one's system": {act: authz.ActionRead, res: plain.ID, facts: assist("target_system", to), code: "E11_third_party"},
		"kept on a third one's system": {act: authz.ActionStore, res: plain.ID, facts: assist("target_system", to), code: "E11_third_party"},
		"with the provider's consent":  {act: authz.ActionForward, res: open.ID, facts: assist("target_system", to)},
		"to one nobody consented to":   {act: authz.ActionForward, res: open.ID, facts: assist("target_system", "office-exchange"), code: "E11_third_party"},
	})
}

// 京政发〔2017〕37号 art. 18: no third party in any way; a consent of the provider
// is not even taken on file.
func TestBJ17_18_NoThirdPartyInAnyWay(t *testing.T) {
	d := demo(t)
	r := offered(t, d, "acc-bj-third", beijing(sharing.ShareConditional))
	if err := agreed(t, d, r, func(a *sharing.Agreement) { a.Onward = []identity.USCC{uscc(d, unitB)} }); !errors.Is(err, sharing.ErrInvalid) {
		t.Errorf("an agreement with a third party: %v", err)
	}
	ok(t, agreed(t, d, r, func(a *sharing.Agreement) { a.ID += "-2" }))
	to := d.walk.agencies[unitB].system.ID
	all := map[string]asking{
		"for its duty":                 {act: authz.ActionRead, res: r.ID, facts: assist()},
		"for another of its duties":    {act: authz.ActionRead, res: r.ID, facts: given("purpose", purposeOther), code: "E06_agreement.purpose"},
		"for something that is none":   {act: authz.ActionRead, res: r.ID, facts: given("purpose", "marketing"), code: "E17_purpose_not_duty"},
		"derived on the third's place": {act: authz.ActionDerive, res: r.ID, facts: assist("target_system", to), code: "E11_third_party"},
	}
	for _, act := range []authz.Action{authz.ActionForward, authz.ActionCopy, authz.ActionStore, authz.ActionRead} {
		all["third party: "+string(act)] = asking{act: act, res: r.ID, facts: assist("target_system", to), code: "E11_third_party"}
	}
	decides(t, d, all)
}

// 西政办发〔2014〕14号 art. 22: what its provider calls defective is used once the
// consumer has signed for the notice.
func TestX14_22_DefectNoticeIsSignedForFirst(t *testing.T) {
	d := demo(t)
	notice, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	flawed := func(r *sharing.Resource) { r.DefectNotice = notice }
	silent, told := offered(t, d, "acc-flawed", flawed), offered(t, d, "acc-flawed-told", flawed)
	ok(t, agreed(t, d, silent, nil))
	ok(t, agreed(t, d, told, func(a *sharing.Agreement) { a.DefectAck = notice }))
	if err := agreed(t, d, offered(t, d, "acc-flawed-other", flawed), func(a *sharing.Agreement) { a.DefectAck = other }); !errors.Is(err, sharing.ErrInvalid) {
		t.Errorf("another notice was signed for: %v", err)
	}
	decides(t, d, map[string]asking{
		"not signed for": {act: authz.ActionRead, res: silent.ID, facts: assist(), code: "E18_defect_notice"},
		"signed for":     {act: authz.ActionRead, res: told.ID, facts: assist()},
	})
}

// 市政办发〔2018〕69号 art. 25: nobody asks beyond the duties of the own unit, also
// under an agreement that names the purpose.
func TestXA18_25a_PurposeIsADuty(t *testing.T) {
	d := demo(t)
	r := offered(t, d, "acc-duty", nil)
	ok(t, agreed(t, d, r, func(a *sharing.Agreement) { a.Purposes = append(a.Purposes, "civil-registration", "marketing") }))
	all := map[string]asking{"a duty": {act: authz.ActionRead, res: r.ID, facts: assist()}}
	for i, p := range []string{"civil-registration", "marketing", "", "Social-Assistance", "social-assistance ", "social_assistance", "*", "employment-support,social-assistance"} {
		for _, act := range []authz.Action{authz.ActionRead, authz.ActionCopy} {
			all[fmt.Sprintf("%d %s for %q", i, act, p)] = asking{act: act, res: r.ID, facts: given("purpose", p, "target_system", "social-security"), code: "E17_purpose_not_duty"}
		}
	}
	for name, got := range decides(t, d, all) {
		if got.Event.Purpose != all[name].facts["purpose"] {
			t.Errorf("%s: recorded for %q", name, got.Event.Purpose)
		}
	}
}
