package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// BootstrapConfig makes the four authorities of a house. Every field without
// another word is required.
type BootstrapConfig struct {
	Organization string    // O of the four, and the head of their CN
	Agency       string    // unified social credit code of the operator, for the registry
	Names        [4]string // CN of SM2 root, SM2 issuing, ECDSA root, ECDSA issuing; empty: from Organization
	Site         profile.Site

	// Keys come from custody. SM2 on sm2.P256(), ECDSA on P-256, four different.
	SM2Root, SM2Issuing, ECDSARoot, ECDSAIssuing crypto.Signer

	Registry Registry
	Actor    ledger.Actor
	Now      func() time.Time
	Rand     io.Reader
	NewID    func() string // ids of ledger events, UUIDv7
}

// Authorities are the certificates of a house, DER.
type Authorities struct {
	SM2Root, SM2Issuing, ECDSARoot, ECDSAIssuing []byte
}

// TrustDER is what a relying party needs: both roots.
func (a Authorities) TrustDER() [][]byte { return [][]byte{a.SM2Root, a.ECDSARoot} }

// Trust is TrustDER as PEM.
func (a Authorities) Trust() []byte { return PEM(a.TrustDER()...) }

// PEM writes certificates one after the other.
func PEM(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// authority is one of the four while it is made.
type authority struct {
	profile profile.Name
	signer  crypto.Signer // of the subject
	issuer  int           // index of the issuing one; itself for a root
	suffix  string
	draft   *Draft
}

// Bootstrap makes SM2 root → SM2 issuing and ECDSA root → ECDSA issuing: all
// four linted, recorded in one transaction, signed, and recorded again. A root
// may have one authority below it (path length 1), an issuing one none.
func Bootstrap(ctx context.Context, cfg BootstrapConfig) (Authorities, error) {
	if err := cfg.validate(); err != nil {
		return Authorities{}, err
	}
	all := []*authority{
		{profile: profile.SM2Root, signer: cfg.SM2Root, issuer: 0, suffix: " SM2 根 CA"},
		{profile: profile.SM2Issuing, signer: cfg.SM2Issuing, issuer: 0, suffix: " SM2 签发 CA"},
		{profile: profile.ECDSARoot, signer: cfg.ECDSARoot, issuer: 2, suffix: " ECDSA 根 CA"},
		{profile: profile.ECDSAIssuing, signer: cfg.ECDSAIssuing, issuer: 2, suffix: " ECDSA 签发 CA"},
	}
	now := cfg.Now().UTC()
	linter := lint.New()
	rows := make([]Certificate, len(all))
	for i, a := range all {
		if err := cfg.draft(all, i, now); err != nil {
			return Authorities{}, err
		}
		if err := a.draft.Lint(linter, nil); err != nil {
			return Authorities{}, err
		}
		rows[i] = a.draft.Row(KindCA)
		rows[i].Agency, rows[i].CreatedAt, rows[i].Origin.Way = cfg.Agency, now.Truncate(time.Microsecond), WayHouse
	}
	if _, err := cfg.Registry.Reserve(ctx, rows, nil, cfg.event("ca.authority.reserved", now, rows)); err != nil {
		return Authorities{}, fmt.Errorf("ca: record authorities: %w", err)
	}
	for i, a := range all {
		der, err := a.draft.Sign(cfg.Rand, all[a.issuer].signer)
		if err != nil {
			return Authorities{}, err
		}
		rows[i].DER, rows[i].State = der, StateGood
	}
	if _, err := cfg.Registry.Activate(ctx, rows, cfg.event("ca.authority.created", now, rows)); err != nil {
		return Authorities{}, fmt.Errorf("ca: record signed authorities: %w", err)
	}
	return four(rows), nil
}

func (cfg BootstrapConfig) draft(four []*authority, i int, now time.Time) error {
	a := four[i]
	p, err := profile.Get(a.profile)
	if err != nil {
		return err
	}
	public, ok := a.signer.Public().(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("ca: key of %s is no elliptic curve key", a.profile)
	}
	serial, err := NewSerial(cfg.Rand)
	if err != nil {
		return err
	}
	// A root is known by its draft: name, key and period do not need its signature.
	var issuer *smx509.Certificate
	if a.issuer != i {
		issuer = four[a.issuer].draft.View.Cert
	}
	name := cfg.Names[i]
	if name == "" {
		name = cfg.Organization + a.suffix
	}
	a.draft, err = NewDraft(p, cfg.Site, profile.Fields{
		Serial: serial, Public: public, Issuer: issuer, Now: now,
		Subject: profile.Subject{CommonName: name, Organization: cfg.Organization},
	})
	if err != nil {
		return fmt.Errorf("ca: draft %s: %w", a.profile, err)
	}
	return nil
}

func (cfg BootstrapConfig) validate() error {
	switch {
	case cfg.Registry == nil || cfg.Now == nil || cfg.Rand == nil || cfg.NewID == nil:
		return errors.New("ca: bootstrap needs registry, clock, randomness and ids")
	case cfg.Organization == "":
		return errors.New("ca: bootstrap needs the name of the organization")
	}
	seen := map[string]bool{}
	for _, s := range []crypto.Signer{cfg.SM2Root, cfg.SM2Issuing, cfg.ECDSARoot, cfg.ECDSAIssuing} {
		if s == nil {
			return errors.New("ca: bootstrap needs four keys")
		}
		public, ok := s.Public().(*ecdsa.PublicKey)
		if !ok {
			return errors.New("ca: bootstrap needs elliptic curve keys")
		}
		id, err := profile.KeyID(public)
		if err != nil {
			return err
		}
		if seen[string(id)] {
			return errors.New("ca: one key may not serve two authorities")
		}
		seen[string(id)] = true
	}
	return cfg.Site.Validate()
}

func (cfg BootstrapConfig) event(kind string, now time.Time, rows []Certificate) ledger.Event {
	return authorityEvent(cfg.NewID(), kind, cfg.Actor, now, rows)
}

// authorityEvent tells of the four, in the order of Bootstrap.
func authorityEvent(id, kind string, actor ledger.Actor, now time.Time, rows []Certificate) ledger.Event {
	details := map[string]string{"count": fmt.Sprint(len(rows))}
	for i, name := range []string{"sm2_root", "sm2_issuing", "ecdsa_root", "ecdsa_issuing"} {
		details[name] = rows[i].TBSSM3
	}
	return ledger.Event{
		ID: id, Type: kind, Class: ledger.ClassCertificate, Time: now.Truncate(time.Millisecond),
		Actor: actor, Object: ledger.Object{Kind: "certificate", ID: rows[0].Issuer}, Outcome: ledger.Success, Details: details,
	}
}
