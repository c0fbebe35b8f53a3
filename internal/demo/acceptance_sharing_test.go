package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// 西政办发〔2014〕14号 art. 14, 15: only what the catalogue lists is used, asked in
// the form of AuthZEN or of OPA.
func TestX14_14_OnlyWhatTheCatalogueLists(t *testing.T) {
	d := demo(t)
	decides(t, d, map[string]asking{
		"an unknown resource":  {act: authz.ActionRead, res: "acc-nowhere", facts: assist(), code: "E01_unknown_resource"},
		"an unknown copy":      {act: authz.ActionRead, res: "acc-no-copy", kind: "holding", facts: assist(), code: "E01_unknown_resource"},
		"one of two sources":   {act: authz.ActionMerge, res: resNotice, facts: assist("target_system", "social-security", "sources", []string{resNotice, "acc-nowhere"}), code: "E01_unknown_resource"},
		"an unknown item":      {act: authz.ActionRead, res: resNotice, facts: assist("fields", []string{"name", "blood_type"}), code: "E08_unknown_field"},
		"what is listed there": {act: authz.ActionRead, res: resNotice, facts: assist("fields", []string{"name"})},
	})
	status, out := curl(t, d, "social-security", "-H", "Content-Type: application/json", "-d",
		`{"input":{"subject_type":"system","subject_id":"social-security","action":"read","resource":"acc-nowhere","purpose":"`+purposeAssist+`"}}`, d.Manifest.URL+"/v1/data/yinxin/decision")
	var opa struct {
		Result struct {
			Allow bool     `json:"allow"`
			Codes []string `json:"reason_codes"`
		} `json:"result"`
	}
	ok(t, json.Unmarshal([]byte(out), &opa))
	if status != "200" || opa.Result.Allow || !slices.Contains(opa.Result.Codes, "E01_unknown_resource") {
		t.Errorf("in the form of OPA: %s %s", status, out)
	}
}

// 西政办发〔2014〕14号 art. 24 (1): shared proactively means for every unit, without
// an agreement, and on the ledger all the same.
func TestX14_24a_ProactiveNeedsNoAgreement(t *testing.T) {
	d := demo(t)
	open := offered(t, d, "acc-open", func(r *sharing.Resource) { r.ShareType, r.Basis = sharing.ShareProactive, "" })
	closed := offered(t, d, "acc-on-application", nil)
	got := decides(t, d, map[string]asking{
		"a unit":                         {act: authz.ActionRead, res: open.ID, facts: assist()},
		"another unit":                   {unit: unitB, act: authz.ActionRead, res: open.ID, facts: assist()},
		"the information office":         {unit: office, act: authz.ActionRead, res: open.ID, facts: given("purpose", "information-coordination")},
		"on application, without one":    {act: authz.ActionRead, res: closed.ID, facts: assist(), code: "E06_agreement.none"},
		"also proactively for duties":    {act: authz.ActionRead, res: open.ID, facts: given("purpose", "marketing"), code: "E17_purpose_not_duty"},
		"and never on too low a system":  {act: authz.ActionCopy, res: resNotice, unit: unitB, facts: assist("target_system", "street-service"), code: "E12_target_system"},
		"not handed on to a third party": {act: authz.ActionForward, res: open.ID, facts: assist("target_system", "street-service"), code: "E11_third_party"},
	})
	for _, name := range []string{"a unit", "another unit", "the information office"} {
		if e := got[name].Event; e.Agreement != "" || e.Decision != "allow" {
			t.Errorf("%s: %s under %q", name, e.Decision, e.Agreement)
		}
	}
}

// 京政发〔2017〕37号 art. 16: three types; what is not shared has its legal basis
// and is for the provider alone.
func TestBJ17_16_ThreeSharingTypes(t *testing.T) {
	d := demo(t)
	free, terms := offered(t, d, "acc-bj-free", beijing(sharing.ShareUnconditional)), offered(t, d, "acc-bj-terms", beijing(sharing.ShareConditional))
	never := offered(t, d, "acc-bj-never", beijing(sharing.ShareNotShared))
	if _, err := registered(d, "acc-bj-no-basis", func(r *sharing.Resource) { beijing(sharing.ShareNotShared)(r); r.Basis = " " }); !errors.Is(err, sharing.ErrBasis) {
		t.Errorf("not shared, without a basis: %v", err)
	}
	for name, change := range map[string]func(*sharing.Resource){
		"a type of the other rules":  beijing(sharing.ShareProactive),
		"the other way round":        func(r *sharing.Resource) { r.ShareType = sharing.ShareUnconditional },
		"a type that nobody knows":   beijing("sometimes"),
		"a regime that nobody knows": func(r *sharing.Resource) { r.Regime = "elsewhere" },
	} {
		if _, err := registered(d, "acc-bj-type", change); !errors.Is(err, sharing.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := agreed(t, d, never, nil); !errors.Is(err, sharing.ErrInvalid) {
		t.Errorf("an agreement on what is not shared: %v", err)
	}
	ok(t, agreed(t, d, terms, nil))
	decides(t, d, map[string]asking{
		"unconditional":               {unit: unitB, act: authz.ActionRead, res: free.ID, facts: assist()},
		"conditional, agreed":         {act: authz.ActionRead, res: terms.ID, facts: assist()},
		"conditional, not agreed":     {unit: unitB, act: authz.ActionRead, res: terms.ID, facts: assist(), code: "E06_agreement.none"},
		"not shared":                  {act: authz.ActionRead, res: never.ID, facts: assist(), code: "E05_not_shared"},
		"not shared, handed over":     {unit: provider, act: authz.ActionForward, res: never.ID, facts: assist("target_system", "social-security"), code: "E05_not_shared"},
		"not shared, by the provider": {unit: provider, act: authz.ActionRead, res: never.ID, facts: assist()},
	})
}

// 西政办发〔2014〕14号 art. 31: sensitive information needs a confidentiality
// agreement in force, whatever its sharing type; state secrets never come in
// (密码法 art. 8; 京政发〔2017〕37号 art. 3; 市政办发〔2018〕69号 art. 31).
func TestX14_31_XA18_31_BJ17_03_ConfidentialityAndStateSecrets(t *testing.T) {
	d := demo(t)
	all := map[string]asking{}
	for i, tag := range []level.Tag{level.TagBusinessSecret, level.TagPersonal, level.TagSensitive} {
		bare, kept := offered(t, d, fmt.Sprintf("acc-bare-%d", i), tagged(tag)), offered(t, d, fmt.Sprintf("acc-kept-%d", i), tagged(tag))
		ok(t, agreed(t, d, bare, nil))
		ok(t, agreed(t, d, kept, confidential))
		all[string(tag)+", agreement without confidentiality"] = asking{act: authz.ActionRead, res: bare.ID, facts: assist(), code: "E15_confidentiality"}
		all[string(tag)+", with it"] = asking{act: authz.ActionRead, res: kept.ID, facts: assist()}
	}
	free := offered(t, d, "acc-bj-personal", func(r *sharing.Resource) { beijing(sharing.ShareUnconditional)(r); tagged(level.TagPersonal)(r) })
	all["unconditional, but personal"] = asking{act: authz.ActionRead, res: free.ID, facts: assist(), code: "E15_confidentiality"}
	decides(t, d, all)

	for _, mark := range []level.Tag{"秘密", "机密", "绝密", "国家秘密", "state_secret", "top_secret"} {
		if _, err := registered(d, "acc-secret", tagged(mark)); !errors.Is(err, level.ErrStateSecret) {
			t.Errorf("tag %s: %v", mark, err)
		}
	}
	for _, name := range []string{"机密★10年 名单", "绝密"} {
		if _, err := registered(d, "acc-secret", func(r *sharing.Resource) { r.Name = name }); !errors.Is(err, level.ErrStateSecret) {
			t.Errorf("named %s: %v", name, err)
		}
	}
	marked := line(d, 77, map[string]string{"安全标识": "L4/S5A5[机密]"})
	if status, got := imports(t, d, false, marked); status != "422 state_secret" || got.Done || len(got.Wrong) != 1 || got.Wrong[0].Line != 2 {
		t.Errorf("imported: %s %+v", status, got)
	}
	m := d.Manifest
	told := sh(t, d.bin+" catalogue import "+quote(catalogueFile(t, marked))+" --json --why x --url "+m.URL+" --root "+quote(filepath.Join(d.dir, m.Anchors.ECDSARoot))+
		" --sm2-root "+quote(filepath.Join(d.dir, m.Anchors.SM2Root))+" --dir "+quote(filepath.Join(d.dir, m.Systems["civil-affairs"].Dir))+"; test $? = 1")
	var cli wire.Imported
	if err := json.Unmarshal([]byte(told), &cli); err != nil || len(cli.Wrong) != 1 || cli.Wrong[0].Code != sharing.LineStateSecret {
		t.Errorf("by the command line: %v %s", err, told)
	}
	decides(t, d, map[string]asking{"a state secret is no resource": {act: authz.ActionRead, res: "acc-secret", facts: assist(), code: "E01_unknown_resource"}})
}

// 市政办发〔2018〕69号 art. 25: nothing is published without the provider's consent,
// but what is in the scope of disclosure.
func TestXA18_25b_PublishNeedsTheProvider(t *testing.T) {
	d := demo(t)
	quiet, consented := offered(t, d, "acc-quiet", nil), offered(t, d, "acc-consented", nil)
	public := offered(t, d, "acc-public", func(r *sharing.Resource) { r.Label = label(1, 1, 1, level.TagPublicDisclosure) })
	ok(t, agreed(t, d, quiet, nil))
	ok(t, agreed(t, d, consented, func(a *sharing.Agreement) { a.Purposes = append(a.Purposes, "publish") }))
	ok(t, agreed(t, d, public, nil))
	decides(t, d, map[string]asking{
		"without consent":            {act: authz.ActionPublish, res: quiet.ID, facts: assist(), code: "E16_publish"},
		"with consent":               {act: authz.ActionPublish, res: consented.ID, facts: assist()},
		"in the scope of disclosure": {act: authz.ActionPublish, res: public.ID, facts: assist()},
		"merged with one that is not": {act: authz.ActionPublish, res: public.ID, facts: assist("sources", []string{public.ID, quiet.ID}),
			code: "E16_publish"},
	})
}

// 西政办发〔2011〕8号 art. 25, 京政发〔2017〕37号 art. 28: personal items come only
// for a purpose that was agreed and only the agreed ones; each answer is on the
// ledger and comes out the same when it is replayed.
func TestX11_25_BJ17_28_PersonalItemsForTheAgreedPurpose(t *testing.T) {
	d := demo(t)
	r := offered(t, d, "acc-people", tagged(level.TagPersonal, level.TagLegalPerson))
	ok(t, agreed(t, d, r, confidential))
	copyFacts := assist("target_system", "social-security")
	all := map[string]asking{
		"one item":          {act: authz.ActionRead, res: r.ID, facts: assist("fields", []string{"name"})},
		"whatever there is": {act: authz.ActionCopy, res: r.ID, facts: copyFacts},
		"an item beyond":    {act: authz.ActionRead, res: r.ID, facts: assist("fields", []string{"name", "income"}), code: "E06_agreement.fields"},
		"no purpose":        {act: authz.ActionRead, res: r.ID, facts: given("fields", []string{"name"}), code: "E17_purpose_not_duty"},
		"another purpose":   {act: authz.ActionRead, res: r.ID, facts: given("purpose", purposeOther, "fields", []string{"name"}), code: "E06_agreement.purpose"},
	}
	got := decides(t, d, all)
	if f := got["one item"].obliged("fields"); f != "name" {
		t.Errorf("one item: hand out %q", f)
	}
	whole := got["whatever there is"]
	if f := whole.obliged("fields"); f != "address,name" {
		t.Errorf("whatever there is: hand out %q", f)
	}
	if l := whole.obliged("label"); !holds(l, "personal") || !holds(l, "legal_person") {
		t.Errorf("the copy is labelled %q", l)
	}
	replays(t, d, got)

	tags := func(r *sharing.Resource) {
		tagged(level.TagPersonal, level.TagLegalPerson)(r)
		r.ItemTags = []sharing.ItemTag{
			{Item: "address", Tags: []level.Tag{level.TagPersonal}, Mask: sharing.MaskHidden}, {Item: "income", Tags: []level.Tag{level.TagLegalPerson, level.TagPersonal}, Mask: sharing.MaskPartial},
		}
	}
	if _, err := registered(d, "acc-below", func(r *sharing.Resource) { tags(r); tagged(level.TagPersonal)(r) }); !errors.Is(err, sharing.ErrLowered) {
		t.Errorf("a label without the tag of an item: %v", err)
	}
	m := offered(t, d, "acc-masked", tags)
	ok(t, agreed(t, d, m, confidential))
	got = decides(t, d, map[string]asking{
		"agreed":          {act: authz.ActionRead, res: m.ID, facts: assist("fields", []string{"name", "address"})},
		"beyond":          {act: authz.ActionRead, res: m.ID, facts: assist("fields", []string{"name", "income"})},
		"another purpose": {act: authz.ActionRead, res: m.ID, facts: given("purpose", purposeOther, "fields", []string{"income"}), code: "E06_agreement.purpose"},
	})
	if f := got["agreed"].obliged("mask"); f != "" {
		t.Errorf("the agreed items are masked: %q", f)
	}
	if f := got["beyond"].obliged("mask"); f != "partial income" {
		t.Errorf("an item beyond the agreement: %q", f)
	}
	replays(t, d, got)

	assessed := func(number int, pia string) string {
		return line(d, number, map[string]string{"适用规则": "beijing-2017", "共享类型": "unconditional", "安全标识": "L2/S2A2[personal]", "信息项标识": "name:hash[personal]", "个人信息影响评估": pia})
	}
	if status, got := imports(t, d, false, assessed(280, "")); status != "422 catalogue.lines" || len(got.Wrong) != 1 || got.Wrong[0].Code != sharing.LinePIA {
		t.Errorf("without an impact assessment: %s %+v", status, got)
	}
	if status, got := imports(t, d, false, assessed(280, "样例评估 1 号")); status != "200" || !got.Done {
		t.Errorf("with its impact assessment: %s %+v", status, got)
	}
}

// 市政办发〔2018〕69号 art. 22, 京政发〔2017〕37号 art. 26: every system is known by one
// issuer. It draws a token with its certificate, asks with both, and is counted.
func TestXA18_22_BJ17_26a_OneIssuerForAllSystems(t *testing.T) {
	d := demo(t)
	w := d.walk
	for _, key := range []string{office, provider, unitA, unitB} {
		sys := w.agencies[key].system.ID
		status, out := curl(t, d, sys, "-d", "grant_type=client_credentials&scope=decide", d.Manifest.URL+"/oauth/token")
		var drawn struct {
			Token string `json:"access_token"`
			Type  string `json:"token_type"`
		}
		if err := json.Unmarshal([]byte(out), &drawn); err != nil || status != "200" || drawn.Token == "" {
			t.Fatalf("%s: %s %s", sys, status, out)
		}
		q := ask(sys, "read", "resource", resNotice, `{"purpose":"`+purposeAssist+`"}`)
		with := func(as string) (string, string) {
			return curl(t, d, as, "-H", "Authorization: Bearer "+drawn.Token, "-H", "Content-Type: application/json", "-d", q, d.Manifest.AuthZEN)
		}
		if status, out := with(sys); status != "200" || !strings.Contains(out, `"decision":`) {
			t.Errorf("%s with its token: %s %s", sys, status, out)
		}
		for _, as := range []string{"civil-affairs", "street-service", ""} {
			if as == sys {
				continue
			}
			if status, _ := with(as); status != "401" {
				t.Errorf("the token of %s with the certificate of %q: %s", sys, as, status)
			}
		}
	}
	seen, err := w.house.Desk.Statistics(bg, console.Person{ID: w.auditor, Unit: string(uscc(d, office))}, "")
	ok(t, err)
	if c := seen.Report.Coverage; c.Registered < 4 || c.Connected < 4 || c.Registered != c.Connected+len(c.Missing) {
		t.Errorf("coverage %+v", c)
	}
}
