package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Authority stops certificates of systems, and lifts holds: *ca.Service.
type Authority interface {
	Hold(ctx context.Context, actor ledger.Actor, issuer, serial, reason string) (ca.Suspension, ledger.Receipt, error)
	AskResume(ctx context.Context, actor ledger.Actor, id, why string) (ca.Suspension, ledger.Receipt, error)
	Resume(ctx context.Context, actor ledger.Actor, id string) (ca.Suspension, ledger.Receipt, error)
	RefuseResume(ctx context.Context, actor ledger.Actor, id, reason string) (ca.Suspension, ledger.Receipt, error)
	Revoke(ctx context.Context, actor ledger.Actor, issuer, serial string, reason int) error
	Compromised(ctx context.Context, actor ledger.Actor, issuer, serial string, since time.Time) error
}

// Suspensions reads holds.
type Suspensions interface {
	SuspensionsOf(ctx context.Context, system string) ([]ca.Suspension, error)
	Suspension(ctx context.Context, id string) (ca.Suspension, error)
}

// Tokens ends the access tokens of a system: *token.Service.
type Tokens interface {
	RevokeAll(ctx context.Context, actor ledger.Actor, system, reason string) (ledger.Receipt, error)
}

// RevokeTokens implements console.Systems.
func (d *Service) RevokeTokens(ctx context.Context, p console.Person, system, reason string) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	if _, err := d.cfg.People.System(ctx, system); err != nil {
		return err
	}
	_, err := d.cfg.Tokens.RevokeAll(ctx, d.actor(p), system, reason)
	return err
}

// SystemCertificates implements console.Systems.
func (d *Service) SystemCertificates(ctx context.Context, p console.Person, system string) (out console.SystemList, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return out, err
	}
	all, err := d.cfg.People.Systems(ctx)
	if err != nil {
		return out, fmt.Errorf("desk: systems: %w", err)
	}
	for _, s := range all {
		out.Systems = append(out.Systems, console.Named{ID: s.ID, Name: s.Name})
		if s.ID == system {
			out.System = console.Named{ID: s.ID, Name: s.Name}
		}
	}
	for _, r := range ca.Reasons() {
		out.Codes = append(out.Codes, r.Name)
	}
	waiting, err := d.cfg.Suspensions.SuspensionsOf(ctx, "")
	if err != nil {
		return out, fmt.Errorf("desk: holds: %w", err)
	}
	for _, x := range waiting {
		switch h, err := d.hold(ctx, p, x); {
		case err != nil:
			return out, err
		case h != nil:
			out.Asked = append(out.Asked, *h)
		}
	}
	if out.System.ID != "" {
		out.Rows, err = d.rows(ctx, p, system)
	}
	return out, err
}

// rows are the certificates of a system, newest first, a pair as one.
func (d *Service) rows(ctx context.Context, p console.Person, system string) (out []console.SystemCertificate, err error) {
	certs, err := d.cfg.Certificates.CertificatesOf(ctx, system)
	if err != nil {
		return nil, fmt.Errorf("desk: certificates of %s: %w", system, err)
	}
	holds, err := d.cfg.Suspensions.SuspensionsOf(ctx, system)
	if err != nil {
		return nil, fmt.Errorf("desk: holds of %s: %w", system, err)
	}
	for _, c := range certs {
		if c.Kind != ca.KindECDSA && c.Kind != ca.KindSM2Sign {
			continue
		}
		row := console.SystemCertificate{
			Serial: c.Serial, Kind: string(c.Kind), Subject: c.Subject, State: string(c.State), NotBefore: c.NotBefore, NotAfter: c.NotAfter, At: c.RevokedAt,
		}
		if c.State == ca.StateRevoked {
			row.Reason = ca.ReasonName(c.Reason)
		}
		if i := slices.IndexFunc(certs, func(e ca.Certificate) bool { return c.Pair != "" && e.Pair == c.Pair && e.Kind == ca.KindSM2Enc }); i >= 0 {
			row.Enc = certs[i].Serial
		}
		for _, x := range holds {
			if c.State == ca.StateHold && x.State != ca.SuspensionLifted && (x.Serial == c.Serial || c.Pair != "" && x.Pair == c.Pair) {
				if row.Hold, err = d.hold(ctx, p, x); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, row)
	}
	slices.Reverse(out)
	return out, nil
}

// hold shows a suspension; nil when its certificate was revoked meanwhile.
func (d *Service) hold(ctx context.Context, p console.Person, x ca.Suspension) (*console.Hold, error) {
	if _, err := d.held(ctx, x.System, x.Serial); err != nil {
		if errors.Is(err, ca.ErrState) {
			return nil, nil
		}
		return nil, err
	}
	h := &console.Hold{
		ID: x.ID, System: x.System, Serial: x.Serial, Reason: x.Reason, At: x.HeldAt, Asked: x.State == ca.SuspensionAsked,
		Why: x.Why, Refusal: x.Refusal, Digest: ca.ResumptionDigest(x), MayAnswer: x.AskedBy != p.ID,
	}
	var err error
	if h.By, err = d.name(ctx, x.HeldBy); err != nil {
		return nil, err
	}
	h.AskedBy, err = d.name(ctx, x.AskedBy)
	return h, err
}

func (d *Service) held(ctx context.Context, system, serial string) (ca.Certificate, error) {
	c, err := d.certificate(ctx, system, serial)
	if err == nil && c.State != ca.StateHold {
		err = ca.ErrState
	}
	return c, err
}

// certificate finds one of a system; a seal's or a person's is not among them.
func (d *Service) certificate(ctx context.Context, system, serial string) (ca.Certificate, error) {
	if _, err := d.cfg.People.System(ctx, system); err != nil {
		return ca.Certificate{}, err
	}
	certs, err := d.cfg.Certificates.CertificatesOf(ctx, system)
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("desk: certificates of %s: %w", system, err)
	}
	for _, c := range certs {
		if c.Serial == serial && (c.Kind == ca.KindECDSA || c.Kind == ca.KindSM2Sign || c.Kind == ca.KindSM2Enc) {
			return c, nil
		}
	}
	return ca.Certificate{}, ca.ErrNotFound
}

// Stop implements console.Systems.
func (d *Service) Stop(ctx context.Context, p console.Person, f console.StopForm) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	c, err := d.certificate(ctx, f.System, f.Serial)
	if err != nil {
		return err
	}
	if !f.Revoke {
		_, _, err = d.cfg.Authority.Hold(ctx, d.actor(p), c.Issuer, c.Serial, f.Reason)
		return err
	}
	code, err := ca.ReasonCode(f.Code)
	switch {
	case err != nil:
		return err
	case f.Since.IsZero():
		return d.cfg.Authority.Revoke(ctx, d.actor(p), c.Issuer, c.Serial, code)
	case code != ca.ReasonKeyCompromise:
		return console.ErrForm
	}
	return d.cfg.Authority.Compromised(ctx, d.actor(p), c.Issuer, c.Serial, f.Since)
}

// AskResume implements console.Systems.
func (d *Service) AskResume(ctx context.Context, p console.Person, hold, why string) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	_, _, err := d.cfg.Authority.AskResume(ctx, d.actor(p), hold, why)
	return err
}

// AnswerResume implements console.Systems.
func (d *Service) AnswerResume(ctx context.Context, p console.Person, hold string, a console.Answer) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	x, err := d.cfg.Suspensions.Suspension(ctx, hold)
	if err != nil {
		return err
	}
	switch {
	case x.State != ca.SuspensionAsked:
		return console.ErrAnswered
	case a.Digest != ca.ResumptionDigest(x):
		return ca.ErrDecided
	}
	s := approval.Subject{
		Kind: approval.KindCertificate, ID: x.Question(), Digest: ca.ResumptionDigest(x), Unit: identity.USCC(d.cfg.Unit), Requester: x.AskedBy,
	}
	return d.sign(ctx, p, s, a, func() error {
		ctx := context.WithoutCancel(ctx)
		if a.Yes {
			_, _, err = d.cfg.Authority.Resume(ctx, d.actor(p), hold)
		} else {
			_, _, err = d.cfg.Authority.RefuseResume(ctx, d.actor(p), hold, a.Reason)
		}
		return err
	})
}
