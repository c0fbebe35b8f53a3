package status

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// delegateAgain spaces attempts to get a responder; delegateTimeout bounds one.
const (
	delegateAgain   = time.Minute
	delegateTimeout = 20 * time.Second
)

// signer is who signs an answer of an authority: its responder, which is asked
// for when there is none yet and again once two thirds of its life are over. One
// request renews; others meanwhile get who signed before. While a renewal fails
// the responder serves until it ends, and an authority that never had one signs
// itself.
func (s *Service) signer(ctx context.Context, i *issuer, now time.Time) signing {
	if g := *i.answer.Load(); s.cfg.Delegate == nil || !g.due(now) || !i.renewing.TryLock() {
		return g
	}
	defer i.renewing.Unlock()
	if g := *i.answer.Load(); !g.due(now) || now.Sub(i.renewed).Abs() < delegateAgain {
		return g
	}
	i.renewed = now
	// Whoever asked may leave; others want the responder all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), delegateTimeout)
	defer cancel()
	cert, key, err := s.cfg.Delegate(ctx, i.id)
	if err == nil {
		err = i.delegate(cert, key, now)
	}
	g := *i.answer.Load()
	if err != nil && now.After(g.cert.NotAfter) {
		// Nobody answers in its place any more; it may itself (RFC 6960 2.2).
		g = i.lists
		i.answer.Store(&g)
	}
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "OCSP: no new responder", "issuer", i.id, "signs", g.cert.Subject.String(), "until", g.cert.NotAfter, "error", err)
	}
	return g
}

// due: the authority signs itself, or its responder is past two thirds of its life.
func (g signing) due(now time.Time) bool {
	return g.embed == nil || !now.Before(g.cert.NotBefore.Add(g.cert.NotAfter.Sub(g.cert.NotBefore)*2/3))
}

// delegate accepts a responder that the authority issued itself (RFC 6960
// 4.2.2.2), for this and in its period. What it refuses changes nothing.
func (i *issuer) delegate(responder *smx509.Certificate, key crypto.Signer, now time.Time) error {
	name := i.Certificate.Subject.String()
	if responder == nil || key == nil {
		return fmt.Errorf("status: responder of %q without certificate or key", name)
	}
	g, err := newSigning(responder, key)
	if err != nil {
		return fmt.Errorf("status: responder of %q: %w", name, err)
	}
	if err := responder.CheckSignatureFrom(i.Certificate); err != nil {
		return fmt.Errorf("status: responder of %q was not issued by it: %w", name, err)
	}
	switch {
	case !slices.Contains(responder.ExtKeyUsage, smx509.ExtKeyUsageOCSPSigning):
		return fmt.Errorf("status: responder of %q may not sign answers", name)
	case now.Before(responder.NotBefore) || now.After(responder.NotAfter):
		return fmt.Errorf("status: responder of %q is out of its period", name)
	}
	g.embed = responder.Raw
	i.answer.Store(&g)
	return nil
}
