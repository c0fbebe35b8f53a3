package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/history"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// allHistory are the posts in the house that see the certificates of every unit,
// ownHistory those that see those of their own.
func allHistory() []identity.Role {
	return []identity.Role{identity.RoleRAOfficer, identity.RoleAuditor, identity.RoleInformationOffice}
}

func ownHistory() []identity.Role {
	return []identity.Role{identity.RoleAgencySysadmin, identity.RoleUnitLeader}
}

// oversees says whether a person sees the certificates of every unit; supervision
// (监察) is of a unit of its own.
func (d *Service) oversees(ctx context.Context, p console.Person) (bool, error) {
	all, err := d.serves(ctx, p, allHistory()...)
	if all || err != nil {
		return all, err
	}
	return d.holds(ctx, p, identity.RoleSupervision)
}

// scope is the unit whose certificates a person may see; "": every one.
func (d *Service) scope(ctx context.Context, p console.Person) (string, error) {
	all, err := d.oversees(ctx, p)
	if all || err != nil {
		return "", err
	}
	return p.Unit, allowed(d.holds(ctx, p, ownHistory()...))
}

// History implements console.Histories.
func (d *Service) History(ctx context.Context, p console.Person, f console.HistoryForm) (out console.HistoryList, err error) {
	unit, err := d.scope(ctx, p)
	if err != nil {
		return out, err
	}
	if err := d.choices(ctx, &out, unit); err != nil {
		return out, err
	}
	q, err := question(f, unit, out)
	if err != nil {
		return out, err
	}
	out.HistoryForm = console.HistoryForm{System: q.System, Unit: q.Agency, After: f.After}
	if q.System == "" && q.Agency == "" {
		return out, nil // nothing chosen yet
	}
	page, err := d.cfg.History.Of(ctx, q)
	if err != nil {
		return out, err
	}
	out.Next = page.Next.String()
	n := naming{d: d, names: map[string]string{}}
	for _, e := range page.Entries {
		l, err := n.line(ctx, e)
		if err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, l)
	}
	return out, nil
}

// choices fills what can be chosen: the systems of a unit, or of all, and units.
func (d *Service) choices(ctx context.Context, out *console.HistoryList, unit string) error {
	systems, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return fmt.Errorf("desk: systems: %w", err)
	}
	for _, s := range systems {
		if unit == "" || string(s.Agency) == unit {
			out.Systems = append(out.Systems, console.Named{ID: s.ID, Name: s.Name})
		}
	}
	if unit != "" {
		return nil
	}
	agencies, err := d.cfg.People.Agencies(ctx)
	if err != nil {
		return fmt.Errorf("desk: units: %w", err)
	}
	for _, a := range agencies {
		out.Units = append(out.Units, console.Named{ID: string(a.USCC), Name: a.Name})
	}
	return nil
}

// question turns a form into a query within what a person may see. A system of
// another unit does not exist for them.
func question(f console.HistoryForm, unit string, known console.HistoryList) (q history.Query, err error) {
	in := func(all []console.Named, id string) bool {
		return slices.ContainsFunc(all, func(n console.Named) bool { return n.ID == id })
	}
	if q.After, err = history.ParseCursor(f.After); err != nil {
		return q, err
	}
	q.Judicial = unit == ""
	switch {
	case f.System != "":
		if !in(known.Systems, f.System) {
			return q, ca.ErrNotFound
		}
		q.System = f.System
	case unit != "":
		q.Agency = unit
	case f.Unit != "":
		if !in(known.Units, f.Unit) {
			return q, identity.ErrNotFound
		}
		q.Agency = f.Unit
	}
	return q, nil
}

// naming calls persons by their names, each asked for once.
type naming struct {
	d     *Service
	names map[string]string
}

func (n naming) of(ctx context.Context, id string) (string, error) {
	if known, ok := n.names[id]; ok {
		return known, nil
	}
	name, err := n.d.name(ctx, id)
	n.names[id] = name
	return name, err
}

func (n naming) line(ctx context.Context, e history.Entry) (l console.HistoryLine, err error) {
	l.Entry = e
	if e.State == ca.StateRevoked && e.Issued {
		l.Why = ca.ReasonName(e.Reason)
	}
	name := func(id string) string {
		s, failed := n.of(ctx, id)
		err = errors.Join(err, failed)
		return s
	}
	if r := e.Request; r != nil {
		l.Applicant, l.Checker, l.Decider = name(r.SubmittedBy), name(r.ReviewedBy), name(r.DecidedBy)
	}
	for _, a := range e.Acts {
		by := a.By
		if a.Kind == "person" {
			by = name(a.By)
		}
		l.By = append(l.By, by)
	}
	for _, x := range e.Holds {
		l.Holders = append(l.Holders, name(x.HeldBy))
	}
	return l, err
}

// Expiring implements console.Histories.
func (d *Service) Expiring(ctx context.Context, p console.Person, f console.ExpiringForm) (out console.ExpiringList, err error) {
	q, err := d.ends(ctx, p, f)
	if err != nil {
		return out, err
	}
	out.ExpiringForm = f
	out.Days = q.Days
	page, err := d.cfg.History.Ending(ctx, q)
	if err != nil {
		return out, err
	}
	out.Next = page.Next.String()
	n := naming{d: d, names: map[string]string{}}
	for _, e := range page.Entries {
		l, err := n.ending(ctx, e)
		if err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, l)
	}
	return out, nil
}

func (d *Service) ends(ctx context.Context, p console.Person, f console.ExpiringForm) (q history.ExpiringQuery, err error) {
	if q.Agency, err = d.scope(ctx, p); err != nil {
		return q, err
	}
	if q.Days = f.Days; q.Days == 0 {
		q.Days = history.DefaultDays
	}
	q.Superseded = f.Superseded
	q.After, err = history.ParseCursor(f.After)
	return q, err
}

func (n naming) ending(ctx context.Context, e history.Ending) (l console.ExpiringLine, err error) {
	l = console.ExpiringLine{Ending: e, Whose: e.Subject, Left: int(e.NotAfter.Sub(n.d.now()) / (24 * time.Hour))}
	if e.System != "" {
		l.Whose = e.System
	}
	if e.Person != "" {
		if l.Whose, err = n.of(ctx, e.Person); err != nil {
			return l, err
		}
	}
	l.Unit, err = n.unit(ctx, e.Agency)
	return l, err
}

// unit is the name of a unit; one that is not registered is called by its code.
func (n naming) unit(ctx context.Context, code string) (string, error) {
	key := "unit:" + code
	if known, ok := n.names[key]; ok {
		return known, nil
	}
	a, err := n.d.cfg.People.Agency(ctx, identity.USCC(code))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		a.Name = code
	case err != nil:
		return "", err
	}
	n.names[key] = a.Name
	return a.Name, nil
}

// Statistics implements console.Histories.
func (d *Service) Statistics(ctx context.Context, p console.Person, month string) (out console.Statistics, err error) {
	if err := allowed(d.oversees(ctx, p)); err != nil {
		return out, err
	}
	m := history.MonthOf(d.now())
	if month != "" {
		if m, err = history.ParseMonth(month); err != nil {
			return out, err
		}
	}
	if out.Report, err = d.cfg.History.Monthly(ctx, m); err != nil {
		return out, err
	}
	n := naming{d: d, names: map[string]string{}}
	out.Names, out.Before = map[string]string{}, m.Before().String()
	for _, u := range out.Units {
		if out.Names[u.Agency], err = n.unit(ctx, u.Agency); err != nil {
			return out, err
		}
	}
	return out, nil
}
