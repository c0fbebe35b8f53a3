package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

func lifeQuery(unit string, states ...signer.SealState) life.Query {
	return life.Query{Unit: unit, States: states}
}

// Seals implements console.Seals: those of the own unit, and all of them for who
// makes seals.
func (d *Service) Seals(ctx context.Context, p console.Person) (out console.SealList, err error) {
	makes, err := d.serves(ctx, p, identity.RoleSealAdministrator)
	if err != nil {
		return out, err
	}
	q := lifeQuery(p.Unit)
	if makes {
		q.Unit = ""
	}
	all, err := d.cfg.Life.Seals(ctx, q)
	if err != nil {
		return out, err
	}
	for _, e := range all {
		l, err := d.sealLine(ctx, e)
		if err != nil {
			return out, err
		}
		out.Seals = append(out.Seals, l)
	}
	out.MayImport = makes
	out.Division = d.cfg.Division
	out.Kinds = []string{life.KindStatutory, life.KindInternal, life.KindBranch, life.KindSpecial, life.KindPersonal}
	if out.MayApply, err = d.holds(ctx, p, identity.RoleClerk, identity.RoleSealAdministrator); err != nil || !out.MayApply {
		return out, err
	}
	out.Staff, err = d.clerks(ctx, p.Unit)
	return out, err
}

// sealLine counts the uses of a seal that has a bound.
func (d *Service) sealLine(ctx context.Context, e signer.Seal) (l console.SealLine, err error) {
	l.Seal = e
	if e.Authorisation.Total > 0 || e.Authorisation.Quota > 0 {
		all, window := e.Counted(d.now())
		l.Taken, err = d.cfg.Counts.Taken(ctx, e.ID, all, window)
	}
	return l, err
}

// visible returns a seal to the persons of its unit and to who makes seals.
func (d *Service) visible(ctx context.Context, p console.Person, id string) (signer.Seal, error) {
	e, err := d.cfg.Life.Seal(ctx, id)
	if err != nil {
		return signer.Seal{}, err
	}
	if e.Unit == p.Unit {
		return e, allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator))
	}
	makes, err := d.serves(ctx, p, identity.RoleSealAdministrator)
	if err == nil && !makes {
		err = signer.ErrNotFound
	}
	return e, err
}

// Seal implements console.Seals.
func (d *Service) Seal(ctx context.Context, p console.Person, id string) (v console.SealView, err error) {
	e, err := d.visible(ctx, p, id)
	if err != nil {
		return v, err
	}
	if v.SealLine, err = d.sealLine(ctx, e); err != nil {
		return v, err
	}
	if v.Foreign, err = foreign(e); err != nil {
		return v, err
	}
	if v.Image, err = d.image(ctx, e); err != nil {
		return v, err
	}
	steps, err := d.cfg.Life.Steps(ctx, id)
	if err != nil {
		return v, err
	}
	for _, s := range steps {
		by, err := d.name(ctx, s.Actor)
		if err != nil {
			return v, err
		}
		v.Steps = append(v.Steps, console.StepLine{Step: s, By: by})
	}
	for _, u := range e.Authorisation.Users {
		name, err := d.name(ctx, u.Person)
		if err != nil {
			return v, err
		}
		v.Users = append(v.Users, console.Named{ID: u.Person, Name: name})
	}
	if v.Staff, err = d.clerks(ctx, e.Unit); err != nil {
		return v, err
	}
	if e.Ask != nil {
		if v.Asker, err = d.name(ctx, e.Ask.Requester); err != nil {
			return v, err
		}
	}
	if e.Awaits() && e.Unit == p.Unit && e.Ask.Requester != p.ID {
		if v.MayAnswer, err = d.holds(ctx, p, identity.RoleUnitLeader); err != nil {
			return v, err
		}
	}
	return v, d.acts(ctx, p, &v)
}

// acts says what this person may do now, and what has to come first. A seal is
// made by somebody who had no part in it, after its certificate was approved.
func (d *Service) acts(ctx context.Context, p console.Person, v *console.SealView) (err error) {
	if v.Acts, err = d.cfg.Life.Open(ctx, d.actor(p), v.Seal); err != nil {
		return err
	}
	switch {
	case v.Awaits():
		v.Waits = "desk.seal.waits.leader"
	case v.State == signer.SealApproved:
		switch _, err := d.cfg.Approvals.ApprovalOf(ctx, approval.KindCertificate, PrefixSeal+v.ID); {
		case errors.Is(err, approval.ErrNotFound):
			v.Waits = "desk.seal.waits.certificate"
		case err != nil:
			return err
		}
		_, err := d.cfg.Life.Ready(ctx, d.actor(p), v.ID)
		if v.Waits != "" || err != nil {
			v.Acts = slices.DeleteFunc(v.Acts, func(r life.Rule) bool { return r.Act == life.ActMake })
		}
	}
	return nil
}

// image is the picture of a seal, or the one that was applied with.
func (d *Service) image(ctx context.Context, e signer.Seal) ([]byte, error) {
	if len(e.DER) > 0 {
		parsed, err := seal.ParseSeal(e.DER)
		if err != nil {
			return nil, fmt.Errorf("desk: seal %s: %w", e.ID, err)
		}
		return parsed.Picture.Data, nil
	}
	img, err := d.applied(ctx, e)
	if errors.Is(err, life.ErrPicture) || errors.Is(err, console.ErrNotKept) {
		return nil, nil
	}
	return img.Data, err
}

// applied is the picture of an application, exactly the one that was approved.
func (d *Service) applied(ctx context.Context, e signer.Seal) (seal.Picture, error) {
	kept, err := d.drafts.get(ctx, e.ID, draftPicture)
	if errors.Is(err, fs.ErrNotExist) {
		return seal.Picture{}, console.ErrNotKept
	}
	if err != nil {
		return seal.Picture{}, err
	}
	if signer.Digest(kept.Bytes) != e.Picture {
		return seal.Picture{}, life.ErrPicture
	}
	return seal.Picture{Type: "PNG", Data: kept.Bytes, Width: kept.Width, Height: kept.Width}, nil
}
