package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/tlcp"
)

// serviceTLCP is what the registry names the house as a TLCP server.
const serviceTLCP = "tlcp"

// tlcpPair is the house's own dual certificate. It renews itself, with new keys,
// once two thirds of its life are over; while a renewal fails the old one is
// served until it ends. The keys are made here and never written: the suite has
// no forward secrecy, and an encryption key that is gone opens nothing that was
// recorded on the line.
type tlcpPair struct {
	house *House

	mu    sync.Mutex
	pair  tlcp.Pair // guarded by mu
	tried time.Time // guarded by mu: last renewal
}

// listenTLCP turns ln into a TLCP listener that serves the house's own pair.
func (h *House) listenTLCP(ctx context.Context, ln net.Listener) (net.Listener, error) {
	own := &tlcpPair{house: h}
	var err error
	if own.pair, err = h.issueTLCP(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("app: TLCP certificates: %w", err), ln.Close())
	}
	h.cfg.Log.WarnContext(ctx, "TLCP is served: legacy interop (遗留互通), without forward secrecy; systems that can use the HTTPS port should", "address", ln.Addr())
	return tlcp.Listen(ln, tlcp.ListenerConfig{
		Pair: own.current, Log: h.cfg.Log,
		Trust: h.trustTLCP,
	})
}

// trustTLCP is whom callers may hang on: every authority of the house.
func (h *House) trustTLCP(ctx context.Context) (tlcp.Trust, error) {
	set, err := h.Succession.Set(ctx)
	if err != nil {
		return tlcp.Trust{}, err
	}
	t := tlcp.Trust{Now: h.cfg.Now}
	for _, a := range set.Roots(profile.SM2) {
		t.Roots = append(t.Roots, a.Certificate)
	}
	for _, a := range set.Issuing(profile.SM2) {
		t.Issuing = append(t.Issuing, a.Certificate)
	}
	return t, nil
}

// serveTLCP answers on ln until ctx ends what HTTPS answers. A caller is the
// system of its pair, which the registry is asked about at each request.
func (h *House) serveTLCP(ctx context.Context, ln net.Listener, handler http.Handler) error {
	srv := h.newServer(handler)
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		peer, ok := tlcp.PeerOf(c)
		if !ok {
			return ctx
		}
		return api.WithPeer(ctx, func(ctx context.Context) (ledger.Actor, error) { return h.peers().pair(ctx, peer) })
	}
	return until(ctx, srv, func() error { return srv.Serve(ln) })
}

// pair knows a caller by its recorded, good dual certificate.
func (p peers) pair(ctx context.Context, peer tlcp.Peer) (ledger.Actor, error) {
	crt, err := p.ca.VerifyPair(ctx, peer.Sign, peer.Enc)
	if err != nil {
		return ledger.Actor{}, err
	}
	return p.system(ctx, crt)
}

// current is the pair in force. One handshake renews it; others meanwhile get
// the one that is still good.
func (t *tlcpPair) current(ctx context.Context) (tlcp.Pair, error) {
	pair, due := t.look()
	if !due {
		return pair, nil
	}
	next, err := t.house.issueTLCP(context.WithoutCancel(ctx)) // the caller may leave
	if err != nil {
		t.house.cfg.Log.ErrorContext(ctx, "renewing the TLCP certificates failed", "serves_until", pair.Sign.NotAfter, "error", err)
		return pair, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pair = next
	return next, nil
}

func (t *tlcpPair) look() (tlcp.Pair, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, c := t.house.cfg.Now(), t.pair.Sign
	if now.Before(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore)*2/3)) || now.Sub(t.tried).Abs() < quiet {
		return t.pair, false
	}
	t.tried = now
	return t.pair, true
}

func (h *House) issueTLCP(ctx context.Context) (tlcp.Pair, error) {
	sign, err := sm2.GenerateKey(h.cfg.Rand)
	if err != nil {
		return tlcp.Pair{}, fmt.Errorf("make signing key: %w", err)
	}
	enc, err := sm2.GenerateKey(h.cfg.Rand)
	if err != nil {
		return tlcp.Pair{}, fmt.Errorf("make encryption key: %w", err)
	}
	signRow, encRow, err := h.CA.IssueServerPair(ctx, h.service(), ca.ServerPair{
		Service: serviceTLCP, Agency: h.cfg.USCC, Organization: h.cfg.Organization, Hosts: h.cfg.Names, Sign: &sign.PublicKey, Enc: &enc.PublicKey,
	})
	if err != nil {
		return tlcp.Pair{}, err
	}
	_, by, err := certificateOf(ctx, h.sm2(), signRow.DER)
	if err != nil {
		return tlcp.Pair{}, err
	}
	pair := tlcp.Pair{SignKey: sign, EncKey: enc, Above: by.Chain()}
	if pair.Sign, err = smx509.ParseCertificate(signRow.DER); err != nil {
		return tlcp.Pair{}, fmt.Errorf("read back certificate: %w", err)
	}
	if pair.Enc, err = smx509.ParseCertificate(encRow.DER); err != nil {
		return tlcp.Pair{}, fmt.Errorf("read back certificate: %w", err)
	}
	return pair, nil
}
