package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// How long the desk keeps what nobody comes for.
const (
	keepSealed  = 7 * 24 * time.Hour
	keepFetched = 24 * time.Hour
	keepLoose   = time.Hour // the remains of a request that was broken off
	sweepEvery  = 24 * time.Hour
)

// service is the actor of what the desk does for itself.
func (d *Service) service() ledger.Actor {
	return ledger.Actor{Kind: "service", ID: "yinxin", Unit: d.cfg.Unit}
}

// Sweep deletes the documents that have come to their end and lets lapse
// what was not answered or used in time. A fault with one leaves the others.
func (d *Service) Sweep(ctx context.Context) error {
	all, err := d.drafts.list(ctx, d.cfg.Now())
	if err != nil {
		return err
	}
	var failed []error
	for _, f := range all {
		why, err := d.overdue(ctx, f)
		if err == nil && why != "" {
			err = d.forget(ctx, f.id, f.kind, why, d.service())
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("desk: sweep %s.%s: %w", f.id, f.kind, err))
		}
	}
	return errors.Join(failed...)
}

// overdue says why a kept document has to go, "" when it stays.
func (d *Service) overdue(ctx context.Context, f draftFile) (string, error) {
	switch {
	case f.kind == draftSealed && f.age > keepSealed:
		return "not fetched", nil
	case f.kind == draftFetched && f.age > keepFetched:
		return "fetched", nil
	case f.kind == draftSealed || f.kind == draftFetched:
		return "", nil
	case f.age <= keepLoose: // a request may be on its way
		return "", nil
	case f.kind == draftAsked:
		if _, err := d.cfg.Signer.Lapse(ctx, d.service(), f.id); err != nil && !errors.Is(err, signer.ErrNotFound) {
			return "", err
		}
		u, err := d.cfg.Signer.Use(ctx, f.id)
		switch {
		case errors.Is(err, signer.ErrNotFound):
			return "no request", nil
		case err != nil:
			return "", err
		case u.State == signer.UseSealing && d.cfg.Now().Sub(u.TakenAt) > sweepEvery: // nobody came back: it lapses as approvals do
			_, err = d.cfg.Signer.Reopen(ctx, d.service(), f.id, "interrupted")
			return "", err
		case u.State == signer.UseRequested || u.State == signer.UseListed || u.State == signer.UseApproved || u.State == signer.UseSealing:
			return "", nil
		}
		return string(u.State), nil
	case f.kind == draftWhy:
		u, err := d.cfg.Signer.Use(ctx, f.id)
		switch {
		case errors.Is(err, signer.ErrNotFound):
			return "no request", nil
		case err != nil || u.State == signer.UseApproved || u.State == signer.UseSealing:
			return "", err
		}
		return string(u.State), nil
	case f.kind == draftPicture:
		e, err := d.cfg.Life.Seal(ctx, f.id)
		switch {
		case errors.Is(err, signer.ErrNotFound):
			return "no application", nil
		case err != nil:
			return "", err
		case e.State == signer.SealApplied || e.State == signer.SealApproved:
			return "", nil
		}
		return string(e.State), nil
	}
	return "left over", nil
}

// forget records that a document is not kept any more, and deletes it.
func (d *Service) forget(ctx context.Context, id, kind, why string, actor ledger.Actor) error {
	if (draftFile{id: id, kind: kind}).document() {
		ev := ledger.Event{
			ID: d.cfg.NewID(), Type: "desk.document.deleted", Class: ledger.ClassAccess, Time: d.now(), Actor: actor,
			Object: ledger.Object{Kind: "seal_use", ID: id}, Outcome: ledger.Success, Details: map[string]string{"kept": kind, "reason": why},
		}
		if u, err := d.cfg.Signer.Use(ctx, id); err == nil {
			if ev.Payload = u.Document; kind != draftAsked {
				ev.Payload = u.Sealed
			}
		}
		if _, err := d.cfg.Ledger.Append(ctx, ev); err != nil {
			return err
		}
	}
	return d.drafts.drop(ctx, id, kind)
}

// Run sweeps every day until ctx ends.
func (d *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.ErrorContext(ctx, "sweep of kept documents", "error", err)
		}
	}
}
