package anchor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"net/url"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Posts that look after the register.
const (
	roleSystem = "system_admin"
	roleRA     = "ra_officer"
)

// Limits of an entry.
const (
	maxText    = 300
	maxLicence = 20 * 365 * 24 * time.Hour
	minRSA     = 2048
)

// Propose records an anchor for a second person to approve. Of a it reads DER,
// Service, Licence, URL, From, Until and Reason.
func (s *Service) Propose(ctx context.Context, actor ledger.Actor, a Anchor) (Anchor, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	now := s.now()
	a = Anchor{
		ID: s.cfg.NewID(), DER: a.DER, Service: a.Service, Licence: a.Licence, URL: a.URL, From: a.From.UTC().Truncate(time.Millisecond),
		Until: a.Until.UTC().Truncate(time.Millisecond), Reason: a.Reason, AskedBy: actor.ID, AskedAt: now, State: Proposed,
	}
	if err := a.validate(now); err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	if err := s.foreign(ctx, a); err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	rc, err := s.cfg.Register.AddAnchor(ctx, a, s.event("proposed", actor, a, map[string]string{"reason": a.Reason}))
	return a, rc, err
}

// Settle lets the second person's signed answer take effect: in force or
// refused. What was sound when it was proposed has to be so still.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, id string) (Anchor, ledger.Receipt, error) {
	a, err := s.cfg.Register.Anchor(ctx, id)
	if err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	if a.State != Proposed {
		return Anchor{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, a.State)
	}
	answer, err := s.cfg.Approver.Answer(ctx, a)
	if err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	a.State, a.Approval, a.SettledAt = Refused, answer.ID, s.now()
	kind := "refused"
	if answer.Yes {
		if err := a.validate(s.now()); err != nil {
			return Anchor{}, ledger.Receipt{}, err
		}
		a.State, kind = InForce, "approved"
	}
	rc, err := s.cfg.Register.MoveAnchor(ctx, a, Proposed, s.event(kind, actor, a, map[string]string{"approval": answer.ID}))
	return a, rc, err
}

// Withdraw ends an anchor, or a proposal, at once.
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, id, reason string) (Anchor, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	if !line(reason) {
		return Anchor{}, ledger.Receipt{}, fmt.Errorf("%w: a reason is needed", ErrInvalid)
	}
	a, err := s.cfg.Register.Anchor(ctx, id)
	if err != nil {
		return Anchor{}, ledger.Receipt{}, err
	}
	from := a.State
	if from != Proposed && from != InForce {
		return Anchor{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, from)
	}
	a.State, a.EndedBy, a.EndReason, a.EndedAt = Withdrawn, actor.ID, reason, s.now()
	rc, err := s.cfg.Register.MoveAnchor(ctx, a, from, s.event("withdrawn", actor, a, map[string]string{"reason": reason}))
	return a, rc, err
}

func (s *Service) may(ctx context.Context, actor ledger.Actor) error {
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, s.cfg.House, roleSystem, roleRA)
	if err == nil && (!yes || actor.Kind != "person") {
		err = ErrForbidden
	}
	return err
}

// foreign refuses the keys of the house, under whatever certificate.
func (s *Service) foreign(ctx context.Context, a Anchor) error {
	cert, err := smx509.ParseCertificate(a.DER)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	all, err := s.cfg.Own(ctx)
	if err != nil {
		return fmt.Errorf("anchor: own authorities: %w", err)
	}
	for _, der := range all {
		own, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("anchor: own authority: %w", err)
		}
		if bytes.Equal(own.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) {
			return fmt.Errorf("%w: it is the house's own authority", ErrCertificate)
		}
	}
	return nil
}

func (a Anchor) validate(now time.Time) error {
	for _, t := range []string{a.Service, a.Licence, a.Reason} {
		if !line(t) {
			return fmt.Errorf("%w: service, licence and reason are needed, one line each", ErrInvalid)
		}
	}
	if u, err := url.Parse(a.URL); err != nil || len(a.URL) > maxText || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || text.Plain(a.URL) != a.URL {
		return fmt.Errorf("%w: where the service publishes its licence", ErrInvalid)
	}
	if a.From.IsZero() || !a.Until.After(a.From) || !a.Until.After(now) || a.Until.Sub(a.From) > maxLicence {
		return fmt.Errorf("%w: period of the licence", ErrInvalid)
	}
	return checkAuthority(a.DER, now)
}

// checkAuthority: an authority that signs itself, in its period, with a key that
// is not weak.
func checkAuthority(der []byte, now time.Time) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrCertificate, why) }
	cert, err := smx509.ParseCertificate(der)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	case !bytes.Equal(cert.Raw, der):
		return bad("something follows it")
	case !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage&smx509.KeyUsageCertSign == 0:
		return bad("it is no authority")
	case !bytes.Equal(cert.RawIssuer, cert.RawSubject) || cert.CheckSignatureFrom(cert) != nil:
		return bad("it does not sign itself")
	case now.Before(cert.NotBefore) || now.After(cert.NotAfter):
		return bad("it is out of its period")
	}
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return bad("its RSA key is too short")
		}
	default:
		return bad("an algorithm that is not used here")
	}
	return nil
}

// line is text of people that reads as it was written.
func line(s string) bool { return s != "" && len(s) <= maxText && text.Plain(s) == s }
