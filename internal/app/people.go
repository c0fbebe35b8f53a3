package app

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/desk"
)

// personKey names a person's signing key in custody.
func personKey(person string) string { return desk.PrefixPerson + person }

// certificateOrder is what a person's certificate will be issued from, and so
// what the RA officer signs.
func (h *House) certificateOrder(p identity.Person, a identity.Agency, pub *ecdsa.PublicKey) ca.IssueSpec {
	return ca.IssueSpec{
		ID: personKey(p.ID), Kind: ca.KindPerson, Profile: profile.SM2Person, Public: pub, Agency: string(p.Agency), Person: p.ID,
		Subject: profile.Subject{CommonName: p.Name, Organization: a.Name, USCC: string(a.USCC)},
	}
}

// MakePersonKey makes a person's signing key under the PIN. The certificate
// comes with CertifyPerson.
func (h *House) MakePersonKey(ctx context.Context, person, pin string) error {
	_, err := h.custody.people.Create(ctx, personKey(person), person, pin)
	return err
}

// PersonOrder returns what an RA officer approves for a person who has a key:
// the subject of the approval.
func (h *House) PersonOrder(ctx context.Context, person string) (approval.Subject, error) {
	spec, err := h.personSpec(ctx, person)
	if err != nil {
		return approval.Subject{}, err
	}
	sum, err := ca.SpecDigest(spec)
	if err != nil {
		return approval.Subject{}, err
	}
	return approval.Subject{Kind: approval.KindCertificate, ID: spec.ID, Digest: sum, Unit: identity.USCC(h.cfg.USCC), Requester: person}, nil
}

func (h *House) personSpec(ctx context.Context, person string) (ca.IssueSpec, error) {
	p, err := h.rooms.Identity.Person(ctx, person)
	if err != nil {
		return ca.IssueSpec{}, err
	}
	if !p.LeftAt.IsZero() {
		return ca.IssueSpec{}, identity.ErrLeft
	}
	a, err := h.rooms.Identity.Agency(ctx, p.Agency)
	if err != nil {
		return ca.IssueSpec{}, err
	}
	pub, err := h.custody.public(ctx, personKey(person))
	if err != nil {
		return ca.IssueSpec{}, err
	}
	return h.certificateOrder(p, a, pub), nil
}

// CertifyPerson issues the certificate of a person who has a key and records
// both. Until the house has a certified RA officer nobody can approve: the
// founders' certificates are issued as such, and the ledger says so.
func (h *House) CertifyPerson(ctx context.Context, actor ledger.Actor, person string) (ledger.Receipt, error) {
	spec, err := h.personSpec(ctx, person)
	if err != nil {
		return ledger.Receipt{}, err
	}
	// Held to the end: the officer's own certificate closes the founding, and
	// nobody slips through beside it.
	h.founded.Lock()
	defer h.founded.Unlock()
	founds, err := h.founds(ctx, person)
	if err != nil {
		return ledger.Receipt{}, err
	}
	authority := h.CA
	if founds {
		authority = h.founder
	}
	out, err := authority.IssueSM2(ctx, actor, spec)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("app: certificate of person: %w", err)
	}
	return h.Identity.SetPersonKey(ctx, person, personKey(person), out.Certificate.DER, actor)
}

// founds says whether a person is a founder, that is one of the three
// administrators or the first RA officer, of a house that no RA officer with a
// certificate serves yet. The caller holds h.founded.
func (h *House) founds(ctx context.Context, person string) (bool, error) {
	if h.raOfficer {
		return false, nil
	}
	unit := identity.USCC(h.cfg.USCC)
	officers, err := h.rooms.Identity.Holders(ctx, unit, identity.RoleRAOfficer)
	if err != nil {
		return false, fmt.Errorf("app: look for RA officers: %w", err)
	}
	for _, p := range officers {
		if len(p.CertDER) > 0 {
			h.raOfficer = true
			return false, nil
		}
	}
	return h.holds(ctx, person, unit, identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor, identity.RoleRAOfficer)
}

// holds says whether a person holds one of these posts in a unit now.
func (h *House) holds(ctx context.Context, person string, unit identity.USCC, roles ...identity.Role) (bool, error) {
	posts, err := h.rooms.Identity.PostsOf(ctx, person)
	if err != nil {
		return false, fmt.Errorf("app: posts: %w", err)
	}
	now := h.cfg.Now()
	return slices.ContainsFunc(posts, func(p identity.Post) bool {
		return p.Agency == unit && p.HeldAt(now) && slices.Contains(roles, p.Role)
	}), nil
}

// Approve answers a subject with a person's own key, opened by the PIN for
// this one act (design law 5). Tries are counted as everywhere else.
func (h *House) Approve(ctx context.Context, s approval.Subject, person, pin string, approved bool, reason string) (approval.Approval, ledger.Receipt, error) {
	key, p, err := h.Signin.Open(ctx, person, pin)
	if err != nil {
		return approval.Approval{}, ledger.Receipt{}, err
	}
	a, rc, err := h.Approvals.Decide(ctx, approval.Approval{Subject: s, Approved: approved, Reason: reason, Approver: person}, key, h.PersonActor(person, p.Agency))
	return a, rc, errors.Join(err, key.Close())
}

// PersonActor is how events name a person.
func (h *House) PersonActor(person string, unit identity.USCC) ledger.Actor {
	return ledger.Actor{Kind: "person", ID: person, Unit: string(unit)}
}
