package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/peer"
)

// Peers keeps the peer domains, their systems and their lists of revoked
// certificates.
type Peers struct{ acts }

var _ peer.Register = (*Peers)(nil)

// peerRow holds what was proposed, and signed, as one body that never changes.
type peerRow struct {
	bun.BaseModel `bun:"table:ca_peer"`

	ID      string             `bun:"id,pk"`
	Domain  string             `bun:"domain"`
	Body    nested[peer.Entry] `bun:"body"`
	AskedAt bun.NullTime       `bun:"asked_at"`
	settledRow
}

func (r peerRow) entry() peer.Entry {
	e := r.Body.V
	e.State, e.Approval, e.SettledAt = peer.State(r.State), r.Approval, utc(r.SettledAt)
	e.EndedBy, e.EndReason, e.EndedAt = r.EndedBy, r.EndReason, utc(r.EndedAt)
	return e
}

// peerSystemRow marks a system as a peer domain's. It is never removed: a system
// of a domain that ended is none of the house.
type peerSystemRow struct {
	bun.BaseModel `bun:"table:ca_peer_system"`

	System string `bun:"system,pk"`
	Domain string `bun:"domain"`
}

// AddPeer implements peer.Register. Of two proposals of one domain at once the
// index of open proposals refuses one.
func (p *Peers) AddPeer(ctx context.Context, e peer.Entry, ev ledger.Event) (ledger.Receipt, error) {
	return p.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &peerRow{
			ID: e.ID, Domain: e.Domain, Body: nested[peer.Entry]{e}, AskedAt: at(e.AskedAt), settledRow: settledRow{State: string(peer.Proposed)},
		}, peer.ErrExists, peer.ErrNotFound, "peer domain", e.ID)
	})
}

// MovePeer implements peer.Register. What decisions rest on changes with it.
func (p *Peers) MovePeer(ctx context.Context, e peer.Entry, from peer.State, ev ledger.Event) (ledger.Receipt, error) {
	return p.commitFacts(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		if e.State == peer.InForce && e.Replaces != "" {
			n, err := changed(ctx, tx, "UPDATE ca_peer SET state = ?, ended_by = ?, end_reason = ?, ended_at = ? WHERE id = ? AND domain = ? AND state = ?",
				string(peer.Replaced), e.AskedBy, e.Reason, at(e.SettledAt), e.Replaces, e.Domain, string(peer.InForce))
			if err != nil {
				return fmt.Errorf("replacing peer domain %q: %w", e.Replaces, err)
			}
			if n != 1 {
				return fmt.Errorf("%w: what %q replaces is not in force", peer.ErrState, e.ID)
			}
		}
		n, err := settledRow{string(e.State), e.Approval, at(e.SettledAt), e.EndedBy, e.EndReason, at(e.EndedAt)}.move(ctx, tx, "ca_peer", e.ID, string(from))
		switch {
		case isDuplicate(err):
			return fmt.Errorf("%w: another entry of %q is in force", peer.ErrState, e.Domain)
		case err != nil:
			return fmt.Errorf("moving peer domain %q: %w", e.ID, err)
		case n != 1:
			return guarded[peerRow](ctx, tx, n, "peer domain", e.ID, string(from), peer.ErrNotFound, peer.ErrState)
		case e.State != peer.InForce:
			return nil
		}
		return markSystems(ctx, tx, e)
	}, fact{"peer", e.Domain})
}

func markSystems(ctx context.Context, tx bun.Tx, e peer.Entry) error {
	for _, s := range e.Systems {
		was, err := one[peerSystemRow](ctx, tx, "system = ?", s.ID)
		err = found(err, peer.ErrNotFound, "peer system", s.ID)
		switch {
		case errors.Is(err, peer.ErrNotFound):
			err = insert(ctx, tx, &peerSystemRow{System: s.ID, Domain: e.Domain}, peer.ErrTaken, peer.ErrNotFound, "peer system", s.ID)
		case err == nil && was.Domain != e.Domain:
			err = fmt.Errorf("%w: %q", peer.ErrTaken, s.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Peer implements peer.Register.
func (p *Peers) Peer(ctx context.Context, id string) (peer.Entry, error) {
	r, err := one[peerRow](ctx, p.s.r, "id = ?", id)
	return r.entry(), found(err, peer.ErrNotFound, "peer domain", id)
}

// Peers implements peer.Register.
func (p *Peers) Peers(ctx context.Context, states ...peer.State) ([]peer.Entry, error) {
	if len(states) == 0 {
		states = []peer.State{peer.Proposed, peer.InForce, peer.Refused, peer.Withdrawn, peer.Replaced}
	}
	return list(ctx, p.s.r, peerRow.entry, "asked_at, id", "state IN (?)", bun.List(states))
}

// DomainOf implements peer.Register.
func (p *Peers) DomainOf(ctx context.Context, system string) (string, error) {
	r, err := one[peerSystemRow](ctx, p.s.r, "system = ?", system)
	return r.Domain, found(err, peer.ErrNotFound, "peer system", system)
}

type peerListRow struct {
	bun.BaseModel `bun:"table:ca_peer_list"`

	Domain     string       `bun:"domain,pk"`
	Issuer     string       `bun:"issuer,pk"`
	SM3        string       `bun:"sm3"`
	DER        []byte       `bun:"der"`
	Number     string       `bun:"number"`
	ThisUpdate bun.NullTime `bun:"this_update"`
	NextUpdate bun.NullTime `bun:"next_update"`
	TakenAt    bun.NullTime `bun:"taken_at"`
	Source     string       `bun:"source"`
}

func (r peerListRow) list() peer.List {
	return peer.List{
		Domain: r.Domain, Issuer: r.Issuer, SM3: r.SM3, DER: r.DER, Number: r.Number, ThisUpdate: utc(r.ThisUpdate), NextUpdate: utc(r.NextUpdate),
		TakenAt: utc(r.TakenAt), Source: r.Source,
	}
}

// PutList implements peer.Register.
func (p *Peers) PutList(ctx context.Context, l peer.List, ev ledger.Event) (ledger.Receipt, error) {
	return p.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE ca_peer_list SET sm3 = ?, der = ?, number = ?, this_update = ?, next_update = ?, taken_at = ?, source = ?
			WHERE domain = ? AND issuer = ? AND this_update < ?`,
			l.SM3, l.DER, l.Number, at(l.ThisUpdate), at(l.NextUpdate), at(l.TakenAt), l.Source, l.Domain, l.Issuer, at(l.ThisUpdate))
		if err != nil {
			return fmt.Errorf("replacing the list of %q: %w", l.Domain, err)
		}
		if n == 1 {
			return nil
		}
		return insert(ctx, tx, &peerListRow{
			Domain: l.Domain, Issuer: l.Issuer, SM3: l.SM3, DER: l.DER, Number: l.Number, ThisUpdate: at(l.ThisUpdate), NextUpdate: at(l.NextUpdate),
			TakenAt: at(l.TakenAt), Source: l.Source,
		}, peer.ErrOld, peer.ErrNotFound, "list of peer domain", l.Domain)
	})
}

// PeerList implements peer.Register.
func (p *Peers) PeerList(ctx context.Context, domain, issuer, have string) (peer.List, error) {
	var sums []string
	err := p.s.r.NewSelect().Model((*peerListRow)(nil)).Column("sm3").Where("domain = ? AND issuer = ?", domain, issuer).Scan(ctx, &sums)
	switch {
	case err != nil:
		return peer.List{}, fmt.Errorf("reading the list of %q: %w", domain, err)
	case len(sums) == 0:
		return peer.List{}, fmt.Errorf("%w: list of %q", peer.ErrNotFound, domain)
	case sums[0] == have:
		return peer.List{Domain: domain, Issuer: issuer, SM3: have}, nil
	}
	r, err := one[peerListRow](ctx, p.s.r, "domain = ? AND issuer = ?", domain, issuer)
	return r.list(), found(err, peer.ErrNotFound, "list of peer domain", domain)
}
