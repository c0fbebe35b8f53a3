package desk

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// hats are the posts of a person that count for applications.
type hats struct{ clerk, leads, office bool }

func (d *Service) hats(ctx context.Context, p console.Person) (h hats, err error) {
	if h.clerk, err = d.holds(ctx, p, identity.RoleClerk); err != nil {
		return h, err
	}
	if h.leads, err = d.holds(ctx, p, identity.RoleUnitLeader); err != nil {
		return h, err
	}
	h.office, err = d.serves(ctx, p, identity.RoleInformationOffice)
	if err == nil && h == (hats{}) {
		err = console.ErrForbidden
	}
	return h, err
}

// Applications implements console.Applications: those of the person's unit on any side;
// for the information office's unit, all.
func (d *Service) Applications(ctx context.Context, p console.Person) (out console.ApplicationList, err error) {
	h, err := d.hats(ctx, p)
	if err != nil {
		return out, err
	}
	out.MayApply = h.clerk
	unit := identity.USCC(p.Unit)
	if h.office || p.Unit == d.cfg.Unit {
		unit = ""
	}
	all, err := d.cfg.Applications.Of(ctx, unit)
	if err != nil {
		return out, err
	}
	for _, a := range all {
		l, err := d.applicationLine(ctx, p, h, a)
		if err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, l)
	}
	if out.Feedback, err = d.feedback(ctx, p, h, unit); err != nil {
		return out, err
	}
	agreements, err := d.cfg.Agreements.AgreementsOf(ctx, identity.USCC(p.Unit))
	if err != nil {
		return out, err
	}
	for _, g := range agreements {
		in := sharing.InForce(g, d.now()) == nil
		out.Agreements = append(out.Agreements, console.AgreementLine{Agreement: g, InForce: in, MayEnd: h.leads && g.Terminated.IsZero() && d.now().Before(g.NotAfter)})
	}
	if !h.clerk {
		return out, nil
	}
	seals, err := d.cfg.Life.Seals(ctx, lifeQuery(p.Unit, signer.SealActive))
	for _, e := range seals {
		out.Seals = append(out.Seals, e.ID)
	}
	return out, err
}

func (d *Service) applicationLine(ctx context.Context, p console.Person, h hats, a sharing.Application) (l console.ApplicationLine, err error) {
	now, unit := d.now(), identity.USCC(p.Unit)
	l = console.ApplicationLine{Application: a, Overdue: a.OverdueAt(now)}
	if l.Sum, err = a.Digest(); err != nil {
		return l, err
	}
	if l.ConsumerName, err = d.agency(ctx, a.Consumer); err != nil {
		return l, err
	}
	if l.ProviderName, err = d.agency(ctx, a.Provider); err != nil {
		return l, err
	}
	asked, requester := a.Signer()
	next, mayObject := a.Next(now)
	l.Next = next
	l.MayForward = h.office && a.State == sharing.ApplicationForward
	l.MayReply = h.clerk && unit == a.Provider && a.State == sharing.ApplicationReceived
	l.MayObject = h.clerk && unit == a.Consumer && mayObject
	l.MayOutcome = h.office && a.State == sharing.ApplicationObjected
	l.MayAnswer = h.leads && unit == asked && requester != p.ID
	reads := unit == a.Consumer && (h.clerk || h.leads) || unit == a.Office && h.office
	l.MayAcknowledge = reads && a.Delivered() && !a.Acknowledged(unit)
	l.MayAskSeal = h.clerk && a.MaySeal(unit, p.ID)
	if ask, is := a.SealAskOf(unit); is && h.leads && ask.By != p.ID {
		g, err := a.Agreement()
		if err != nil {
			return l, err
		}
		l.MaySignSeal, l.Terms = true, g.Digest
	}
	return l, nil
}

func (d *Service) feedback(ctx context.Context, p console.Person, h hats, unit identity.USCC) (out []console.FeedbackLine, err error) {
	all, err := d.cfg.Applications.FeedbackOf(ctx, unit)
	if err != nil {
		return nil, err
	}
	own := identity.USCC(p.Unit)
	for _, f := range all {
		l := console.FeedbackLine{Feedback: f, Overdue: f.OverdueAt(d.now())}
		if l.ConsumerName, err = d.agency(ctx, f.Consumer); err != nil {
			return nil, err
		}
		l.MayAnswer = h.clerk && own == f.Provider && f.Open()
		l.MayAcknowledge = (h.clerk && own == f.Provider || h.office && own == f.Office) && !f.Acknowledged(own)
		out = append(out, l)
	}
	return out, nil
}

// ApplyToShare implements console.Applications. The room asks for the post, here and below.
func (d *Service) ApplyToShare(ctx context.Context, p console.Person, a sharing.Application) error {
	_, _, err := d.cfg.Applications.Ask(ctx, d.actor(p), a)
	return err
}

// Forward implements console.Applications.
func (d *Service) Forward(ctx context.Context, p console.Person, id, resource string, fields []string) error {
	_, _, err := d.cfg.Applications.Forward(ctx, d.actor(p), id, resource, fields)
	return err
}

// Reply implements console.Applications.
func (d *Service) Reply(ctx context.Context, p console.Person, id string, a sharing.ApplicationAnswer) error {
	_, _, err := d.cfg.Applications.Answer(ctx, d.actor(p), id, a)
	return err
}

// Object implements console.Applications.
func (d *Service) Object(ctx context.Context, p console.Person, id, ground string) error {
	_, _, err := d.cfg.Applications.Object(ctx, d.actor(p), id, ground)
	return err
}

// Outcome implements console.Applications.
func (d *Service) Outcome(ctx context.Context, p console.Person, id string, upheld bool, outcome string) error {
	_, _, err := d.cfg.Applications.Propose(ctx, d.actor(p), id, upheld, outcome)
	return err
}

// AcknowledgeAnswer implements console.Applications.
func (d *Service) AcknowledgeAnswer(ctx context.Context, p console.Person, id string) error {
	_, _, err := d.cfg.Applications.Acknowledge(ctx, d.actor(p), id)
	return err
}

// AskTermsSeal implements console.Applications: a seal of the own unit.
func (d *Service) AskTermsSeal(ctx context.Context, p console.Person, id, number string) error {
	e, err := d.cfg.Life.Seal(ctx, number)
	if err != nil {
		return err
	}
	if e.Unit != p.Unit {
		return signer.ErrUnit
	}
	_, _, err = d.cfg.Applications.AskSeal(ctx, d.actor(p), id, number)
	return err
}

// AnswerApplication implements console.Applications: the leader of the unit whose turn it
// is signs, who did not write it.
func (d *Service) AnswerApplication(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.holds(ctx, p, identity.RoleUnitLeader)); err != nil {
		return err
	}
	got, err := d.cfg.Applications.Application(ctx, id)
	if err != nil {
		return err
	}
	s, err := d.cfg.Answers.ApplicationSubject(got)
	switch {
	case err != nil:
		return err
	case s.Unit == "":
		return console.ErrAnswered
	case string(s.Unit) != p.Unit:
		return sharing.ErrNotParty
	case a.Digest != s.Digest:
		return life.ErrConflict
	}
	return d.sign(ctx, p, s, a, func() error {
		_, _, err := d.cfg.Applications.Settle(context.WithoutCancel(ctx), d.actor(p), id)
		return err
	})
}

// SealTerms implements console.Applications: the leader of a party signs for its seal.
func (d *Service) SealTerms(ctx context.Context, p console.Person, id string, a console.Answer) error {
	if err := allowed(d.holds(ctx, p, identity.RoleUnitLeader)); err != nil {
		return err
	}
	got, err := d.cfg.Applications.Application(ctx, id)
	if err != nil {
		return err
	}
	ask, is := got.SealAskOf(identity.USCC(p.Unit))
	if !is {
		return console.ErrAnswered
	}
	g, err := got.Agreement()
	if err != nil {
		return err
	}
	if a.Digest != g.Digest {
		return life.ErrConflict
	}
	return d.sign(ctx, p, d.cfg.Agreements.TermsSubject(g, ask), a, func() error {
		if !a.Yes {
			return nil
		}
		return d.cfg.Agreements.SealApplication(context.WithoutCancel(ctx), id, ask.Unit)
	})
}

// EndAgreement implements console.Applications: by the leader of a party, at once.
func (d *Service) EndAgreement(ctx context.Context, p console.Person, id, reason string) error {
	if err := allowed(d.holds(ctx, p, identity.RoleUnitLeader)); err != nil {
		return err
	}
	return d.cfg.Agreements.EndAgreement(ctx, d.actor(p), id, reason)
}

// GiveFeedback implements console.Applications.
func (d *Service) GiveFeedback(ctx context.Context, p console.Person, resource, said string) error {
	_, _, err := d.cfg.Applications.Report(ctx, d.actor(p), resource, said)
	return err
}

// AnswerFeedback implements console.Applications.
func (d *Service) AnswerFeedback(ctx context.Context, p console.Person, id, said string) error {
	_, _, err := d.cfg.Applications.Reply(ctx, d.actor(p), id, said)
	return err
}

// AcknowledgeFeedback implements console.Applications.
func (d *Service) AcknowledgeFeedback(ctx context.Context, p console.Person, id string) error {
	_, _, err := d.cfg.Applications.Heard(ctx, d.actor(p), id)
	return err
}
