package catest

import (
	"context"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// RunLineage: whom a certificate follows, as Certificate.Line says. origin reads
// back what was recorded.
func RunLineage(t *testing.T, reg ca.Registry, origin func(c ca.Certificate) ca.Origin) {
	ctx := context.Background()
	at := time.Now().UTC().Truncate(time.Microsecond)
	make := func(edit func(*ca.Certificate), activate bool) ca.Certificate {
		t.Helper()
		row, der := signed(t)
		at = at.Add(time.Second)
		row.Kind, row.System, row.Request, row.CreatedAt = ca.KindECDSA, "sys-line", "r-1", at
		row.Origin = ca.Origin{Way: ca.WayToken, Names: []string{"a.gov.internal", "b.gov.internal"}}
		if edit != nil {
			edit(&row)
		}
		if _, err := reg.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
			t.Fatal(err)
		}
		if row.DER = der; activate {
			if _, err := reg.Activate(ctx, []ca.Certificate{row}, event()); err != nil {
				t.Fatal(err)
			}
		}
		return row
	}
	follows := func(what string, c ca.Certificate, want string) {
		t.Helper()
		if got := origin(c); got.Previous != want || got.Way != c.Origin.Way || got.Ref != c.Origin.Ref || len(got.Names) != len(c.Origin.Names) {
			t.Errorf("%s: %+v, want to follow %q", what, got, want)
		}
	}
	first := make(nil, true)
	follows("the first", first, "")
	follows("another system", make(func(c *ca.Certificate) { c.System = "sys-other" }, true), "")
	follows("another kind", make(func(c *ca.Certificate) { c.Kind = ca.KindECDSATest }, true), "")
	follows("other names", make(func(c *ca.Certificate) { c.Origin.Names = c.Origin.Names[:1] }, true), "")
	make(nil, false) // it was signed for nobody
	order := make(func(c *ca.Certificate) {
		c.Request, c.Origin = "r-2", ca.Origin{Way: ca.WayACME, Ref: "o-1", Names: []string{"b.gov.internal", "a.gov.internal"}}
	}, true)
	follows("an ACME order for the same names", order, first.Name())
	machine := make(func(c *ca.Certificate) { c.Origin.Way, c.Origin.Ref = ca.WayX5C, order.Name() }, true)
	follows("a further machine", machine, "")
	same := make(func(c *ca.Certificate) { c.Origin.Way, c.Origin.Previous = ca.WayRenewal, machine.Name() }, true)
	follows("the renewal of the further machine", same, machine.Name())
	renewed := make(func(c *ca.Certificate) { c.Origin.Way, c.Origin.Previous = ca.WayRekey, order.Name() }, true)
	follows("a renewal", renewed, order.Name())
	follows("the next reissue", make(nil, true), renewed.Name())
}
