package desk

import (
	"context"
	"slices"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Anchored implements console.Anchors, for those who look after the register and
// for the house's auditors.
func (d *Service) Anchored(ctx context.Context, p console.Person) (out console.AnchorList, err error) {
	var officer bool
	if out.MayWrite, officer, err = d.stewardship(ctx, p); err != nil {
		return out, err
	}
	all, err := d.cfg.Anchors.All(ctx)
	if err != nil {
		return out, err
	}
	for _, a := range slices.Backward(all) {
		l := console.AnchorLine{Anchor: a, Sum: a.Digest()}
		if crt, err := smx509.ParseCertificate(a.DER); err == nil {
			l.Subject, l.CertUntil = text.Name(crt.Subject), crt.NotAfter
		}
		if l.By, err = d.name(ctx, a.AskedBy); err != nil {
			return out, err
		}
		if l.Ender, err = d.name(ctx, a.EndedBy); err != nil {
			return out, err
		}
		l.MayAnswer = officer && a.State == anchor.Proposed && a.AskedBy != p.ID
		l.MayEnd = out.MayWrite && (a.State == anchor.Proposed || a.State == anchor.InForce)
		out.Entries = append(out.Entries, l)
	}
	return out, nil
}

// ProposeAnchor implements console.Anchors. The room asks for the post.
func (d *Service) ProposeAnchor(ctx context.Context, p console.Person, a anchor.Anchor) error {
	_, _, err := d.cfg.Anchors.Propose(ctx, d.actor(p), a)
	return err
}

// WithdrawAnchor implements console.Anchors. The room asks for the post.
func (d *Service) WithdrawAnchor(ctx context.Context, p console.Person, id, reason string) error {
	_, _, err := d.cfg.Anchors.Withdraw(ctx, d.actor(p), id, reason)
	return err
}

// AnswerAnchor implements console.Anchors.
func (d *Service) AnswerAnchor(ctx context.Context, p console.Person, id string, a console.Answer) error {
	return d.officerAnswers(ctx, p, a, func() (approval.Subject, bool, error) {
		entry, err := d.cfg.Anchors.Anchor(ctx, id)
		return d.cfg.Answers.AnchorSubject(entry), entry.State == anchor.Proposed, err
	}, func(ctx context.Context) error {
		_, _, err := d.cfg.Anchors.Settle(ctx, d.actor(p), id)
		return err
	})
}
