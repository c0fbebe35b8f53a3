package app

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// openSuccession builds the register of the house's own authorities. Those that
// it was founded with are files; every later one is a row.
func (h *House) openSuccession(ctx context.Context) (err error) {
	h.Succession, err = authority.New(authority.Config{
		Register: h.rooms.Succession, Registry: h.rooms.CA, Keys: authorityKeys{h.custody}, Approver: successionApprover{h}, Posts: posts{h},
		Founding: h.founding(), House: h.cfg.USCC, Organization: h.cfg.Organization, Site: h.cfg.site(), Now: h.cfg.Now, Rand: h.cfg.Rand, NewID: newID,
	})
	if err != nil {
		return err
	}
	_, err = h.Succession.Set(ctx)
	return err
}

// sm2 and ecdsa are the issuing authorities of both tracks.
func (h *House) sm2() ca.Issuers   { return h.Succession.Track(profile.SM2) }
func (h *House) ecdsa() ca.Issuers { return h.Succession.Track(profile.ECDSA) }

// founding is the first generation: the four of the anchors folder.
func (h *House) founding() authority.Generation {
	sm2, ecdsa := h.anchors.sm2Issuing, h.anchors.ecdsaIssuing
	g := authority.Generation{SwitchAt: sm2.NotBefore.UTC(), AskedAt: sm2.NotBefore.UTC()}
	for _, m := range []struct {
		track            profile.Algorithm
		rootKey, key     string
		root, issuing    []byte
		rootSN, issuesSN string
		rootID           string
	}{
		{profile.SM2, keySM2Root, keySM2Issuing, h.anchors.sm2Root.Raw, sm2.Raw, ca.FormatSerial(h.anchors.sm2Root.SerialNumber), ca.FormatSerial(sm2.SerialNumber), ca.IssuerID(h.anchors.sm2Root)},
		{profile.ECDSA, keyECDSARoot, keyECDSAIssuing, h.anchors.ecdsaRoot.Raw, ecdsa.Raw, ca.FormatSerial(h.anchors.ecdsaRoot.SerialNumber), ca.FormatSerial(ecdsa.SerialNumber), ecdsaID(h.anchors.ecdsaRoot)},
	} {
		if h.cfg.OfflineRoot {
			m.rootKey = ""
		}
		g.Members = append(g.Members,
			authority.Member{Track: m.track, Kind: authority.Root, Key: m.rootKey, By: m.rootKey, Issuer: m.rootID, Serial: m.rootSN, DER: m.root},
			authority.Member{Track: m.track, Kind: authority.Issuing, Key: m.key, By: m.rootKey, Issuer: m.rootID, Serial: m.issuesSN, DER: m.issuing})
	}
	return g
}

// authorityKeys keeps the keys of authorities in custody.
type authorityKeys struct{ custody *custody }

func (k authorityKeys) Make(ctx context.Context, id string, alg profile.Algorithm) (*ecdsa.PublicKey, error) {
	spec := keys.Spec{ID: id, Algorithm: keys.ECDSAP256, Purpose: keys.PurposeSign, Owner: "ca"}
	if alg == profile.SM2 {
		spec.Algorithm = keys.SM2
	}
	if _, err := k.custody.dir.Create(ctx, spec); err != nil && !errors.Is(err, keys.ErrExists) {
		return nil, err
	}
	return k.custody.public(ctx, id)
}

func (k authorityKeys) Signer(ctx context.Context, id string) (crypto.Signer, error) {
	return k.custody.authority(ctx, id)
}

// GenerationSubject is what a registration officer signs.
func (h *House) GenerationSubject(g authority.Generation) approval.Subject {
	return approval.Subject{Kind: approval.KindAuthority, ID: strconv.Itoa(g.Number), Digest: g.Digest(), Unit: identity.USCC(h.cfg.USCC), Requester: g.AskedBy}
}

// generationAsked is the open question about a generation.
func (h *House) generationAsked(ctx context.Context, id string) (approval.Subject, error) {
	n, err := strconv.Atoi(id)
	if err != nil {
		return approval.Subject{}, nil
	}
	g, err := h.Succession.Generation(ctx, n)
	if err != nil || g.State != authority.Prepared {
		return approval.Subject{}, err
	}
	return h.GenerationSubject(g), nil
}

// successionApprover verifies the signature over a generation.
type successionApprover struct{ h *House }

func (p successionApprover) Answer(ctx context.Context, g authority.Generation) (authority.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.GenerationSubject(g))
	if err != nil {
		err = fmt.Errorf("%w: %w", authority.ErrNotApproved, err)
	}
	return authority.Answer{ID: id, Yes: yes}, err
}

// authoritiesDER are the certificates of all authorities of the house, now and
// before, DER.
func (h *House) authoritiesDER(ctx context.Context) ([][]byte, error) {
	set, err := h.Succession.Set(ctx)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, a := range set.All() {
		out = append(out, a.Certificate.Raw)
	}
	return out, nil
}

// speakFor lets the status service answer for every authority of the house, and
// publishes the first lists of new ones.
func (h *House) speakFor(ctx context.Context) error {
	set, err := h.Succession.Set(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, id := range h.CertStatus.Issuers() {
		known[id] = true
	}
	added := false
	for _, a := range set.All() {
		if !h.speaks(a) || known[a.ID()] {
			continue
		}
		one, err := h.statusAuthority(ctx, a)
		if err != nil {
			return err
		}
		if err := h.CertStatus.Add(one); err != nil && !errors.Is(err, status.ErrKnown) {
			return err
		}
		added = true
	}
	if !added {
		return nil
	}
	return h.CertStatus.BuildDue(ctx)
}

// speaks: roots and issuing authorities answer for what they issued until their
// own end, which nothing below them outlives.
func (h *House) speaks(a authority.Authority) bool {
	return (a.Kind == authority.Root || a.Kind == authority.Issuing) && !h.cfg.Now().After(a.Certificate.NotAfter)
}

func (h *House) statusAuthority(ctx context.Context, a authority.Authority) (status.Authority, error) {
	out := status.Authority{Certificate: a.Certificate, Offline: a.Key == ""}
	if out.Offline {
		return out, nil
	}
	var err error
	if out.Signer, err = h.custody.authority(ctx, a.Key); err != nil {
		return out, fmt.Errorf("app: key of %s: %w", a.Certificate.Subject.CommonName, err)
	}
	return out, nil
}

// succeedEvery is how often a node looks whether the authorities changed.
const succeedEvery = time.Second

// succeed does what is due about the authorities: it finishes a preparation that
// broke off, publishes the first lists of new ones, and changes to the approved
// generation at its moment.
func (h *House) succeed(ctx context.Context) error {
	if err := h.Succession.Resume(ctx, h.service()); err != nil {
		return err
	}
	// Certificates name the lists from the first one on: they have to be there.
	if err := h.speakFor(ctx); err != nil {
		return err
	}
	done, err := h.Succession.Switch(ctx, h.service())
	if errors.Is(err, authority.ErrState) { // another node was faster
		err = nil
	}
	if done {
		h.cfg.Log.InfoContext(ctx, "another generation of authorities issues from now on")
	}
	return err
}

// runSuccession does so until ctx ends, and lets the house's own certificates
// follow.
func (h *House) runSuccession(ctx context.Context) {
	tick := time.NewTicker(succeedEvery)
	defer tick.Stop()
	var logged time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := errors.Join(h.succeed(ctx), h.own.keep(ctx)); err != nil && ctx.Err() == nil && h.cfg.Now().Sub(logged).Abs() > quiet {
			logged = h.cfg.Now()
			h.cfg.Log.ErrorContext(ctx, "authorities, or the house's own certificates, do not go on", "error", err)
		}
	}
}

// certificateOf parses a certificate and finds which authority of a track it
// names; ca.ErrNotFound for one of others.
func certificateOf(ctx context.Context, from ca.Issuers, der []byte) (*smx509.Certificate, ca.Issuer, error) {
	crt, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, ca.Issuer{}, fmt.Errorf("app: certificate: %w", err)
	}
	by, err := ca.IssuerNamed(ctx, from, crt.RawIssuer, crt.AuthorityKeyId)
	return crt, by, err
}
