package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Clearances implements console.Clearances: of every system, for the two offices
// that record them.
func (d *Service) Clearances(ctx context.Context, p console.Person, system string) (out console.ClearanceList, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer, identity.RoleInformationOffice)); err != nil {
		return out, err
	}
	for _, kind := range grading.ClearanceKinds() {
		role, _ := kind.Role()
		may, err := d.serves(ctx, p, role)
		if err != nil {
			return out, err
		}
		if may {
			out.May = append(out.May, kind)
		}
	}
	all, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return out, fmt.Errorf("desk: systems: %w", err)
	}
	for _, s := range all {
		out.Systems = append(out.Systems, console.Named{ID: s.ID, Name: s.Name})
		if s.ID == system {
			out.System = console.Named{ID: s.ID, Name: s.Name}
		}
	}
	if out.System.ID == "" {
		return out, nil
	}
	if out.Standings, err = d.cfg.Clearances.Standings(ctx, system); err != nil {
		return out, fmt.Errorf("desk: clearances of %s: %w", system, err)
	}
	records, err := d.cfg.Clearances.Of(ctx, system)
	if err != nil {
		return out, fmt.Errorf("desk: clearances of %s: %w", system, err)
	}
	for _, c := range slices.Backward(records) {
		l := console.ClearanceLine{Clearance: c, MayWithdraw: c.WithdrawnAt.IsZero() && slices.Contains(out.May, c.Kind)}
		if l.Recorder, err = d.name(ctx, c.RecordedBy); err != nil {
			return out, err
		}
		if l.Withdrawer, err = d.name(ctx, c.WithdrawnBy); err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, l)
	}
	return out, nil
}

// RecordClearance implements console.Clearances.
func (d *Service) RecordClearance(ctx context.Context, p console.Person, c grading.Clearance) error {
	_, _, err := d.cfg.Clearances.Record(ctx, d.actor(p), c)
	return err
}

// WithdrawClearance implements console.Clearances.
func (d *Service) WithdrawClearance(ctx context.Context, p console.Person, system string, kind grading.ClearanceKind, recorded time.Time, why string) error {
	_, err := d.cfg.Clearances.Withdraw(ctx, d.actor(p), system, kind, recorded, why)
	if errors.Is(err, grading.ErrExists) {
		return console.ErrAnswered
	}
	return err
}
