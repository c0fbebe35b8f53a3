package desk

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// Catalogue finds resources by id or a part of the name.
type Catalogue interface {
	FindResources(ctx context.Context, text string, limit int) ([]sharing.Resource, error)
}

// Consents implements console.Consents: those of the person's unit, as consumer
// and as provider.
func (d *Service) Consents(ctx context.Context, p console.Person, find string) (out console.ConsentList, err error) {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader)); err != nil {
		return out, err
	}
	all, err := d.cfg.Consents.Of(ctx, identity.USCC(p.Unit))
	if err != nil {
		return out, err
	}
	for _, c := range all {
		l, err := d.consentLine(ctx, c)
		if err != nil {
			return out, err
		}
		if string(c.Provider) == p.Unit {
			out.Others = append(out.Others, l)
		}
		if string(c.Consumer) == p.Unit {
			out.Ours = append(out.Ours, l)
		}
	}
	if out.MayAsk, err = d.holds(ctx, p, identity.RoleClerk); err != nil || !out.MayAsk {
		return out, err
	}
	found, err := d.cfg.Catalogue.FindResources(ctx, find, maxLines+1)
	if err != nil {
		return out, err
	}
	if out.More = len(found) > maxLines; out.More {
		found = found[:maxLines]
	}
	for _, r := range found {
		name, err := d.agency(ctx, r.Provider)
		if err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, console.ResourceLine{ID: r.ID, Name: r.Name, Provider: name})
	}
	return out, nil
}

// agency is what pages call a unit; one that is not registered by its code.
func (d *Service) agency(ctx context.Context, unit identity.USCC) (string, error) {
	a, err := d.cfg.People.Agency(ctx, unit)
	if errors.Is(err, identity.ErrNotFound) {
		return string(unit), nil
	}
	return a.Name, err
}

func (d *Service) consentLine(ctx context.Context, c sharing.Consent) (l console.ConsentLine, err error) {
	l = console.ConsentLine{Consent: c, State: c.StateAt(d.now())}
	if l.ConsumerName, err = d.agency(ctx, c.Consumer); err != nil {
		return l, err
	}
	l.AskedWho, err = d.name(ctx, c.Requester)
	return l, err
}

// granted are the consents that a use of seal of the unit may name now.
func (d *Service) granted(ctx context.Context, unit string) (out []console.ConsentLine, err error) {
	all, err := d.cfg.Consents.Of(ctx, identity.USCC(unit))
	if err != nil {
		return nil, err
	}
	now := d.now()
	for _, c := range all {
		if string(c.Consumer) != unit || c.StateAt(now) != sharing.ConsentGiven || now.Before(c.NotBefore) {
			continue
		}
		l, err := d.consentLine(ctx, c)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// consent returns one of the person's unit; of others there is none.
func (d *Service) consent(ctx context.Context, p console.Person, id string) (c sharing.Consent, leads bool, err error) {
	if c, err = d.cfg.Consents.Consent(ctx, id); err != nil {
		return c, false, err
	}
	if string(c.Consumer) != p.Unit && string(c.Provider) != p.Unit {
		return sharing.Consent{}, false, sharing.ErrNotFound
	}
	if err := allowed(d.holds(ctx, p, identity.RoleClerk, identity.RoleUnitLeader)); err != nil {
		return sharing.Consent{}, false, err
	}
	if string(c.Provider) == p.Unit {
		leads, err = d.holds(ctx, p, identity.RoleUnitLeader)
	}
	return c, leads, err
}

// Consent implements console.Consents.
func (d *Service) Consent(ctx context.Context, p console.Person, id string) (v console.ConsentView, err error) {
	c, leads, err := d.consent(ctx, p, id)
	if err != nil {
		return v, err
	}
	if v.ConsentLine, err = d.consentLine(ctx, c); err != nil {
		return v, err
	}
	switch a, err := d.cfg.Approvals.ApprovalOf(ctx, approval.KindCitation, id); {
	case err == nil:
		v.Answer = &console.Answered{At: a.At, Yes: a.Approved, Reason: a.Reason}
		if v.Answer.By, err = d.name(ctx, a.Approver); err != nil {
			return v, err
		}
	case !errors.Is(err, approval.ErrNotFound):
		return v, err
	}
	// One that was signed and not recorded yet may be answered again: that records it.
	v.MayAnswer = leads && c.Requester != p.ID && c.State == sharing.ConsentAsked
	v.MayWithdraw = leads && v.State == sharing.ConsentGiven
	return v, nil
}

// AskConsent implements console.Consents. From today where no day is named.
func (d *Service) AskConsent(ctx context.Context, p console.Person, f console.ConsentForm) (string, error) {
	if err := allowed(d.holds(ctx, p, identity.RoleClerk)); err != nil {
		return "", err
	}
	if f.From.IsZero() {
		f.From = d.now().Truncate(time.Second)
	}
	c, _, err := d.cfg.Consents.Ask(ctx, sharing.Consent{
		Resource: f.Resource, Title: f.Title, Purpose: f.Purpose, Document: f.Document, NotBefore: f.From, NotAfter: f.Until.AddDate(0, 0, 1),
	}, d.actor(p))
	return c.ID, err
}

// AnswerConsent implements console.Consents.
func (d *Service) AnswerConsent(ctx context.Context, p console.Person, id string, a console.Answer) error {
	c, leads, err := d.consent(ctx, p, id)
	switch {
	case err != nil:
		return err
	case !leads:
		return console.ErrForbidden
	case c.State != sharing.ConsentAsked:
		return console.ErrAnswered
	case a.Digest != c.Digest:
		return life.ErrConflict
	}
	return d.sign(ctx, p, d.cfg.Answers.ConsentSubject(c), a, func() error {
		_, _, err := d.cfg.Consents.Decide(context.WithoutCancel(ctx), id, d.actor(p))
		return err
	})
}

// WithdrawConsent implements console.Consents: at once, by the provider's leader.
func (d *Service) WithdrawConsent(ctx context.Context, p console.Person, id, reason string) error {
	_, leads, err := d.consent(ctx, p, id)
	if err == nil && !leads {
		err = console.ErrForbidden
	}
	if err != nil {
		return err
	}
	_, _, err = d.cfg.Consents.Withdraw(ctx, id, reason, d.actor(p))
	return err
}
