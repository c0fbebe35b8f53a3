package authz

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// The sealed guard and the core state one law twice. Requests near to a lawful
// one, with up to three random changes, must get the same lattice codes from
// both, and what both permit must keep the law in plain numbers.
func TestGuardAndCoreAgree(t *testing.T) {
	n := 4000
	if testing.Short() {
		n = 500
	}
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	rng := rand.New(rand.NewPCG(11, 30))
	permitted, seen := 0, map[string]int{}
	for i := range n {
		r, snap := nearLawful(rng, m)
		v := newView(r, snap, m.Now)
		sealed := latticeCodes(codesOf(p.judgeLevel(v), guardLevel))
		core := codesOf(readCore(evaluate(t.Context(), p.core, p.input.build(v), time.Minute)), guardCore)
		if slices.Contains(core, codeError) || !slices.Equal(sealed, latticeCodes(core)) {
			t.Fatalf("%d: guard %v, core %v\n%+v\n%+v", i, sealed, core, r, snap)
		}
		for _, c := range sealed {
			seen[c]++
		}
		if len(sealed)+len(core) == 0 {
			permitted++
			lowered(t, r, snap)
		}
	}
	t.Logf("%d requests, %d permitted, 0 differences, codes %v", n, permitted, seen)
	if permitted < n/20 || len(seen) < 6 {
		t.Fatal("the generator does not reach the law")
	}
}

// lowered is the law without Join, Dominates or Carries.
func lowered(t *testing.T, r Request, s Snapshot) {
	t.Helper()
	items := append([]Item{*s.Item}, s.Sources...)
	if r.Action == ActionRegrade {
		items = s.Holdings
	}
	for _, it := range items {
		l := it.Resource.Label
		bad := false
		if out := r.TargetLabel; out != nil && r.Action != ActionRegrade {
			bad = out.Level < l.Level || out.RequiredS < l.RequiredS || out.RequiredA < l.RequiredA
		}
		if r.Target != "" && r.Action != ActionPublish && r.Action != ActionRegrade {
			g := s.Target.Grading.Grade
			bad = bad || g.S < l.RequiredS || g.A < l.RequiredA
		}
		if r.Action == ActionRegrade {
			bad = r.NewGrade.S < l.RequiredS || r.NewGrade.A < l.RequiredA
		}
		if bad {
			t.Fatalf("permitted, but lowers %v: %+v", l, r)
		}
	}
}

func nearLawful(rng *rand.Rand, m *memory) (Request, Snapshot) {
	actions := []Action{ActionRead, ActionCopy, ActionDerive, ActionMerge, ActionRelabel, ActionForward, ActionStore, ActionPublish, ActionCarry, ActionRegrade}
	label := func() level.Label {
		tags := []level.Tag{level.TagPersonal, level.TagSensitive, level.Category("tax"), level.TagAnyCategory, level.TagPublicDisclosure}
		rng.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
		l, err := level.New(level.Level(1+rng.IntN(3)), uint8(1+rng.IntN(3)), uint8(1+rng.IntN(3)), tags[:rng.IntN(3)]...)
		if err != nil {
			panic(err)
		}
		return l
	}
	party := func(id string, agency identity.USCC) *Party {
		return &Party{
			System: identity.System{ID: id, Agency: agency}, Agency: m.AgencyByID[string(agency)],
			Grading: &grading.Record{System: id, State: grading.StateCertified, Grade: level.Grade{S: 3, A: 3}},
		}
	}
	item := func(id string) Item {
		res := m.ResourceByID["low-income"]
		res.ID, res.Label = id, label()
		return Item{Resource: res}
	}
	r := Request{
		SubjectType: SubjectSystem, SubjectID: "s", Action: actions[rng.IntN(len(actions))], Resource: "r",
		Target: "t", Carriers: []string{"c"}, Purpose: "relief",
	}
	first := item("r")
	s := Snapshot{Subject: party("s", "A"), Target: party("t", "A"), Carriers: []Party{*party("c", "O")}, Item: &first}
	if rng.IntN(2) == 0 {
		r.Sources, s.Sources = []string{"r2"}, []Item{item("r2")}
	}
	for _, id := range []string{"r", "r2"} {
		a := m.AgreementByID["ag-a"]
		a.ID, a.Resource, a.Purposes = "ag-"+id, id, []string{"relief", PurposePublish}
		s.Agreements = append(s.Agreements, a)
	}
	if rng.IntN(3) > 0 { // a lawful label: the join, sometimes raised
		out := []level.Label{first.Label()}
		for _, it := range s.Sources {
			out = append(out, it.Label())
		}
		l := level.Join(out...)
		r.TargetLabel = &l
	}
	if r.Action == ActionRegrade {
		r.NewGrade, s.Holdings = &level.Grade{S: 3, A: 3}, []Item{item("h1"), item("h2")}
	}
	for range rng.IntN(4) {
		mutate(rng, &r, &s, label)
	}
	return r, s
}

// mutate changes one thing that the lattice, or the consent to publish, rests on.
func mutate(rng *rand.Rand, r *Request, s *Snapshot, label func() level.Label) {
	grade := level.Grade{S: uint8(rng.IntN(4)), A: uint8(rng.IntN(4))}
	switch rng.IntN(14) {
	case 0:
		l := label()
		r.TargetLabel = &l
	case 1:
		r.TargetLabel = &level.Label{Level: 4}
	case 2:
		r.TargetLabel = nil
	case 3:
		s.Item.Resource.Label = label()
	case 4:
		s.Item.Resource.Label = level.Label{}
	case 5:
		s.Subject.Grading.Grade = grade
	case 6:
		s.Target.Grading.Grade = grade
	case 7:
		s.Carriers[0].Grading.Grade = grade
	case 8:
		r.NewGrade = &grade
	case 9:
		r.NewGrade = nil
	case 10:
		r.Target = ""
	case 11:
		s.Agreements[0].Purposes = []string{"relief"}
	case 12:
		r.SubjectType = SubjectPerson
	case 13:
		s.Item.Holding = &sharing.Holding{ID: "r", Agency: "A", Label: label()}
	}
}
