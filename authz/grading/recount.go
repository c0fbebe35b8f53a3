package grading

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// forever is a horizon after every limit.
const forever workday.Date = 1 << 20

// maxDetail bounds what a recount writes into its event.
const maxDetail = 2000

// Recount computes the limits of an object anew, after a calendar was imported
// or another profile applies. Both values go to the ledger, with the digest of
// the calendar. Nothing is written, and false is returned, when none changes.
func (p *Procedure) Recount(ctx context.Context, object string, actor ledger.Actor) (bool, ledger.Receipt, error) {
	none := ledger.Receipt{}
	d, err := p.cfg.Dossiers.Dossier(ctx, object)
	if err != nil {
		return false, none, err
	}
	if err := p.mayAct(d.Object, actor, identity.RoleSecurityOfficer, false); err != nil {
		return false, none, err
	}
	before, err := p.cfg.Dossiers.Due(ctx, DueFilter{Until: forever, Object: object})
	if err != nil {
		return false, none, fmt.Errorf("limits of %s: %w", object, err)
	}
	after, err := deadlines(d, p.rules)
	if err != nil {
		return false, none, fmt.Errorf("limits of %s: %w", object, err)
	}
	if was, is := named(before), named(after); slices.Equal(was, is) {
		return false, none, nil
	}
	next := d.clone()
	next.Revision++
	ev := p.event("grading.limits.recounted", object, actor, map[string]string{
		"revision": fmt.Sprint(next.Revision), "before": days(before), "after": days(after),
	})
	rc, err := p.cfg.Dossiers.Put(ctx, Entry{Dossier: next, Deadlines: after, Flags: next.Object.Flags(next.Level())}, ev)
	return err == nil, rc, err
}

// named is the limits without the order in which they came.
func named(list []Deadline) []string {
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = fmt.Sprint(l.Rule, "/", l.Ref, "/", l.Opens, "/", l.Due, "/", l.Estimated, "/", l.Calendar, "/", l.Profile)
	}
	slices.Sort(out)
	return out
}

// days is what an entry of the ledger says: "R7 2027-01-11 (estimated)".
func days(list []Deadline) string {
	var out []string
	for _, l := range list {
		s := l.Rule + " " + l.Due.String()
		if l.Estimated {
			s += " (estimated)"
		}
		out = append(out, s)
	}
	s := strings.Join(out, "; ")
	return s[:min(len(s), maxDetail)]
}
