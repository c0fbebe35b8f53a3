package desk

import (
	"context"
	"errors"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
)

// maxLines bounds a list.
const maxLines = 100

// Uses implements console.Uses.
func (d *Service) Uses(ctx context.Context, p console.Person) (out console.UseList, err error) {
	mine, err := d.cfg.Signer.Uses(ctx, signer.UseQuery{Requester: p.ID, Heads: true, Limit: maxLines})
	if err != nil {
		return out, err
	}
	if out.Mine, err = d.useLines(ctx, mine); err != nil {
		return out, err
	}
	leads, err := d.holds(ctx, p, identity.RoleUnitLeader)
	if err != nil {
		return out, err
	}
	if leads {
		waiting, err := d.cfg.Signer.Uses(ctx, signer.UseQuery{Unit: p.Unit, States: []signer.UseState{signer.UseRequested}, Heads: true, Limit: maxLines})
		if err != nil {
			return out, err
		}
		waiting = slices.DeleteFunc(waiting, func(u signer.Use) bool { return u.Requester == p.ID })
		if out.Waiting, err = d.useLines(ctx, waiting); err != nil {
			return out, err
		}
	}
	if out.MayAsk, err = d.holds(ctx, p, identity.RoleClerk); err != nil || !out.MayAsk {
		return out, err
	}
	if out.Consents, err = d.granted(ctx, p.Unit); err != nil {
		return out, err
	}
	out.Seals, err = d.cfg.Life.Seals(ctx, lifeQuery(p.Unit, signer.SealActive))
	out.Seals = slices.DeleteFunc(out.Seals, func(e signer.Seal) bool { return errors.Is(e.Admit(p.ID, d.now(), signer.Taken{}), signer.ErrUser) })
	return out, err
}

func (d *Service) useLines(ctx context.Context, all []signer.Use) (out []console.UseLine, err error) {
	seals := map[string]signer.Seal{}
	for _, u := range all {
		l := console.UseLine{Use: u}
		if _, known := seals[u.Seal]; !known {
			if seals[u.Seal], err = d.cfg.Life.Seal(ctx, u.Seal); err != nil {
				return nil, err
			}
		}
		l.SealName = seals[u.Seal].Name
		if l.Requester, err = d.name(ctx, u.Requester); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Decide implements console.Uses. Nobody approves what is not kept as it was
// asked for: the signature is over the document and the place that the page showed.
func (d *Service) Decide(ctx context.Context, p console.Person, id string, a console.Answer) error {
	got, err := d.part(ctx, p, id)
	switch {
	case err != nil:
		return err
	case !got.leads:
		return console.ErrForbidden
	case got.use.State != signer.UseRequested: // an item neither: its batch is answered
		return console.ErrAnswered
	}
	subject, err := d.cfg.Answers.UseSubject(ctx, got.use)
	if err != nil {
		return err
	}
	if a.Digest != subject.Digest {
		return signer.ErrChanged
	}
	asked := []signer.Use{got.use}
	if len(got.items) > 0 {
		asked = nil
		for _, it := range got.items {
			asked = append(asked, it.Use)
		}
	}
	for _, u := range asked {
		if _, err := d.kept(ctx, u); err != nil && a.Yes {
			return &console.PaperError{Name: u.Title, Err: err}
		}
	}
	return d.sign(ctx, p, subject, a, func() error {
		ctx := context.WithoutCancel(ctx) // signed: it takes effect though the browser went away
		_, _, err := d.cfg.Signer.MarkApproved(ctx, d.actor(p), id)
		if !errors.Is(err, signer.ErrRefused) {
			return err
		}
		err = nil
		for _, u := range asked {
			err = errors.Join(err, d.forget(ctx, u.ID, draftAsked, string(signer.UseRefused), d.actor(p)))
		}
		return err
	})
}
