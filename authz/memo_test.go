package authz

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// With the memo every case is answered as without it, the second time too, and
// each decision has its own entry.
func TestMemoChangesNoAnswer(t *testing.T) {
	for name, c := range allCases(t) {
		m := newWorld(t, c.Facts)
		plain, _ := newPDP(t, m, nil)
		kept, b := newPDP(t, m, nil)
		kept.memo.size = 8
		for range 2 {
			want, err := plain.Decide(t.Context(), c.request(t))
			if err != nil {
				t.Fatal(err)
			}
			got, err := kept.Decide(t.Context(), c.request(t))
			if err != nil || got.Allow != want.Allow || !reflect.DeepEqual(got.Reasons, want.Reasons) {
				t.Fatalf("%s: %v %+v, want %+v", name, err, got, want)
			}
		}
		if len(b.events) != 2 {
			t.Fatalf("%s: %d entries", name, len(b.events))
		}
	}
}

// A kept permit ends with the agreement, with a change of facts, and before
// the time at which it was made.
func TestMemoEndsWithItsFacts(t *testing.T) {
	m := newWorld(t, nil)
	p, _ := newPDP(t, m, nil)
	p.memo.size = 8
	start := m.Now
	allow := func(want bool, why string) {
		t.Helper()
		if d, err := p.Decide(t.Context(), lawful()); err != nil || d.Allow != want {
			t.Fatalf("%s: %v %+v", why, err, d.Reasons)
		}
	}
	allow(true, "first")
	allow(true, "kept")
	m.Now = time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	allow(true, "last second")
	m.Now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	allow(false, "X11-26 after the end")
	m.Now = start.AddDate(-1, 0, 0)
	allow(false, "before the beginning")
	m.Now = start
	allow(true, "again")
	res := m.ResourceByID["low-income"]
	res.ShareType = sharing.ShareNotShared
	m.ResourceByID["low-income"] = res
	allow(false, "BJ17-16 after the provider withdrew it")
}

// Times that are finer than the ledger's milliseconds, and a clock that goes
// over each of them step by step and back: with the memo and without it the
// answer is one. This is the law under which the memo may stand by default.
func TestMemoIsRightAtEveryBoundary(t *testing.T) {
	m := newWorld(t, nil)
	start := m.Now
	rng := rand.New(rand.NewPCG(8, 26))
	near := func() time.Time { return start.Add(time.Duration(rng.IntN(8_000)) * time.Microsecond) }
	flips := 0
	for range 60 {
		for id, a := range m.AgreementByID {
			a.NotBefore, a.NotAfter, a.Terminated = start.Add(-time.Hour), start.Add(time.Hour), time.Time{}
			switch rng.IntN(4) {
			case 0:
				a.NotBefore = near()
			case 1:
				a.NotAfter = near()
			case 2:
				a.Terminated = near()
			}
			m.AgreementByID[id] = a
		}
		for id, g := range m.GradingByID {
			g.ValidUntil = near().Add(time.Duration(rng.IntN(3)) * 4 * time.Millisecond)
			m.GradingByID[id] = g
		}
		for id, h := range m.HoldingByID {
			h.Until = near()
			m.HoldingByID[id] = h
		}
		m.once, m.agreementIndex = sync.Once{}, nil
		kept, _ := newPDP(t, m, nil)
		kept.memo.size = 64
		plain, _ := newPDP(t, m, nil)
		for _, r := range []Request{lawful(), {SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionRead, Resource: "copy-a", Purpose: "relief"}} {
			before := -1
			for _, step := range append(rng.Perm(14), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13) {
				m.Now = start.Add(time.Duration(step) * time.Millisecond)
				want, err := plain.Decide(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := kept.Decide(t.Context(), r)
				if err != nil || !reflect.DeepEqual(got.Reasons, want.Reasons) || got.Allow != want.Allow {
					t.Fatalf("at %d ms: %v %+v, want %+v", step, err, got.Reasons, want.Reasons)
				}
				if before >= 0 && before != len(want.Reasons) {
					flips++
				}
				before = len(want.Reasons)
			}
		}
	}
	if flips < 100 {
		t.Fatalf("only %d changes were seen", flips)
	}
}

// The officers' rules are asked each time, whatever is kept of the others.
func TestMemoKeepsNothingOfTheSite(t *testing.T) {
	for rule, reads := range map[string]bool{
		"out := \"deny\" if input.now >= 1776240000000\n":                                 true,
		"late(t) if t >= 1776240000000\nout := \"deny\" if { x := input; late(x.now) }\n": true,
		"out := \"deny\" if 1 > 2\n":                                                      false,
	} {
		m := newWorld(t, nil)
		p, _ := newPDP(t, m, []byte(siteHead+rule))
		if p.siteAsks != reads || p.memo.size == 0 {
			t.Fatalf("%s: reads %v, memo %d", rule, p.siteAsks, p.memo.size)
		}
		for _, late := range []bool{false, true, false} {
			m.Now = time.UnixMilli(1776240000000 - 1)
			if late {
				m.Now = m.Now.Add(time.Millisecond)
			}
			if d, err := p.Decide(t.Context(), lawful()); err != nil || d.Allow == (late && reads) {
				t.Errorf("%s, late %v: %v %+v", rule, late, err, d.Reasons)
			}
		}
	}
}

// Site rules that read nothing have one answer; those that do not end have none, and
// are stopped and refused each time.
func TestSiteRulesThatReadNothing(t *testing.T) {
	const endless = "out := \"permit\" if { some a in xs; some b in xs; some c in xs; some d in xs; some e in xs; a + b + c + d + e < 0 }\n"
	xs := "xs := [" + strings.TrimSuffix(strings.Repeat("1,", 200), ",") + "]\n"
	for rule, want := range map[string]struct {
		code  string
		known bool
	}{
		"out := \"deny\" if true\n":  {codeSiteDenied, true},
		"out := \"other\" if true\n": {codeSiteError, true},
		xs + endless:                 {codeSiteError, false},
	} {
		m := newWorld(t, nil)
		p, err := New(t.Context(), Config{
			Facts:    NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m}),
			Recorder: &book{}, Site: []byte(siteHead + rule), Now: func() time.Time { return m.Now }, Timeout: 300 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		if (p.siteSays != nil) != want.known {
			t.Errorf("%.40s: known %v", rule, p.siteSays != nil)
		}
		for range 2 { // the second time the memo has the others
			if d, err := p.Decide(t.Context(), lawful()); err != nil || d.Allow || len(d.Reasons) != 1 || d.Reasons[0].Code != want.code {
				t.Errorf("%.40s: %v %v", rule, d.Reasons, err)
			}
		}
	}
}

func TestMemoIsBounded(t *testing.T) {
	m := memo{size: 4}
	now := time.Unix(0, 0)
	for i := range 100 {
		m.put(memoKey{facts: string(rune(i))}, memoValue{nil, now, now.Add(time.Hour)})
	}
	if n := len(m.young) + len(m.old); n > 8 {
		t.Fatalf("%d kept", n)
	}
	m.put(memoKey{facts: "failed"}, memoValue{[]finding{{code: codeError}}, now, now.Add(time.Hour)})
	if _, ok := m.get(memoKey{facts: "failed"}, now); ok {
		t.Fatal("a failure was kept")
	}
}
