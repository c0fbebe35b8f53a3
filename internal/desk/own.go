package desk

import (
	"context"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
)

// Me implements console.Own.
func (d *Service) Me(ctx context.Context, p console.Person) (out console.Me, err error) {
	person, err := d.cfg.People.Person(ctx, p.ID)
	if err != nil {
		return out, err
	}
	if out.HasPIN, err = d.activated(ctx, p.ID); err != nil {
		return out, err
	}
	held, err := d.cfg.People.PostsOf(ctx, p.ID)
	if err != nil {
		return out, fmt.Errorf("desk: posts: %w", err)
	}
	for _, post := range held {
		unit, err := d.cfg.People.Agency(ctx, post.Agency)
		if errors.Is(err, identity.ErrNotFound) {
			unit.Name, err = string(post.Agency), nil
		}
		if err != nil {
			return out, err
		}
		out.Posts = append(out.Posts, console.OwnPost{
			Role: d.cfg.Words.Get("role." + string(post.Role)).Zh, Title: post.Title, Unit: unit.Name, From: post.From, Until: post.Until, Held: post.HeldAt(d.cfg.Now()),
		})
	}
	if len(person.CertDER) == 0 {
		return out, nil
	}
	crt, err := smx509.ParseCertificate(person.CertDER)
	if err != nil {
		return out, fmt.Errorf("desk: certificate of %s: %w", p.ID, err)
	}
	out.Certificate = &console.OwnCertificate{
		Subject: crt.Subject.String(), Issuer: crt.Issuer.String(), Serial: fmt.Sprintf("%x", crt.SerialNumber),
		NotBefore: crt.NotBefore, NotAfter: crt.NotAfter, SM3: signer.Digest(person.CertDER),
	}
	return out, nil
}

// ChangePIN implements console.Own.
func (d *Service) ChangePIN(ctx context.Context, cookie, old, pin string) error {
	return d.cfg.PINs.ChangePIN(ctx, cookie, old, pin)
}
