package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// errGuest: a system of a peer domain has the certificates of its domain.
var errGuest = errors.New("app: the system is a peer domain's and gets no certificate here")

// openPeers builds the register of peer domains.
func (h *House) openPeers() (err error) {
	h.Peering, err = peer.New(peer.Config{
		Register: h.rooms.Peers, Approver: peerApprover{h}, Posts: posts{h}, Systems: guests{h}, Recorder: h.Ledger, House: h.cfg.USCC,
		Actor: h.service(), Own: h.authoritiesDER, Actions: actionNames(), Now: h.cfg.Now, NewID: newID,
	})
	h.peerBounds.peers = h.Peering
	return err
}

// PeerSubject is what a registration officer signs.
func (h *House) PeerSubject(e peer.Entry) approval.Subject {
	return approval.Subject{Kind: approval.KindPeer, ID: e.ID, Digest: e.Digest(), Unit: identity.USCC(h.cfg.USCC), Requester: e.AskedBy}
}

// peerApprover verifies the signature over an entry.
type peerApprover struct{ h *House }

func (p peerApprover) Answer(ctx context.Context, e peer.Entry) (peer.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.PeerSubject(e))
	if err != nil {
		err = fmt.Errorf("%w: %w", peer.ErrNotApproved, err)
	}
	return peer.Answer{ID: id, Yes: yes}, err
}

// guests puts the systems of peer domains into the register of systems. Their
// agencies have the purposes of the domain as duties, and are of the level above.
type guests struct{ h *House }

// Registered implements peer.Systems.
func (g guests) Registered(ctx context.Context, system string) (string, bool, error) {
	s, err := g.h.rooms.Identity.System(ctx, system)
	if errors.Is(err, identity.ErrNotFound) {
		return "", false, nil
	}
	return string(s.Agency), err == nil, err
}

// Enter implements peer.Systems.
func (g guests) Enter(ctx context.Context, actor ledger.Actor, e peer.Entry, s peer.System) error {
	unit := identity.USCC(s.Unit)
	switch _, err := g.h.rooms.Identity.Agency(ctx, unit); {
	case errors.Is(err, identity.ErrNotFound):
		kind := identity.KindOrgan
		if e.Kind == peer.KindVertical {
			kind = identity.KindVertical
		}
		a := identity.Agency{USCC: unit, Name: s.UnitName, Kind: kind, District: g.h.cfg.Division[:4] + "00", Duties: e.Purposes, Sample: g.h.cfg.Sample}
		if _, _, err := g.h.Identity.RegisterAgency(ctx, a, actor); err != nil && !errors.Is(err, identity.ErrExists) {
			return err
		}
	case err != nil:
		return err
	}
	_, _, err := g.h.Identity.RegisterSystem(ctx, identity.System{ID: s.ID, Name: s.Name, Agency: unit, Sample: g.h.cfg.Sample}, actor)
	if errors.Is(err, identity.ErrExists) { // another node was faster
		return nil
	}
	return err
}

// guest says whether a system is a peer domain's, also of one that ended.
func (h *House) guest(ctx context.Context, system string) (bool, error) {
	domain, err := h.Peering.DomainOf(ctx, system)
	return domain != "", err
}

// platform says whether a system is an exchange platform: one of the unit that runs
// the house, or of a city's domain that is in force. It may ask for the systems whose
// information it carries, which is recorded as theirs.
func (h *House) platform(ctx context.Context, system string) (bool, error) {
	domain, err := h.Peering.DomainOf(ctx, system)
	if err != nil {
		return false, err
	}
	if domain == "" {
		s, err := h.rooms.Identity.System(ctx, system)
		if errors.Is(err, identity.ErrNotFound) {
			return false, nil
		}
		return string(s.Agency) == h.cfg.USCC, err
	}
	all, err := h.Peering.InForce(ctx)
	return slices.ContainsFunc(all, func(e peer.Entry) bool { return e.Domain == domain && e.Kind == peer.KindCity }), err
}

// decided reads decisions from the ledger.
type decided struct{ h *House }

// Decided implements exchange.Decisions.
func (d decided) Decided(ctx context.Context, id string) (authz.Recorded, error) {
	entry, err := d.h.store.Ledger().EntryByID(ctx, id)
	if err == nil {
		err = intact(entry)
	}
	var out authz.Recorded
	if err == nil {
		out, err = authz.ReadDecision(ctx, entry.Body, d.h.store.Decisions())
	}
	for _, none := range []error{ledger.ErrNotFound, store.ErrNotKept, authz.ErrNotDecision, authz.ErrNotJudged} {
		if errors.Is(err, none) {
			return authz.Recorded{}, fmt.Errorf("%w: %w", exchange.ErrUndecided, err)
		}
	}
	return out, err
}

// maxOwn bounds what peerBounds remembers.
const maxOwn = 1 << 16

// peerBounds tells decisions what peer domains may do. A registered system that is the
// house's stays so (peer.ErrTaken), which is remembered; what is a domain's is read
// each time, so that a withdrawal counts at once.
type peerBounds struct {
	peers *peer.Service

	mu  sync.Mutex
	own map[string]struct{} // guarded by mu
}

var _ authz.Peers = (*peerBounds)(nil)

// Bound implements authz.Peers.
func (b *peerBounds) Bound(ctx context.Context, system string) (*authz.Bound, error) {
	b.mu.Lock()
	_, own := b.own[system]
	b.mu.Unlock()
	if own {
		return nil, nil
	}
	got, err := b.peers.Bound(ctx, system)
	if err != nil {
		return nil, err
	}
	if got == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.own == nil || len(b.own) >= maxOwn {
			b.own = map[string]struct{}{}
		}
		b.own[system] = struct{}{}
		return nil, nil
	}
	out := &authz.Bound{Domain: got.Domain, Level: level.Level(got.Level), Purposes: got.Purposes, From: got.From, Until: got.Until}
	for _, a := range got.Actions {
		out.Actions = append(out.Actions, authz.Action(a))
	}
	return out, nil
}

// clientele is whom a client certificate may hang on: the house's own authorities
// and those of peer domains. The answer is one object until they change, so that
// sessions are resumed.
type clientele struct {
	house *House

	mu  sync.Mutex
	own *x509.CertPool // guarded by mu: what set was made of
	of  []string       // guarded by mu: authorities of peer domains, DER
	set *tls.Config    // guarded by mu
}

// now lets the systems of peer domains through the handshake too, and nobody else:
// who they are is asked at each request. Without their register only the house's
// own come in.
func (c *clientele) now(ctx context.Context) (*tls.Config, error) {
	own, err := c.house.StepCA.ClientPool(ctx)
	if err != nil {
		return nil, err
	}
	ders, err := c.house.Peering.Authorities(ctx)
	if err != nil {
		c.house.cfg.Log.ErrorContext(ctx, "the register of peer domains is not read; only systems of the house come in", "error", err)
		ders = nil
	}
	of := make([]string, len(ders))
	for i, der := range ders {
		of[i] = string(der)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set != nil && c.own == own && slices.Equal(c.of, of) {
		return c.set, nil
	}
	roots := own.Clone()
	for _, der := range ders {
		if cert, err := x509.ParseCertificate(der); err == nil { // those of the SM2 track are for documents
			roots.AddCert(cert)
		}
	}
	c.own, c.of = own, of
	c.set = &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: c.house.server.GetCertificate, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots,
		NextProtos: []string{"h2", "http/1.1"},
	}
	return c.set, nil
}

// vouching is a domain as documents are verified against it.
func (h *House) vouching(e peer.Entry) verify.Domain {
	return verify.Domain{Name: e.Name, Anchors: e.Anchors, Issuing: e.Issuing, Admits: func(der []byte, at time.Time) error {
		return h.Peering.Vouches(context.Background(), e, der, at)
	}}
}

// listFetcher brings the lists of revoked certificates of peer domains.
func (h *House) listFetcher() (*peer.Fetcher, error) {
	return peer.NewFetcher(peer.FetcherConfig{Service: h.Peering, Warn: func(ctx context.Context, domain, what string, err error) {
		h.cfg.Log.WarnContext(ctx, what, "domain", domain, "error", err)
	}})
}
