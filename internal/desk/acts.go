package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

// Bounds of an uploaded picture of a seal, millimetres and pixels of a side.
const (
	minSealWidth, maxSealWidth = 15, 60
	maxSealPixels              = 2000
)

// SealYears is how long a seal is asked for unless the form says; its
// certificate bounds it.
const SealYears = 5

// Apply implements console.Seals. The picture is kept until the seal is made.
func (d *Service) Apply(ctx context.Context, p console.Person, f console.SealForm) error {
	now := d.now()
	a := life.Application{
		ID: f.ID, Unit: p.Unit, Name: f.Name, Kind: f.Kind, Purpose: f.Purpose, PictureFiling: f.Filing, Drawn: len(f.Picture) == 0,
		ValidFrom: now.AddDate(0, 0, -1), ValidUntil: f.Until, Authorisation: f.Authorisation,
	}
	if f.Until.IsZero() {
		a.ValidUntil = now.AddDate(SealYears, 0, 0)
	}
	// The certificate, good for one year, must end within the period.
	if a.ValidUntil.Before(now.AddDate(1, 1, 0)) {
		return fmt.Errorf("%w: shorter than its first certificate", life.ErrPeriod)
	}
	if err := d.users(ctx, p.Unit, f.Authorisation); err != nil {
		return err
	}
	kept, err := d.drawn(ctx, p, f)
	if err != nil {
		return err
	}
	a.Picture = signer.Digest(kept.Bytes)
	loose := d.cfg.NewID()
	if err := d.drafts.put(ctx, loose, draftNew, kept); err != nil {
		return err
	}
	if _, _, err := d.cfg.Life.Apply(ctx, d.actor(p), a); err != nil {
		return errors.Join(err, d.drafts.drop(context.WithoutCancel(ctx), loose, draftNew))
	}
	return d.drafts.rename(ctx, loose, draftNew, a.ID, draftPicture)
}

// users refuses an authorisation of persons who are not clerks of the unit.
func (d *Service) users(ctx context.Context, unit string, a signer.Authorisation) error {
	clerks, err := d.clerks(ctx, unit)
	if err != nil {
		return err
	}
	for _, u := range a.Users {
		if !slices.ContainsFunc(clerks, func(n console.Named) bool { return n.ID == u.Person }) {
			return console.ErrForm
		}
	}
	return nil
}

// drawn is the picture of an application: the one that came with it, which has a
// filing number, or a drawn 样章.
func (d *Service) drawn(ctx context.Context, p console.Person, f console.SealForm) (draft, error) {
	if len(f.Picture) == 0 {
		img, err := d.cfg.Workshop.Draw(ctx, identity.USCC(p.Unit), f.Inscription)
		if err != nil {
			return draft{}, fmt.Errorf("%w: %w", console.ErrForm, err)
		}
		return draft{Width: img.Width, Bytes: img.Data}, nil
	}
	if f.Width == 0 {
		f.Width = picture.DefaultDiameter
	}
	cfg, err := png.DecodeConfig(bytes.NewReader(f.Picture))
	if err != nil || cfg.Width != cfg.Height || cfg.Width < 1 || cfg.Width > maxSealPixels || f.Width < minSealWidth || f.Width > maxSealWidth {
		return draft{}, fmt.Errorf("%w: picture of a seal", console.ErrForm)
	}
	if _, err := png.Decode(bytes.NewReader(f.Picture)); err != nil {
		return draft{}, fmt.Errorf("%w: picture of a seal", console.ErrForm)
	}
	return draft{Width: f.Width, Bytes: f.Picture}, nil
}

// Act implements console.Seals.
func (d *Service) Act(ctx context.Context, p console.Person, id string, act life.Act, f console.ActForm) error {
	e, err := d.visible(ctx, p, id)
	if err != nil {
		return err
	}
	actor := d.actor(p)
	switch act {
	case life.ActMake:
		return d.makeApplied(ctx, p, e)
	case life.ActFile:
		_, _, err = d.cfg.Life.File(ctx, actor, id, life.Filing{Number: f.Filing, On: f.On})
	case life.ActActivate:
		_, _, err = d.cfg.Life.Activate(ctx, actor, id)
	case life.ActSuspend:
		_, _, err = d.cfg.Life.Suspend(ctx, actor, id, f.Reason)
	case life.ActCancel:
		if _, _, err = d.cfg.Life.Cancel(ctx, actor, id, f.Reason); err == nil {
			err = d.forget(context.WithoutCancel(ctx), id, draftPicture, string(signer.SealCancelled), actor)
		}
	case life.ActAsk:
		if f.Authorisation == nil {
			_, _, err = d.cfg.Life.AskResume(ctx, actor, id, f.Reason)
			break
		}
		if err = d.users(ctx, e.Unit, *f.Authorisation); err == nil {
			_, _, err = d.cfg.Life.AskAuthorise(ctx, actor, id, *f.Authorisation, f.Reason)
		}
	case life.ActCompromise:
		err = d.report(ctx, actor, life.Report{Seal: id, Since: f.Since, Reason: f.Reason})
	default:
		err = console.ErrForm
	}
	return err
}

// makeApplied makes a seal with the picture of its application.
func (d *Service) makeApplied(ctx context.Context, p console.Person, e signer.Seal) error {
	img, err := d.applied(ctx, e)
	if err != nil {
		return err
	}
	actor := d.actor(p)
	if err := d.cfg.Workshop.Make(ctx, actor, e, img); err != nil {
		return err
	}
	return d.forget(context.WithoutCancel(ctx), e.ID, draftPicture, string(signer.SealMade), actor)
}

// AnswerSeal implements console.Seals.
func (d *Service) AnswerSeal(ctx context.Context, p console.Person, id string, a console.Answer) error {
	e, err := d.visible(ctx, p, id)
	if err != nil {
		return err
	}
	switch {
	case !e.Awaits():
		return life.ErrNotAsked
	case a.Digest != e.Ask.Digest:
		return life.ErrConflict
	}
	return d.sign(ctx, p, d.cfg.Answers.SealSubject(e), a, func() error {
		ctx := context.WithoutCancel(ctx)
		now, _, err := d.cfg.Life.Settle(ctx, d.actor(p), id)
		switch {
		case err != nil:
			return err
		case now.State == signer.SealRefused:
			return d.forget(ctx, id, draftPicture, string(signer.SealRefused), d.actor(p))
		case now.State == signer.SealApproved: // the registration officer sees the key that is certified
			_, err = d.cfg.Workshop.Order(ctx, now)
		}
		return err
	})
}
