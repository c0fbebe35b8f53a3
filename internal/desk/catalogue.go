package desk

import (
	"context"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// copyLines bounds the copies that a page lists; the command line has all.
const copyLines = 100

// Catalogue implements console.Resources.
func (d *Service) Catalogue(ctx context.Context, p console.Person, find, after, id string) (out console.CatalogueList, err error) {
	office, err := d.serves(ctx, p, identity.RoleInformationOffice)
	if err != nil {
		return out, err
	}
	if posted, err := d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader); err != nil || !posted && !office {
		return out, allowed(posted, err)
	}
	out.Find = find
	if out.Entries, err = d.cfg.Entries.Find(ctx, sharing.EntryQuery{Text: find, After: after, Limit: maxLines}); err != nil {
		return out, err
	}
	if len(out.Entries) == maxLines {
		out.Next = out.Entries[maxLines-1].ID
	}
	of := identity.USCC(p.Unit)
	if office {
		of = ""
	}
	if out.Withheld, err = d.cfg.Entries.WithheldBy(ctx, of); err != nil || id == "" {
		return out, err
	}
	e, changes, err := d.cfg.Entries.Entry(ctx, id)
	if err != nil {
		return out, err
	}
	out.Entry, out.Changes = &e, changes
	heard, err := d.cfg.Applications.FeedbackOf(ctx, e.Provider)
	if err != nil {
		return out, err
	}
	out.Disputed = slices.ContainsFunc(heard, func(f sharing.Feedback) bool { return f.Resource == e.ID && f.Open() })
	if string(e.Provider) != p.Unit {
		return out, nil
	}
	copies, err := d.cfg.Copies.Of(ctx, d.actor(p), id, "", copyLines+1)
	if err != nil {
		return out, err
	}
	if out.More = len(copies) > copyLines; out.More {
		copies = copies[:copyLines]
	}
	for _, c := range copies {
		l := console.CopyLine{Copy: c, Overdue: c.OverdueAt(d.now())}
		if l.UnitName, err = d.agency(ctx, c.Agency); err != nil {
			return out, err
		}
		out.Copies = append(out.Copies, l)
	}
	return out, nil
}
