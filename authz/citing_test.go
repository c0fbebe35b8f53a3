package authz

import (
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// BJ17-19b: the record of a permit to quote names the consents that it rests on, and
// the permit ends with them, also when it was kept.
func TestPermitToQuoteRestsOnItsConsent_BJ17_19b(t *testing.T) {
	m := newWorld(t, nil)
	given := QuotableOf(sharing.Consent{
		ID: "c-1", Resource: "relief-2017", Provider: "P", Consumer: "A", NotBefore: m.Now.Add(-time.Hour), NotAfter: m.Now.Add(time.Hour), DecidedAt: m.Now.Add(900 * time.Millisecond),
	})
	longer := given
	longer.ID, longer.Until, longer.Document = "c-2", m.Now.Add(2*time.Hour), "doc-2"
	m.ConsentByID = map[string]Quotable{"c-1": given, "c-2": longer}
	p, b := newPDP(t, m, nil)
	p.memo.size = 8
	start := m.Now
	for _, c := range []struct {
		document string
		after    time.Duration
		rests    string
	}{{"doc-1", -1, ""}, {"doc-1", 0, "c-1"}, {"doc-2", 0, "c-2"}, {"", 0, ""}, {"doc-1", time.Hour, ""}, {"doc-2", time.Hour, "c-2"}, {"doc-2", 2 * time.Hour, ""}} {
		m.Now = start.Add(c.after)
		d, err := p.Decide(t.Context(), Request{SubjectType: SubjectSystem, SubjectID: "civil-a", Action: ActionDerive, Resource: "relief-2017", Purpose: "relief", CitedIn: c.document})
		if err != nil || d.Allow != (c.rests != "" || c.document == "") {
			t.Errorf("%q after %v: %+v, %v", c.document, c.after, d.Reasons, err)
		}
		if got := b.events[len(b.events)-1].Details["consents"]; got != c.rests {
			t.Errorf("%q after %v: rests on %q", c.document, c.after, got)
		}
	}
}
