package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// caApprover lets the CA ask for the RA officer's signed approval.
type caApprover struct{ approvals *approval.Service }

func (a caApprover) Approved(ctx context.Context, kind, id, digest string) (string, string, error) {
	got, err := a.approvals.Verified(ctx, approval.Kind(kind), id, digest)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ca.ErrNotApproved, err)
	}
	return got.ID, got.Approver, nil
}

// useApprover lets the signer ask for the signed approval of the leader of the
// seal's unit (用印审批).
type useApprover struct {
	approvals *approval.Service
	seals     sealRegister
}

// subject is what that leader signs.
func (a useApprover) subject(ctx context.Context, u signer.Use) (approval.Subject, error) {
	e, err := a.seals.Seal(ctx, u.Seal)
	if err != nil {
		return approval.Subject{}, err
	}
	if u.Type == signer.TypeTerms {
		return agreementSubject(u.Title, u.Document, identity.USCC(e.Unit), u.Requester), nil
	}
	sum, err := u.Approves()
	return approval.Subject{Kind: approval.KindSealUse, ID: u.ID, Digest: sum, Unit: identity.USCC(e.Unit), Requester: u.Requester}, err
}

// ApprovedUse compares the whole subject: a leader's signature counts for the
// seals of his own unit, and for the request of the one who asked.
func (a useApprover) ApprovedUse(ctx context.Context, u signer.Use) (string, error) {
	want, err := a.subject(ctx, u)
	if err != nil {
		return "", err
	}
	got, err := a.approvals.Verified(ctx, want.Kind, want.ID, want.Digest)
	if errors.Is(err, approval.ErrRefused) {
		return "", fmt.Errorf("%w: %w", signer.ErrRefused, err)
	}
	if err == nil && got.Subject != want {
		err = approval.ErrNotAllowed
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", signer.ErrNotApproved, err)
	}
	return got.ID, nil
}

// hosts answers from the register of systems.
type hosts struct{ people systems }

// systems is the part of the register that hosts need.
type systems interface {
	System(ctx context.Context, id string) (identity.System, error)
}

func (h hosts) HostsOf(ctx context.Context, system string) ([]string, error) {
	s, err := h.people.System(ctx, system)
	if err != nil {
		return nil, err
	}
	return s.Hosts, nil
}

// register finds a host where the register of systems says it is: no DNS.
type register struct{ people identity.Reader }

func (r register) Address(ctx context.Context, host string) (string, error) {
	all, err := r.people.Systems(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if a, ok := s.Addresses[host]; ok {
			return a, nil
		}
	}
	return "", fmt.Errorf("%w: address of %s", identity.ErrNotFound, host)
}

// certificates finds the SM2 pair in force of a system: in our registry, or what its
// peer domain is registered with.
type certificates struct {
	registry ca.Registry
	peers    *peer.Service
	now      func() time.Time
}

func (c certificates) Encryption(ctx context.Context, system string) ([]byte, error) {
	if domain, err := c.peers.DomainOf(ctx, system); domain != "" || err != nil {
		if err != nil {
			return nil, err
		}
		return c.peers.Encryption(ctx, domain, system)
	}
	return c.newest(ctx, system, ca.KindSM2Enc)
}

func (c certificates) Signing(ctx context.Context, system string) ([]byte, error) {
	if domain, err := c.peers.DomainOf(ctx, system); domain != "" || err != nil {
		if err != nil {
			return nil, err
		}
		return c.peers.Signing(ctx, domain, system)
	}
	return c.newest(ctx, system, ca.KindSM2Sign)
}

func (c certificates) newest(ctx context.Context, system string, kind ca.Kind) ([]byte, error) {
	all, err := c.registry.CertificatesOf(ctx, system)
	if err != nil {
		return nil, err
	}
	now := c.now()
	var best *ca.Certificate
	for i, crt := range all {
		if crt.Kind != kind || crt.State != ca.StateGood || now.Before(crt.NotBefore) || now.After(crt.NotAfter) {
			continue
		}
		// Periods begin at full seconds; a system may renew twice in one.
		if best == nil || cmp.Or(crt.NotBefore.Compare(best.NotBefore), crt.CreatedAt.Compare(best.CreatedAt)) > 0 {
			best = &all[i]
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: no %s certificate in force of %s", ca.ErrNotFound, kind, system)
	}
	return best.DER, nil
}

// peers knows a caller by its recorded, good mTLS certificate.
type peers struct {
	ca     *ca.Service
	people interface {
		System(ctx context.Context, id string) (identity.System, error)
	}
	others *peer.Service
	used   func(ctx context.Context, system string)
}

// followed reads systems from the memory of the registers after that has followed
// the store: what it says is never older than the question.
type followed struct{ x *store.Index }

func (f followed) System(ctx context.Context, id string) (identity.System, error) {
	if _, err := f.x.Revision(ctx); err != nil {
		return identity.System{}, err
	}
	return f.x.System(ctx, id)
}

func (p peers) Peer(ctx context.Context, leaf, issuer *x509.Certificate) (ledger.Actor, error) {
	crt, err := p.ca.VerifyClient(ctx, leaf, issuer)
	if errors.Is(err, ca.ErrNotFound) {
		return p.other(ctx, leaf)
	}
	if err != nil {
		return ledger.Actor{}, err
	}
	if crt.Kind != ca.KindECDSA || crt.System == "" {
		return ledger.Actor{}, fmt.Errorf("%w: not a system's certificate", ca.ErrNotFound)
	}
	return p.system(ctx, crt)
}

// other knows the system of a peer domain. It has to be in our register too.
func (p peers) other(ctx context.Context, leaf *x509.Certificate) (ledger.Actor, error) {
	caller, err := p.others.Client(ctx, leaf.Raw)
	if err != nil {
		return ledger.Actor{}, err
	}
	sys, err := p.people.System(ctx, caller.System)
	if err != nil {
		return ledger.Actor{}, err
	}
	if string(sys.Agency) != caller.Unit {
		return ledger.Actor{}, fmt.Errorf("%w: system %s of another unit", identity.ErrNotFound, sys.ID)
	}
	return ledger.Actor{Kind: "system", ID: sys.ID, Unit: string(sys.Agency), Certificate: caller.Serial}, nil
}

// system is the actor of a certificate's holder.
func (p peers) system(ctx context.Context, crt ca.Certificate) (ledger.Actor, error) {
	sys, err := p.people.System(ctx, crt.System)
	if err != nil {
		return ledger.Actor{}, err
	}
	p.used(ctx, sys.ID)
	return ledger.Actor{Kind: "system", ID: sys.ID, Unit: string(sys.Agency), Certificate: crt.Serial}, nil
}

// sealed refuses to send what is not sealed or whose seal does not stand (X11-19a).
type sealed struct {
	verify func(ctx context.Context, document []byte) (verify.Report, error)
}

func (s sealed) CheckSealed(ctx context.Context, document []byte) error {
	rep, err := s.verify(ctx, document)
	if err != nil {
		return fmt.Errorf("%w: %w", exchange.ErrDocument, err)
	}
	if rep.Format == "cms" { // a signed file of any kind is no official document, whoever signed it
		return fmt.Errorf("%w: a CMS signature, not a sealed document", exchange.ErrDocument)
	}
	if rep.Verdict != verify.Valid {
		return fmt.Errorf("%w: verdict %s, integrity %s", exchange.ErrDocument, rep.Verdict, rep.Integrity)
	}
	// Every system has a certificate of ours that signs; a seal needs an approval.
	if !slices.ContainsFunc(rep.Signatures, func(s verify.Signature) bool { return s.Kind == "seal" }) {
		return fmt.Errorf("%w: signed, but without a seal", exchange.ErrDocument)
	}
	return nil
}

// trust says whether a certificate of the SM2 track was good at a time: it
// hangs on our root, is recorded, and was neither out of its period nor revoked
// or held by then.
type trust struct {
	registry ca.Registry
	issuers  ca.Issuers
}

func (t trust) good(certDER []byte, at time.Time) error {
	ctx := context.Background()
	crt, by, err := certificateOf(ctx, t.issuers, certDER)
	if err != nil {
		return err
	}
	roots, mid := smx509.NewCertPool(), smx509.NewCertPool()
	mid.AddCert(by.Certificate)
	for _, der := range by.Above {
		root, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("app: certificate above: %w", err)
		}
		if bytes.Equal(root.SubjectKeyId, root.AuthorityKeyId) {
			roots.AddCert(root)
		}
	}
	if _, err := crt.Verify(smx509.VerifyOptions{Roots: roots, Intermediates: mid, CurrentTime: at, KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny}}); err != nil {
		return fmt.Errorf("app: certificate chain: %w", err)
	}
	row, err := t.registry.Certificate(ctx, by.ID(), ca.FormatSerial(crt.SerialNumber))
	if err != nil {
		return fmt.Errorf("app: certificate is not in the registry: %w", err)
	}
	if row.State == ca.StateGood || (!row.RevokedAt.IsZero() && row.RevokedAt.After(at) && row.Signed()) {
		return nil
	}
	return fmt.Errorf("%w: %s", ca.ErrState, row.State)
}

// issuedTo knows from the registry whose a certificate of the SM2 track is.
type issuedTo struct {
	registry ca.Registry
	issuers  ca.Issuers
}

// person says whether it was issued to that person, now or before.
func (i issuedTo) person(ctx context.Context, person string, certDER []byte) (bool, error) {
	crt, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return false, nil
	}
	by, err := ca.IssuerNamed(ctx, i.issuers, crt.RawIssuer, crt.AuthorityKeyId)
	if errors.Is(err, ca.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	row, err := i.registry.Certificate(ctx, by.ID(), ca.FormatSerial(crt.SerialNumber))
	if errors.Is(err, ca.ErrNotFound) {
		return false, nil
	}
	return err == nil && row.Kind == ca.KindPerson && row.Person == person && (bytes.Equal(row.DER, certDER) || row.Purged == SM3Hex(certDER)), err
}

// revocation answers the verifier: from the registry for certificates of the
// house's authorities, and from the reports of compromised keys for all. A key that was
// reported counts from the reported moment, not from the revocation that
// followed (电子签名法 art. 15).
type revocation struct {
	registry    ca.Registry
	issuers     []ca.Issuers // of both tracks
	compromised func(ctx context.Context, certDER []byte) (time.Time, error)
	peers       *peer.Service
}

func (r revocation) RevokedAt(ctx context.Context, certDER []byte) (time.Time, bool, error) {
	since, err := r.compromised(ctx, certDER)
	if err != nil {
		return time.Time{}, false, err
	}
	at, known, err := r.recorded(ctx, certDER)
	if !since.IsZero() && (at.IsZero() || since.Before(at)) {
		return since, true, nil
	}
	return at, known, err
}

func (r revocation) recorded(ctx context.Context, certDER []byte) (time.Time, bool, error) {
	crt, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return time.Time{}, false, nil
	}
	for _, track := range r.issuers {
		by, err := ca.IssuerNamed(ctx, track, crt.RawIssuer, crt.AuthorityKeyId)
		if errors.Is(err, ca.ErrNotFound) {
			continue
		}
		if err != nil {
			return time.Time{}, false, err
		}
		row, err := r.registry.Certificate(ctx, by.ID(), ca.FormatSerial(crt.SerialNumber))
		if errors.Is(err, ca.ErrNotFound) {
			return time.Time{}, false, nil
		}
		return row.RevokedAt, err == nil, err
	}
	return r.peers.RevokedAt(ctx, certDER)
}
