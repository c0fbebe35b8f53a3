package app

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
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/desk"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// keyDrafts decrypts what the desk keeps.
const keyDrafts = "drafts"

// openDesk builds the people's side.
func (h *House) openDesk(ctx context.Context) (*desk.Service, error) {
	certs, err := h.openDrafts(ctx)
	if err != nil {
		return nil, err
	}
	return desk.New(desk.Config{
		Unit: h.cfg.USCC, Division: h.cfg.Division, People: h.rooms.Identity, Posts: holders{h}, Approvals: h.rooms.Approvals, Counts: h.rooms.Seals,
		Ledger: h.Ledger, Signer: h.Signer, Life: h.Life, Answers: h, Documents: h, Persons: certifying{h}, Workshop: workshop{h}, Imports: imports{h},
		Catalogue: h.rooms.Sharing, Consents: h.Consents, Domains: h.Domains, Grants: h.Grants, Reclass: h.Reclass, Archiver: h, Sealed: h.rooms.Seals, Links: links{h}, Leavers: leaving{h}, PINs: h.Signin, Notices: h.Notices,
		Authority: h.CA, Suspensions: h.rooms.CA, Recoveries: h.Recoveries, Anchors: h.Anchored, Succession: h.Succession, Roots: h, Closing: h.Closing, Peers: h.Peering, Retention: h.Retention, Routes: h.Routing, Requests: h.RA, Clearances: h.Clearances, Entries: h.Entries, Copies: h.Copies, Violations: h.Violations, Applications: h.Applications, Agreements: h, Tokens: h.Tokens,
		AccountKeys: accountKeys{h}, Texts: h.rooms.ACME, Certificates: h.rooms.CA, History: h.History,
		Blobs: h.blobs(), Key: h.draftsKey, Certs: certs, Words: h.words, Log: h.cfg.Log, Now: h.cfg.Now, NewID: newID,
	})
}

// openDrafts opens the key of drafts and returns its certificates, newest first.
// It makes what a house of an earlier version lacks, as openTrack does.
func (h *House) openDrafts(ctx context.Context) (certs [][]byte, err error) {
	all, err := h.rooms.CA.CertificatesOf(ctx, keyDrafts)
	if err != nil {
		return nil, fmt.Errorf("app: certificates of %s: %w", keyDrafts, err)
	}
	all = slices.DeleteFunc(all, func(c ca.Certificate) bool { return !c.Signed() })
	slices.SortFunc(all, func(a, b ca.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	soon := h.cfg.Now().AddDate(1, 0, 0)
	inForce := len(all) > 0 && all[0].State == ca.StateGood && soon.Before(all[0].NotAfter)
	h.draftsKey, err = h.custody.dir.OpenDecrypter(ctx, keyDrafts, nil)
	if errors.Is(err, keys.ErrNotFound) && !inForce {
		if _, err = h.custody.dir.Create(ctx, keys.Spec{ID: keyDrafts, Algorithm: keys.SM2, Purpose: keys.PurposeEncrypt, Owner: "desk"}); err == nil {
			h.draftsKey, err = h.custody.dir.OpenDecrypter(ctx, keyDrafts, nil)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("app: open key %s: %w", keyDrafts, err)
	}
	if !inForce {
		made, err := h.certifyDrafts(ctx)
		switch {
		case err == nil:
			all = append([]ca.Certificate{made}, all...)
		case !errors.Is(err, ca.ErrClosing) || len(all) == 0: // a service that ends goes on with what it has
			return nil, err
		}
	}
	for _, c := range all {
		certs = append(certs, c.DER)
	}
	return certs, nil
}

func (h *House) certifyDrafts(ctx context.Context) (ca.Certificate, error) {
	pub, err := h.custody.public(ctx, keyDrafts)
	if err != nil {
		return ca.Certificate{}, err
	}
	out, err := h.CA.IssueSM2(ctx, h.service(), ca.IssueSpec{
		ID: "service-" + keyDrafts, Kind: ca.KindService, Profile: profile.SM2Keep, Public: pub, Agency: h.cfg.USCC, System: keyDrafts,
		Subject: profile.Subject{CommonName: h.cfg.Organization + "待办文件保管", Organization: h.cfg.Organization},
	})
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("app: certificate of %s: %w", keyDrafts, err)
	}
	return out.Certificate, nil
}

// holders answers who holds a post now.
type holders struct{ h *House }

func (o holders) Holds(ctx context.Context, person string, unit identity.USCC, roles ...identity.Role) (bool, error) {
	return o.h.holds(ctx, person, unit, roles...)
}

// certifying gives persons their certificates.
type certifying struct{ h *House }

func (c certifying) Order(ctx context.Context, person string) (approval.Subject, error) {
	s, err := c.h.PersonOrder(ctx, person)
	return s, noKey(err)
}

func (c certifying) Certify(ctx context.Context, person string) error {
	_, err := c.h.CertifyPerson(ctx, c.h.service(), person)
	return err
}

func (c certifying) Key(ctx context.Context, order string) (string, error) {
	rec, err := c.h.custody.dir.Record(ctx, order)
	return rec.SPKISM3, noKey(err)
}

// noKey is what the desk calls a key that custody does not have.
func noKey(err error) error {
	if errors.Is(err, keys.ErrNotFound) {
		return fmt.Errorf("%w: %w", desk.ErrNoKey, err)
	}
	return err
}

// workshop makes seals.
type workshop struct{ h *House }

func (w workshop) Draw(ctx context.Context, unit identity.USCC, inscription string) (seal.Picture, error) {
	return w.h.picture(ctx, SealOrder{Unit: unit, Inscription: inscription})
}

func (w workshop) Order(ctx context.Context, e signer.Seal) (approval.Subject, error) {
	return w.h.PrepareSeal(ctx, SealOrder{ID: e.ID, Unit: identity.USCC(e.Unit)})
}

func (w workshop) Make(ctx context.Context, actor ledger.Actor, e signer.Seal, img seal.Picture) error {
	_, _, err := w.h.makeSeal(ctx, actor, SealOrder{ID: e.ID, Unit: identity.USCC(e.Unit)}, img)
	return err
}

// accountKeys makes the keys of ACME clients.
type accountKeys struct{ h *House }

func (k accountKeys) ACMEKeyOf(ctx context.Context, actor ledger.Actor, r ca.Request) (wire.ACMEKeyAnswer, error) {
	return k.h.acmeKey(ctx, r, actor)
}

// links lets persons in for the first time.
type links struct{ h *House }

func (l links) Invite(ctx context.Context, actor ledger.Actor, p identity.Person, post identity.Post) (console.Hired, error) {
	return hired(l.h.invite(ctx, actor, p, post, linkLife))
}

func (l links) Appoint(ctx context.Context, actor ledger.Actor, post identity.Post) error {
	post.From = l.h.cfg.Now().UTC().Truncate(time.Microsecond)
	_, _, err := l.h.Identity.AssignPost(ctx, post, actor)
	return err
}

func (l links) Again(ctx context.Context, actor ledger.Actor, p identity.Person, role identity.Role) (console.Hired, error) {
	return hired(l.h.link(ctx, actor, p, role, "activate", linkLife))
}

func hired(l Link, err error) (console.Hired, error) {
	return console.Hired{Name: l.Name, URL: l.URL, Expires: l.Expires}, err
}
