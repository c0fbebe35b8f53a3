package level

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func label(t *testing.T, lv Level, s, a uint8, tags ...Tag) Label {
	t.Helper()
	l, err := New(lv, s, a, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func codes(fs []Finding) []string {
	var out []string
	for _, f := range fs {
		if !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	slices.Sort(out)
	return out
}

// The adversarial set of X11-30 and X14-30, each refused for its own reason.
func TestGuardRefuses(t *testing.T) {
	l3 := label(t, 3, 3, 3, TagPersonal)
	l2 := label(t, 2, 2, 2)
	l2p := label(t, 2, 3, 3, TagPersonal)
	noTag := label(t, 3, 3, 3)
	mixed := label(t, 3, 2, 4, TagPersonal)
	pop := label(t, 2, 2, 2, Category("population"))
	popped := label(t, 4, 5, 5, append(slices.DeleteFunc(Strictest().Tags, Tag.IsCategory), Category("population"))...)
	raised := label(t, 4, 4, 4, TagPersonal)
	bad := Label{Level: 9, RequiredS: 3, RequiredA: 3}
	s3, s2 := &Place{"civil-a", Grade{3, 3}}, &Place{"civil-b", Grade{2, 2}}
	s3a2 := &Place{"civil-c", Grade{3, 2}}
	for name, tc := range map[string]struct {
		q    Question
		want []string
	}{
		"X11-30 relabel lower":                {Question{Act: Relabel, Sources: []Label{l3}, Result: &l2p, Subject: s3}, []string{CodeLabelLowered}},
		"X11-30 relabel drops a tag":          {Question{Act: Relabel, Sources: []Label{l3}, Result: &noTag, Subject: s3}, []string{CodeLabelLowered}},
		"BJ17-26b relabel drops a category":   {Question{Act: Relabel, Sources: []Label{pop}, Result: &l2, Subject: s3}, []string{CodeLabelLowered}},
		"BJ17-26b category of the unlabelled": {Question{Act: Relabel, Sources: []Label{Strictest()}, Result: &popped, Subject: &Place{"x", Grade{5, 5}}}, []string{CodeLabelLowered}},
		"X11-30 relabel trades S for A":       {Question{Act: Relabel, Sources: []Label{l3}, Result: &mixed, Subject: s3, Target: &Place{"x", Grade{5, 5}}}, []string{CodeLabelLowered}},
		"X11-30 relabel to nothing":           {Question{Act: Relabel, Sources: []Label{l3}, Subject: s3}, []string{CodeLabelLowered}},
		"X11-30 relabel to an invalid one":    {Question{Act: Relabel, Sources: []Label{l3}, Result: &bad, Subject: s3}, []string{CodeLabelLowered}},
		"X11-30 derive lower":                 {Question{Act: Derive, Sources: []Label{l3}, Result: &l2, Subject: s3, Target: s3}, []string{CodeLabelLowered}},
		"X11-30 merge keeps the weaker":       {Question{Act: Merge, Sources: []Label{l2, l3}, Result: &l2, Subject: s3, Target: s3}, []string{CodeLabelLowered}},
		"X11-30 copy to a weaker system":      {Question{Act: Copy, Sources: []Label{l3}, Subject: s3, Target: s2}, []string{CodeTargetSystem}},
		"X11-30 S alone does not carry":       {Question{Act: Copy, Sources: []Label{l3}, Subject: s3, Target: s3a2}, []string{CodeTargetSystem}},
		"X11-30 forward as copy":              {Question{Act: Forward, Sources: []Label{l3}, Result: &l2p, Subject: s3, Target: s2}, []string{CodeLabelLowered, CodeTargetSystem}},
		"X11-30 raised beyond the target":     {Question{Act: Copy, Sources: []Label{l3}, Result: &raised, Subject: s3, Target: s3}, []string{CodeTargetSystem}},
		"X11-30 nowhere":                      {Question{Act: Store, Sources: []Label{l2}, Subject: s3}, []string{CodeTargetSystem}},
		"X14-30 weak reader":                  {Question{Act: Read, Sources: []Label{l3}, Subject: s2}, []string{CodeSystemGrade}},
		"X14-30 ungraded reader":              {Question{Act: Read, Sources: []Label{l2}, Subject: &Place{ID: "new"}}, []string{CodeSystemGrade}},
		"X14-30 weak carrier":                 {Question{Act: Forward, Sources: []Label{l3}, Subject: s3, Target: s3, Carriers: []Place{*s3, *s2}}, []string{CodeCarrier}},
		"X14-30 carry by a weak hop":          {Question{Act: Carry, Sources: []Label{l3}, Subject: s2}, []string{CodeCarrier}},
		"X14-30 carry by nobody":              {Question{Act: Carry, Sources: []Label{l2}}, []string{CodeCarrier}},
		"X14-30 regrade below":                {Question{Act: Regrade, NewGrade: &Grade{2, 2}, Holdings: []Label{l2, l3}}, []string{CodeBelowHoldings}},
		"X14-30 regrade to nothing":           {Question{Act: Regrade}, []string{CodeBelowHoldings}},
		"XA18-25b publish":                    {Question{Act: Publish, Sources: []Label{l2}, Subject: s3}, []string{CodePublish}},
		"X14-14 no source":                    {Question{Act: Read, Subject: s3}, []string{CodeUnknownResource}},
		"unlabelled source is strictest":      {Question{Act: Read, Sources: []Label{{}}, Subject: s3}, []string{CodeSystemGrade}},
		"unknown act":                         {Question{Act: "export", Sources: []Label{l2}, Subject: s3}, []string{CodeUnknownAction}},
		"the zero question":                   {Question{}, []string{CodeUnknownAction}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := codes(Check(tc.q)); !slices.Equal(got, tc.want) {
				t.Fatalf("got %v, want %v", Check(tc.q), tc.want)
			}
		})
	}
}

func TestGuardPermits(t *testing.T) {
	l3, l2 := label(t, 3, 3, 3, TagPersonal), label(t, 2, 2, 2)
	open := label(t, 1, 1, 1, TagPublicDisclosure)
	anyCat := label(t, 2, 2, 2, TagAnyCategory)
	s3 := &Place{"civil-a", Grade{3, 3}}
	for name, q := range map[string]Question{
		"read":                    {Act: Read, Sources: []Label{l3}, Subject: s3},
		"copy, join by rule":      {Act: Copy, Sources: []Label{l3}, Subject: s3, Target: s3},
		"merge keeps higher":      {Act: Merge, Sources: []Label{l2, l3}, Result: &l3, Subject: s3, Target: s3},
		"relabel higher":          {Act: Relabel, Sources: []Label{l2}, Result: &l3, Subject: s3},
		"any category keeps each": {Act: Relabel, Sources: []Label{label(t, 2, 2, 2, Category("tax"))}, Result: &anyCat, Subject: s3},
		"forward":                 {Act: Forward, Sources: []Label{l3}, Subject: s3, Target: s3, Carriers: []Place{*s3}},
		"publish open":            {Act: Publish, Sources: []Label{open}, Subject: s3},
		"publish with seal":       {Act: Publish, Sources: []Label{l2}, Subject: s3, Consent: true},
		"regrade with nothing":    {Act: Regrade, NewGrade: &Grade{1, 1}},
		"regrade up":              {Act: Regrade, NewGrade: &Grade{4, 4}, Holdings: []Label{l3}},
	} {
		t.Run(name, func(t *testing.T) {
			if fs := Check(q); len(fs) > 0 {
				t.Fatalf("refused: %v", fs)
			}
		})
	}
}

// Join is the least upper bound of a join-semilattice, for random labels.
func TestJoinLaws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		a, b, c := randomLabel(rng), randomLabel(rng), randomLabel(rng)
		ab := Join(a, b)
		same(t, "commutative", ab, Join(b, a))
		same(t, "associative", Join(ab, c), Join(a, Join(b, c)))
		same(t, "idempotent", Join(a, a), a)
		if !ab.Dominates(a) || !ab.Dominates(b) {
			t.Fatalf("%v is no upper bound of %v and %v", ab, a, b)
		}
		if c.Dominates(a) && c.Dominates(b) && !c.Dominates(ab) {
			t.Fatalf("%v is not the least upper bound of %v and %v: %v is lower", ab, a, b, c)
		}
		if a.Dominates(b) && b.Dominates(c) && !a.Dominates(c) {
			t.Fatalf("not transitive: %v %v %v", a, b, c)
		}
		if !Strictest().Dominates(a) {
			t.Fatalf("the strictest does not dominate %v", a)
		}
	}
}

// Whatever is refused stays refused when a source rises, a source is added or
// a grade falls.
func TestGuardIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 20000 {
		q := randomQuestion(rng)
		if len(Check(q)) == 0 {
			continue
		}
		refused++
		worse := q
		switch rng.IntN(3) {
		case 0:
			worse.Sources = append(slices.Clone(q.Sources), randomLabel(rng))
			worse.Holdings = append(slices.Clone(q.Holdings), randomLabel(rng))
		case 1:
			if q.Target != nil {
				worse.Target = &Place{Grade: Grade{min(q.Target.Grade.S, 1), q.Target.Grade.A}}
			}
		case 2:
			if q.Subject != nil {
				worse.Subject = &Place{Grade: Grade{q.Subject.Grade.S, min(q.Subject.Grade.A, 1)}}
			}
		}
		if q.Act == Publish { // the public tag is outside the order
			continue
		}
		if len(Check(worse)) == 0 {
			t.Fatalf("refused %+v, permits the worse %+v", q, worse)
		}
	}
	if refused < 1000 {
		t.Fatalf("only %d refusals: the generator is too kind", refused)
	}
}

func same(t *testing.T, law string, a, b Label) {
	t.Helper()
	if a.String() != b.String() {
		t.Fatalf("%s: %v != %v", law, a, b)
	}
}

func randomLabel(rng *rand.Rand) Label {
	l := Label{Level: Level(1 + rng.IntN(4)), RequiredS: uint8(1 + rng.IntN(5)), RequiredA: uint8(1 + rng.IntN(5))}
	for _, tag := range append(Strictest().Tags, TagPublicDisclosure, Category("population"), Category("tax")) {
		if rng.IntN(3) == 0 {
			l.Tags = append(l.Tags, tag)
		}
	}
	l.Tags = normalise(l.Tags)
	return l
}

func randomQuestion(rng *rand.Rand) Question {
	acts := []Act{Read, Copy, Derive, Merge, Relabel, Forward, Store, Publish, Carry, Regrade}
	place := func() *Place {
		if rng.IntN(6) == 0 {
			return nil
		}
		return &Place{Grade: Grade{uint8(rng.IntN(6)), uint8(rng.IntN(6))}}
	}
	q := Question{Act: acts[rng.IntN(len(acts))], Sources: []Label{randomLabel(rng)}, Subject: place(), Target: place()}
	if rng.IntN(2) == 0 {
		r := Join(q.Sources[0], randomLabel(rng))
		q.Result = &r
	}
	if p := place(); p != nil {
		q.Carriers = []Place{*p}
	}
	if q.Act == Regrade {
		q.Sources, q.NewGrade, q.Holdings = nil, &Grade{uint8(rng.IntN(6)), uint8(rng.IntN(6))}, []Label{randomLabel(rng)}
	}
	return q
}

func BenchmarkCheck(b *testing.B) {
	l3 := Label{Level: 3, RequiredS: 3, RequiredA: 3, Tags: []Tag{TagPersonal}}
	s := &Place{"civil-a", Grade{3, 3}}
	q := Question{Act: Forward, Sources: []Label{l3}, Result: &l3, Subject: s, Target: s, Carriers: []Place{*s}}
	for b.Loop() {
		if len(Check(q)) > 0 {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
