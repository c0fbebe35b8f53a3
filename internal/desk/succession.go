package desk

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Succession implements console.Succession, for those who look after the
// authorities and for the house's auditors.
func (d *Service) Succession(ctx context.Context, p console.Person) (out console.SuccessionList, err error) {
	var officer bool
	if out.MayWrite, officer, err = d.stewardship(ctx, p); err != nil {
		return out, err
	}
	all, err := d.cfg.Succession.Generations(ctx)
	if err != nil {
		return out, err
	}
	mayEnd := out.MayWrite
	for _, g := range slices.Backward(all) {
		l := console.GenerationLine{Generation: g, Sum: g.Digest(), Certificates: certificatesOf(g)}
		if l.By, err = d.name(ctx, g.AskedBy); err != nil {
			return out, err
		}
		if l.Ender, err = d.name(ctx, g.EndedBy); err != nil {
			return out, err
		}
		l.MayAnswer = officer && g.State == authority.Prepared && g.AskedBy != p.ID
		l.MayEnd = mayEnd && g.State.Open()
		out.MayWrite = out.MayWrite && !g.State.Open()
		if g.State == authority.Current {
			out.Offline = slices.ContainsFunc(g.Members, func(m authority.Member) bool { return m.By == "" })
		}
		out.Generations = append(out.Generations, l)
	}
	return out, nil
}

// certificatesOf are the certificates of a generation as people read them, also
// while they are not signed.
func certificatesOf(g authority.Generation) (out []console.CertificateOfAuthority) {
	for _, m := range g.Members {
		one := console.CertificateOfAuthority{Kind: string(m.Kind)}
		var crt *smx509.Certificate
		if m.DER != nil {
			sum := sm3.Sum(m.DER)
			one.SM3 = hex.EncodeToString(sum[:])
			crt, _ = smx509.ParseCertificate(m.DER)
		} else if view, err := lint.ParseTBS(m.TBS); err == nil {
			crt = view.Cert
		}
		if crt != nil {
			one.Subject, one.Issuer, one.From, one.Until = common(text.Name(crt.Subject)), common(text.Name(crt.Issuer)), crt.NotBefore, crt.NotAfter
		}
		out = append(out, one)
	}
	return out
}

// common is the common name of a name: authorities of one house differ in it.
func common(name string) string {
	for _, part := range strings.Split(name, ",") {
		if cn, is := strings.CutPrefix(strings.TrimSpace(part), "CN="); is {
			return cn
		}
	}
	return name
}

// PrepareSuccession implements console.Succession. The room asks for the post once
// more; nobody else leaves the record of a ceremony here.
func (d *Service) PrepareSuccession(ctx context.Context, p console.Person, o authority.Order, roots []byte) (err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleSystemAdmin, identity.RoleRAOfficer)); err != nil {
		return err
	}
	if len(roots) > 0 {
		if o.Roots, err = d.cfg.Roots.NewRoots(ctx, roots); err != nil {
			return err
		}
	}
	_, _, err = d.cfg.Succession.Prepare(ctx, d.actor(p), o)
	return err
}

// WithdrawSuccession implements console.Succession. The room asks for the post.
func (d *Service) WithdrawSuccession(ctx context.Context, p console.Person, number int, reason string) error {
	_, _, err := d.cfg.Succession.Withdraw(ctx, d.actor(p), number, reason)
	return err
}

// AnswerSuccession implements console.Succession.
func (d *Service) AnswerSuccession(ctx context.Context, p console.Person, number int, a console.Answer) error {
	return d.officerAnswers(ctx, p, a, func() (approval.Subject, bool, error) {
		g, err := d.cfg.Succession.Generation(ctx, number)
		return d.cfg.Answers.GenerationSubject(g), g.State == authority.Prepared, err
	}, func(ctx context.Context) error {
		_, _, err := d.cfg.Succession.Settle(ctx, d.actor(p), number)
		return err
	})
}
