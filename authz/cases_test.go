package authz

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/policies"
)

// ruleCase is one case of policies/cases.
type ruleCase struct {
	Title   string         `yaml:"title"`
	Clause  string         `yaml:"clause"`
	Facts   map[string]any `yaml:"facts"`
	Request struct {
		Subject  string   `yaml:"subject"`
		Person   string   `yaml:"person"`
		Action   string   `yaml:"action"`
		Resource string   `yaml:"resource"`
		Target   string   `yaml:"target"`
		Label    string   `yaml:"label"`
		Sources  []string `yaml:"sources"`
		Carriers []string `yaml:"carriers"`
		Purpose  string   `yaml:"purpose"`
		Fields   []string `yaml:"fields"`
		Grade    string   `yaml:"grade"`
		CitedIn  string   `yaml:"cited_in"`
	} `yaml:"request"`
	Allow bool     `yaml:"allow"`
	Deny  []string `yaml:"deny"`
	Label string   `yaml:"label"` // that a permit obliges to stamp
}

func (c ruleCase) request(t testing.TB) Request {
	t.Helper()
	q := c.Request
	r := Request{
		SubjectType: SubjectSystem, SubjectID: q.Subject, Action: Action(q.Action), Resource: q.Resource, Target: q.Target,
		Sources: q.Sources, Carriers: q.Carriers, Purpose: q.Purpose, Fields: q.Fields, CitedIn: q.CitedIn,
	}
	if q.Person != "" {
		r.SubjectType, r.SubjectID = SubjectPerson, q.Person
	}
	if q.Label != "" {
		l, err := level.Parse(q.Label)
		if err != nil {
			t.Fatal(err)
		}
		r.TargetLabel = &l
	}
	if q.Grade != "" {
		r.NewGrade = &level.Grade{S: q.Grade[1] - '0', A: q.Grade[3] - '0'}
	}
	return r
}

// lawCodes are those of the core. What was agreed with a peer domain is no law: the
// sealed guard alone keeps it.
func (c ruleCase) lawCodes() []string {
	return slices.DeleteFunc(slices.Clone(c.Deny), func(code string) bool { return code == level.CodePeerLevel || code == codePeerAct })
}

func allCases(t testing.TB) map[string]ruleCase {
	t.Helper()
	names, err := fs.Glob(policies.Files(), "cases/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]ruleCase{}
	for _, name := range names {
		if path.Base(name) == "world.yaml" {
			continue
		}
		var cases []ruleCase
		readYAML(t, name, &cases)
		for _, c := range cases {
			key := c.Clause + " " + c.Title
			if _, twice := out[key]; twice {
				t.Fatalf("case %q stands twice", key)
			}
			out[key] = c
		}
	}
	return out
}

func codesOf(fs []finding, guards ...string) []string {
	var out []string
	for _, f := range fs {
		if slices.Contains(guards, f.guard) {
			out = append(out, f.code)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// latticeCodes are those that the sealed guard and the core must agree on.
func latticeCodes(codes []string) []string {
	return slices.DeleteFunc(slices.Clone(codes), func(c string) bool {
		return !slices.Contains([]string{
			level.CodeUnknownAction, level.CodeSystemGrade, level.CodeLabelLowered, level.CodeTargetSystem,
			level.CodeCarrier, level.CodeBelowHoldings, level.CodePublish,
		}, c)
	})
}

// Every case through the whole decision point and through each guard alone.
func TestCases(t *testing.T) {
	cases := allCases(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := newWorld(t, c.Facts)
			p, b := newPDP(t, m, nil)
			r := c.request(t)
			d, err := p.Decide(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, reason := range d.Reasons {
				got = append(got, reason.Code)
			}
			got = slices.Compact(got)
			if d.Allow != c.Allow || !slices.Equal(got, c.Deny) {
				t.Fatalf("allow %v, reasons %v; want allow %v, %v\n%+v", d.Allow, got, c.Allow, c.Deny, d.Reasons)
			}
			if len(b.events) != 1 || b.events[0].ID != d.ID || !slices.Equal(b.events[0].Reasons, got) {
				t.Fatalf("ledger: %+v", b.events)
			}
			if c.Label != "" && !slices.Contains(d.Obligations, Obligation{ObligeLabel, c.Label}) {
				t.Fatalf("obligations %v", d.Obligations)
			}
			r = normalise(r)
			snap, err := p.facts.Load(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			v := newView(r, snap, m.Now)
			sealed := codesOf(p.judgeLevel(v), guardLevel)
			core := codesOf(readCore(evaluate(t.Context(), p.core, p.input.build(v), p.timeout)), guardCore)
			if !slices.Equal(core, c.lawCodes()) {
				t.Errorf("the core alone says %v", core)
			}
			if !slices.Equal(latticeCodes(sealed), latticeCodes(c.Deny)) {
				t.Errorf("the sealed guard alone says %v", sealed)
			}
			if site := readSite(evaluate(t.Context(), p.site, p.input.build(v), p.timeout)); site != nil {
				t.Errorf("the default site policy says %v", site)
			}
		})
	}
}

// Every rule of the core says its title, clause and code; the code is that of
// its head, its clause stands in the table, and some case exercises it.
func TestCoreRulesAreAnnotated(t *testing.T) {
	mods, _, err := coreModules(policies.Files(), sandbox.Capabilities())
	if err != nil {
		t.Fatal(err)
	}
	table, err := loadTable(policies.Files())
	if err != nil {
		t.Fatal(err)
	}
	exercised := map[string]bool{codeError: true}
	for _, c := range allCases(t) {
		for _, code := range c.Deny {
			exercised[code] = true
		}
	}
	rules := 0
	for _, m := range mods {
		for _, r := range m.Rules {
			name := r.Head.Ref()[0].String()
			if r.Head.Key == nil {
				continue
			}
			if _, is := r.Head.Key.Value.(ast.Object); !is || name != "deny" && name != "fault" {
				continue
			}
			rules++
			at := r.Location.File + ":" + r.Location.String()
			if len(r.Annotations) != 1 || r.Annotations[0].Title == "" {
				t.Errorf("%s: no METADATA", at)
				continue
			}
			code, _ := r.Annotations[0].Custom["code"].(string)
			clause, _ := r.Annotations[0].Custom["clause"].(string)
			head, err := ast.ValueToInterface(r.Head.Key.Value.(ast.Object).Get(ast.StringTerm("code")).Value, nil)
			if err != nil || head != code {
				t.Errorf("%s: metadata says %s, head says %v", at, code, head)
			}
			if !slices.Contains(table[code].Clauses, clause) {
				t.Errorf("%s: clause %s is not among %v of %s", at, clause, table[code].Clauses, code)
			}
			if !exercised[code] {
				t.Errorf("%s: no case exercises %s", at, code)
			}
		}
	}
	if rules < 30 {
		t.Fatalf("only %d rules", rules)
	}
	for code := range table {
		if !exercised[code] && !strings.HasPrefix(code, "E9") && code != codeMalformed {
			t.Errorf("no case exercises %s", code)
		}
	}
}
