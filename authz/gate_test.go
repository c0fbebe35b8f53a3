package authz

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const siteHead = "package yinxin.site\n\ndefault out := \"permit\"\n\n"

// Known attacks and mistakes: each is refused with its rule and its line.
func TestGateRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		src, rule string
		line      int
	}{
		"in the core's package":  {"package yinxin.core\n\ndefault out := \"permit\"\n", "authz.gate.package", 1},
		"in the room's package":  {"package authz\n\ndefault out := \"permit\"\n", "authz.gate.package", 1},
		"in a sub-package":       {"package yinxin.site.deep\n\ndefault out := \"permit\"\n", "authz.gate.package", 1},
		"with":                   {siteHead + "x if input.a with input.a as true\n", "authz.gate.with", 5},
		"with on data":           {siteHead + "x if input.a with data.yinxin.core as {}\n", "authz.gate.data", 5},
		"reads the core":         {siteHead + "x if data.yinxin.core.deny\n", "authz.gate.data", 5},
		"computed path":          {siteHead + "x if data.yinxin[input.x]\n", "authz.gate.data", 5},
		"the whole of data":      {siteHead + "x if {\n\ty := data\n\ty.yinxin\n}\n", "authz.gate.data", 5},
		"its own path":           {siteHead + "x if data.yinxin.site.out == \"permit\"\n", "authz.gate.data", 5},
		"imports the core":       {"package yinxin.site\n\nimport data.yinxin.core\n\ndefault out := \"permit\"\n", "authz.gate.import", 3},
		"imports under an alias": {"package yinxin.site\n\nimport data.yinxin as input2\n\ndefault out := \"permit\"\n", "authz.gate.import", 3},
		"rego.v2":                {"package yinxin.site\n\nimport rego.v2\n\ndefault out := \"permit\"\n", "", 0},
		"http.send":              {siteHead + "x if http.send({\"method\": \"get\", \"url\": \"http://a\"})\n", "authz.gate.builtin", 5},
		"clock":                  {siteHead + "x if time.now_ns() > 1\n", "authz.gate.builtin", 5},
		"process":                {siteHead + "x if opa.runtime().env.HOME\n", "", 5},
		"generator":              {siteHead + "x if count(numbers.range(1, 1000000000)) > 1\n", "authz.gate.builtin", 5},
		"regular expression":     {siteHead + "x if regex.match(\"a\", input.action)\n", "authz.gate.builtin", 5},
		"its own metadata":       {siteHead + "x := rego.metadata.rule()\n", "", 5},
		"order of types":         {siteHead + "out := \"deny\" if input.sources[0].level >= \"1\"\n", "authz.gate.order", 5},
		"order of types, nested": {siteHead + "x := count([1 | input.now < []])\n", "authz.gate.order", 5},
		"v0 syntax":              {siteHead + "allow { input.a }\n", "authz.gate.parse", 5},
		"no syntax":              {"package yinxin.site\n)", "authz.gate.parse", 2},
		"empty":                  {"", "authz.gate.parse", 1},
		"no result":              {"package yinxin.site\n\nx := 1\n", "authz.gate.out", 1},
		"no default":             {"package yinxin.site\n\nout := \"permit\"\n", "authz.gate.out", 1},
		"a set of results":       {siteHead + "out contains \"permit\" if input.a\n", "", 0},
		"an object of results":   {siteHead + "out.x := \"permit\"\n", "", 0},
		"recursion":              {siteHead + "x if y\n\ny if x\n", "authz.gate.compile", 5},
		"undefined function":     {siteHead + "x if f(1)\n", "authz.gate.builtin", 5},
		"template string":        {siteHead + "x := $\"{input.a}\"\n", "authz.gate.parse", 5},
		"too large":              {siteHead + strings.Repeat("# x\n", siteMax/4), "authz.gate.size", 1},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckSite("mine.rego", []byte(tc.src))
			var refused *GateError
			if !errors.As(err, &refused) || len(refused.Findings) == 0 {
				t.Fatalf("accepted: %v", err)
			}
			f := refused.Findings[0]
			if f.File != "mine.rego" || f.Line < 1 || tc.rule != "" && f.Rule != tc.rule || tc.line != 0 && f.Line != tc.line {
				t.Fatalf("%+v", refused.Findings)
			}
		})
	}
}

// What officers write passes, and can only narrow.
func TestSitePolicies(t *testing.T) {
	lawful := ruleCase{}
	lawful.Request.Subject, lawful.Request.Action = "civil-a", "read"
	lawful.Request.Resource, lawful.Request.Purpose = "low-income", "relief"
	for name, tc := range map[string]struct {
		rules string
		want  string // "" permits
	}{
		"nothing":           {"", ""},
		"not this":          {"out := \"deny\" if input.action == \"copy\"\n", ""},
		"this":              {"out := \"deny\" if input.action == \"read\"\n", codeSiteDenied},
		"local function":    {"f(x) if x == \"relief\"\n\nout := \"deny\" if f(input.purpose)\n", codeSiteDenied},
		"every and some":    {"out := \"deny\" if {\n\tsome s in input.sources\n\tevery t in s.tags {\n\t\tt != \"x\"\n\t}\n}\n", codeSiteDenied},
		"else chain":        {"out := \"permit\" if input.now < 0 else := \"deny\"\n", codeSiteDenied},
		"abstain":           {"out := \"abstain\" if true\n", codeSiteDenied},
		"a number":          {"out := 1 if true\n", codeSiteError},
		"true is no permit": {"out := true if true\n", codeSiteError},
		"permit in a list":  {"out := [\"permit\"] if true\n", codeSiteError},
		"two answers":       {"out := \"deny\" if true\n\nout := \"abstain\" if true\n", codeSiteError},
		"builtin error":     {"out := \"permit\" if count(input.now) == 1\n", codeSiteError},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tryPDP(t, newWorld(t, nil), []byte(siteHead+tc.rules))
			var refused *GateError
			if errors.As(err, &refused) && tc.want == codeSiteError {
				return // refused even earlier, by the compiler's types
			}
			if err != nil {
				t.Fatal(err)
			}
			d, err := p.Decide(t.Context(), lawful.request(t))
			if err != nil || d.Allow != (tc.want == "") || !d.Allow && (len(d.Reasons) != 1 || d.Reasons[0].Code != tc.want) {
				t.Fatalf("%v %+v", err, d)
			}
		})
	}
}

// However loudly the site permits, what the law refuses stays refused for the
// same reasons.
func TestSiteCannotRaise(t *testing.T) {
	loud := []byte(siteHead + "deny := set()\n\ndominates(_, _) := true\n\nallow := true\n\nout := \"permit\" if true\n")
	p, err := tryPDP(t, newWorld(t, nil), loud)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range allCases(t) {
		m := newWorld(t, c.Facts)
		p.facts = NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m})
		d, err := p.Decide(t.Context(), c.request(t))
		if err != nil || d.Allow != c.Allow {
			t.Errorf("%s: %v %v", name, d.Allow, err)
		}
	}
}

// A policy that never ends is stopped and is a refusal.
func TestRunawaySiteIsStopped(t *testing.T) {
	digits := "d := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n\n"
	loop := "out := \"deny\" if {\n\tsome a in d\n\tsome b in d\n\tsome c in d\n\tsome e in d\n\tsome f in d\n\tsome g in d\n\tsome h in d\n\tsome i in d\n" +
		"\ta + b + c + e + f + g + h + i == 1000\n}\n"
	m := newWorld(t, nil)
	p, err := tryPDP(t, m, []byte(siteHead+digits+loop))
	if err != nil {
		t.Fatal(err)
	}
	p.timeout = 50 * time.Millisecond
	r := Request{SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionRead, Resource: "low-income", Purpose: "relief"}
	d, err := p.Decide(t.Context(), r)
	if err != nil || d.Allow || len(d.Reasons) != 1 || d.Reasons[0].Code != codeSiteError || !strings.Contains(d.Reasons[0].Detail, "time limit") {
		t.Fatalf("%v %+v", err, d.Reasons)
	}
}

func tryPDP(t *testing.T, m *memory, site []byte) (*PDP, error) {
	t.Helper()
	return New(t.Context(), Config{
		Facts:    NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m}),
		Recorder: &book{}, Site: site, Now: func() time.Time { return m.Now },
	})
}

func FuzzCheckSite(f *testing.F) {
	f.Add(siteHead + "out := \"deny\" if input.action == \"copy\"\n")
	f.Add("package yinxin.core\n")
	f.Fuzz(func(t *testing.T, src string) {
		err := CheckSite("f.rego", []byte(src))
		var refused *GateError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%T %v", err, err)
		}
	})
}
