package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
)

// Bounds of the desk.
const (
	maxKept  = 20  // documents of one person
	maxLines = 100 // of a list
)

// Uses implements console.Uses.
func (d *Service) Uses(ctx context.Context, p console.Person) (out console.UseList, err error) {
	mine, err := d.cfg.Signer.Uses(ctx, signer.UseQuery{Requester: p.ID, Limit: maxLines})
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
		waiting, err := d.cfg.Signer.Uses(ctx, signer.UseQuery{Unit: p.Unit, States: []signer.UseState{signer.UseRequested}, Limit: maxLines})
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

// Submit implements console.Uses. The document is on the disk, encrypted, before
// the request exists, and becomes part of it after.
func (d *Service) Submit(ctx context.Context, p console.Person, f console.UseForm) (string, error) {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk)); err != nil {
		return "", err
	}
	d.asking.Lock()
	defer d.asking.Unlock()
	if err := d.room(ctx, p, f); err != nil {
		return "", err
	}
	cited, err := d.cited(ctx, f.Consents)
	if err != nil {
		return "", err
	}
	loose := d.cfg.NewID()
	if err := d.drafts.put(ctx, loose, draftNew, draft{Name: f.Paper.Name, Bytes: f.Paper.Bytes}); err != nil {
		return "", err
	}
	u, _, err := d.cfg.Signer.RequestUse(ctx, d.actor(p), signer.UseRequest{
		Seal: f.Seal, Document: f.Paper.Bytes, Title: f.Title, Type: f.Type, Purpose: f.Purpose, Place: f.Place, Citations: cited,
	})
	if err != nil {
		return "", errors.Join(err, d.drafts.drop(context.WithoutCancel(ctx), loose, draftNew))
	}
	return u.ID, d.drafts.rename(ctx, loose, draftNew, u.ID, draftAsked)
}

// cited takes from the register what the consents are for; whether they are for
// this document and unit is the signer's to say.
func (d *Service) cited(ctx context.Context, consents []string) (out []cite.Citation, err error) {
	for _, id := range consents {
		c, err := d.cfg.Documents.Cite(ctx, id, "")
		if errors.Is(err, sharing.ErrNotFound) {
			return nil, fmt.Errorf("%w: no consent %.80q", signer.ErrCitation, id)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// room refuses a request that is open already, and one more than a person may
// have kept.
func (d *Service) room(ctx context.Context, p console.Person, f console.UseForm) error {
	mine, err := d.cfg.Signer.Uses(ctx, signer.UseQuery{Requester: p.ID, Limit: signer.MaxUses})
	if err != nil {
		return err
	}
	all, err := d.drafts.list(ctx, d.cfg.Now())
	if err != nil {
		return err
	}
	documents := map[string]bool{}
	for _, f := range all {
		documents[f.id] = documents[f.id] || f.document()
	}
	kept, sum := 0, signer.Digest(f.Paper.Bytes)
	for _, u := range mine {
		if u.Seal == f.Seal && u.Document == sum && (u.State == signer.UseRequested || u.State == signer.UseApproved) {
			return console.ErrRepeated
		}
		if documents[u.ID] {
			kept++
		}
	}
	if kept >= maxKept {
		return console.ErrTooMany
	}
	return nil
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
	case got.use.State != signer.UseRequested:
		return console.ErrAnswered
	}
	subject, err := d.cfg.Answers.UseSubject(ctx, got.use)
	if err != nil {
		return err
	}
	if a.Digest != subject.Digest {
		return signer.ErrChanged
	}
	if a.Yes {
		if _, err := d.paper(ctx, p, got.use); err != nil {
			return err
		}
	}
	return d.sign(ctx, p, subject, a, func() error {
		ctx := context.WithoutCancel(ctx) // signed: it takes effect though the browser went away
		_, _, err := d.cfg.Signer.MarkApproved(ctx, d.actor(p), id)
		if errors.Is(err, signer.ErrRefused) {
			return d.forget(ctx, id, draftAsked, string(signer.UseRefused), d.actor(p))
		}
		return err
	})
}
