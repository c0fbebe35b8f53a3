package authz

import (
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Facts that cannot be right are refused with a code and its clause, never an error
// and never allowed: X11-31 lineage in a circle, X14-26c an agreement with two of its
// three seals, X11-26 and X14-29 a clock after or before the facts.
func TestBadFactsAreRefused_X11_31_X14_26c_X11_26_X14_29(t *testing.T) {
	read := Request{SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionRead, Resource: "copy-a", Purpose: "relief"}
	holding := func(m *memory, id string, do func(*sharing.Holding)) {
		h := m.HoldingByID[id]
		do(&h)
		m.HoldingByID[id] = h
	}
	unsealed := func(party identity.USCC) func(*memory) {
		return func(m *memory) {
			a := m.AgreementByID["ag-a"]
			a.Seals = slices.DeleteFunc(slices.Clone(a.Seals), func(s sharing.PartySeal) bool { return s.Party == party })
			m.AgreementByID["ag-a"] = a
		}
	}
	for name, c := range map[string]struct {
		spoil        func(*memory)
		code, clause string
	}{
		"a copy of itself": {func(m *memory) { holding(m, "copy-a", func(h *sharing.Holding) { h.Sources = []string{"copy-a"} }) }, "E31_lineage", "X11-31"},
		"a circle of two": {func(m *memory) {
			holding(m, "copy-a", func(h *sharing.Holding) { h.Sources = []string{"streets-a"} })
			holding(m, "streets-a", func(h *sharing.Holding) { h.Sources = []string{"copy-a"} })
		}, "E31_lineage", "X11-31"},
		"a lineage without end": {func(m *memory) {
			last := "copy-a"
			for i := range maxLineage + 1 {
				h := m.HoldingByID["streets-a"]
				h.ID = "copy-" + time.Duration(i).String()
				m.HoldingByID[h.ID] = h
				holding(m, last, func(h *sharing.Holding) { h.Sources = []string{"copy-" + time.Duration(i).String()} })
				last = h.ID
			}
		}, "E31_lineage", "X11-31"},
		"no seal of the office":   {unsealed("O"), "E06_agreement.seal_missing", "X14-26c"},
		"no seal of the provider": {unsealed("P"), "E06_agreement.seal_missing", "X14-26c"},
		"no seal of the consumer": {unsealed("A"), "E06_agreement.seal_missing", "X14-26c"},
		"a party seals twice": {func(m *memory) {
			unsealed("O")(m)
			a := m.AgreementByID["ag-a"]
			a.Seals = append(a.Seals, a.Seals[0])
			m.AgreementByID["ag-a"] = a
		}, "E06_agreement.seal_missing", "X14-26c"},
		"the clock before the agreement": {func(m *memory) { m.Now = m.AgreementByID["ag-a"].NotBefore.Add(-1) }, "E06_agreement.not_yet", "X11-26"},
		"the clock after the agreement":  {func(m *memory) { m.Now = m.AgreementByID["ag-a"].NotAfter }, "E06_agreement.expired", "X11-26"},
		"the clock before the copy":      {func(m *memory) { holding(m, "copy-a", func(h *sharing.Holding) { h.At = m.Now.Add(time.Hour) }) }, "E32_clock", "X14-29"},
		"the clock years back": {func(m *memory) {
			holding(m, "copy-a", func(h *sharing.Holding) { h.At = m.Now })
			m.Now = m.Now.AddDate(-5, 0, 0)
		}, "E32_clock", "X14-29"},
	} {
		m := newWorld(t, nil)
		p, _ := newPDP(t, m, nil)
		if d, err := p.Decide(t.Context(), read); err != nil || !d.Allow {
			t.Fatalf("before it is spoiled: %+v, %v", d.Reasons, err)
		}
		c.spoil(m)
		m = &memory{
			Now: m.Now, AgencyByID: m.AgencyByID, SystemByID: m.SystemByID, GradingByID: m.GradingByID,
			ResourceByID: m.ResourceByID, AgreementByID: m.AgreementByID, HoldingByID: m.HoldingByID,
		}
		p, _ = newPDP(t, m, nil)
		d, err := p.Decide(t.Context(), read)
		i := slices.IndexFunc(d.Reasons, func(r Reason) bool { return r.Code == c.code })
		if err != nil || d.Allow || i < 0 || !slices.Contains(d.Reasons[i].Clauses, c.clause) || d.Reasons[i].FixZh == "" || d.Reasons[i].FixEn == "" {
			t.Errorf("%s: allow %v, %+v, %v", name, d.Allow, d.Reasons, err)
		}
	}
}

// A kept answer of a clock that was behind ends when the clock has caught up.
func TestClockCatchesUp(t *testing.T) {
	m := newWorld(t, nil)
	res := m.ResourceByID["streets"]
	res.UpdatedAt = m.Now.Add(time.Hour)
	m.ResourceByID["streets"] = res
	p, _ := newPDP(t, m, nil)
	p.memo.size = 8
	start := m.Now
	for _, c := range []struct {
		after time.Duration
		allow bool
	}{{0, false}, {time.Hour - clockTolerance - time.Millisecond, false}, {time.Hour - clockTolerance, true}, {2 * time.Hour, true}} {
		m.Now = start.Add(c.after)
		d, err := p.Decide(t.Context(), Request{SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionRead, Resource: "streets", Purpose: "relief"})
		if err != nil || d.Allow != c.allow {
			t.Errorf("after %v: %+v, %v", c.after, d.Reasons, err)
		}
	}
}
