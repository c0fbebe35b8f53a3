package stepca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"
	casapi "github.com/smallstep/certificates/cas/apiv1"
	"github.com/smallstep/certificates/errs"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

const (
	// minLifetime is the shortest certificate that a client may ask for: it
	// must outlive the backdating.
	minLifetime = 10 * time.Minute
	// testLifetime is that of profile.ECDSALeafTest.
	testLifetime = 30 * 24 * time.Hour
	// backdate is that of ca/profile: with the same one in smallstep a shorter
	// period ends when the client asked for.
	backdate = profile.Backdate
	// maxCommonName is ub-common-name of RFC 5280; a host may be longer.
	maxCommonName = 64
)

// service is the CertificateAuthorityService behind smallstep: the only place
// from which its API gets a certificate.
type service struct {
	a *Authority
}

// CreateCertificate issues on an approved request. From smallstep's template
// it takes the key, the names (already equal to those of the token) and the
// length of the period; everything else comes from the request.
func (s *service) CreateCertificate(req *casapi.CreateCertificateRequest) (*casapi.CreateCertificateResponse, error) {
	if req.IsCAServerCert || req.Provisioner == nil {
		return nil, casapi.NotImplementedError{Message: "certificates are issued on an approved request only"}
	}
	if req.Template.NotBefore.After(s.a.now()) {
		return nil, answer(fmt.Errorf("%w: a certificate begins when it is issued", ca.ErrCSR))
	}
	hosts, err := hostsOf(req.Template)
	if err != nil {
		return nil, answer(err)
	}
	// Not from the template's beginning: that of an ACME order is when it was
	// ordered, and its end would move on by as much.
	length := req.Template.NotAfter.Sub(s.a.now()) + backdate
	by, err := basisOf(req.Provisioner)
	if err != nil {
		return nil, answer(err)
	}
	acme := by.origin.Way == ca.WayACME
	name := ""
	if acme && len(hosts) > 0 {
		name = hosts[0]
	}
	cert, err := s.system(by, name, hosts, req.Template, length)
	if err != nil && acme {
		return nil, problem(err)
	}
	if err != nil {
		return nil, answer(err)
	}
	chain, err := s.above(cert)
	return &casapi.CreateCertificateResponse{Certificate: cert, CertificateChain: chain}, err
}

// RenewCertificate issues the follower of a good certificate: same request and
// names, everything else as the profile, the gate and the request say today. Its
// length is the full one, and not the old certificate's as in stock step-ca: what
// the gate once cut short would stay short for good. A host that
// was struck off the register since then stops the renewal.
func (s *service) RenewCertificate(req *casapi.RenewCertificateRequest) (*casapi.RenewCertificateResponse, error) {
	serial, ok := renewed(req.Template)
	if !ok {
		return nil, answer(ErrPeer)
	}
	ctx, cancel := s.a.call()
	defer cancel()
	old, err := s.a.row(ctx, serial)
	if err != nil {
		return nil, answer(fmt.Errorf("stepca: read certificate to renew: %w", err))
	}
	if old.Kind != ca.KindECDSA {
		return nil, answer(ErrPeer)
	}
	if err := usable(old); err != nil {
		return nil, answer(err)
	}
	hosts, err := hostsOf(req.Template)
	if err != nil {
		return nil, answer(err)
	}
	name, err := commonName(req.Template.RawSubject)
	if err != nil || !slices.Contains(hosts, name) {
		name = ""
	}
	before, err := smx509.ParseCertificate(old.DER)
	if err != nil {
		return nil, answer(fmt.Errorf("stepca: read certificate to renew: %w", err))
	}
	by := basis{request: old.Request, renews: serial, origin: ca.Origin{Way: ca.WayOf(before, req.Template.PublicKey), Previous: old.Name()}}
	cert, err := s.system(by, name, hosts, req.Template, s.a.lifetime)
	if err != nil {
		return nil, answer(err)
	}
	chain, err := s.above(cert)
	return &casapi.RenewCertificateResponse{Certificate: cert, CertificateChain: chain}, err
}

// above is what the client gets with a certificate.
func (s *service) above(cert *x509.Certificate) ([]*x509.Certificate, error) {
	ctx, cancel := s.a.call()
	defer cancel()
	return s.a.above(ctx, cert)
}

// RevokeCertificate does nothing: the revocation is the row change that the
// database makes next.
func (s *service) RevokeCertificate(req *casapi.RevokeCertificateRequest) (*casapi.RevokeCertificateResponse, error) {
	return &casapi.RevokeCertificateResponse{Certificate: req.Certificate}, nil
}

// system issues the certificate of a system on the request that was approved
// for it, or records why not. Its common name is the system, unless one of the
// hosts is named: ACME clients renew for the common name and take it for a host.
func (s *service) system(by basis, name string, hosts []string, tmpl *x509.Certificate, length time.Duration) (*x509.Certificate, error) {
	ctx, cancel := s.a.call()
	defer cancel()
	actor := houseActor()
	var registered []string
	var until time.Time
	r, err := s.a.approved(ctx, by.request)
	if err == nil {
		actor = systemActor(r)
		registered, until, err = s.a.admit(ctx, r, hosts)
	}
	if err != nil {
		return nil, s.a.refused(ctx, "ca.certificate.refused", actor, ledger.Object{Kind: "certificate_request", ID: by.request}, err)
	}
	if name == "" || len(name) > maxCommonName {
		name = r.System
	}
	p, kind := profile.ECDSALeaf, ca.KindECDSA
	if r.Test() {
		p, kind, length = profile.ECDSALeafTest, ca.KindECDSATest, min(length, testLifetime)
	}
	cert, err := s.a.issuer.issue(ctx, order{
		profile: p, kind: kind, until: until,
		subject: profile.Subject{CommonName: name, Organization: r.Organization, USCC: r.Agency},
		hosts:   hosts, registered: registered, public: tmpl.PublicKey, validity: min(length, s.a.lifetime),
		request: r, renews: by.renews, origin: by.origin, once: by.once, actor: actor,
	})
	switch {
	case errors.Is(err, ca.ErrToken):
		actor.Certificate = by.shown()
		return nil, s.a.refused(ctx, "ca.token.refused", actor, ledger.Object{Kind: "token", ID: by.once.ID}, errReplay)
	case err != nil:
		return nil, s.a.refused(ctx, "ca.certificate.refused", actor, ledger.Object{Kind: "certificate_request", ID: by.request}, err)
	}
	s.a.handed.Store(cert, nil)
	return cert, nil
}

// commonName reads the subject of a certificate being renewed: smallstep hands
// it on as bytes.
func commonName(subject []byte) (string, error) {
	var rdn pkix.RDNSequence
	if _, err := asn1.Unmarshal(subject, &rdn); err != nil {
		return "", err
	}
	var name pkix.Name
	name.FillFromRDNSequence(&rdn)
	return name.CommonName, nil
}

// hostsOf lists the names of a template; addresses, mail addresses and URIs
// have no place in the certificate of a system.
func hostsOf(t *x509.Certificate) ([]string, error) {
	if len(t.IPAddresses) > 0 || len(t.EmailAddresses) > 0 || len(t.URIs) > 0 {
		return nil, fmt.Errorf("%w: only DNS names", ca.ErrHost)
	}
	return t.DNSNames, nil
}

// smallstep does not tell its service which certificate is being renewed, but
// copies the extensions of the old one into the template. The renew route adds
// this one to a copy of the client's certificate; it lives in memory only.
func renewedOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 25, 0} }

func withRenewed(crt *x509.Certificate) *x509.Certificate {
	c := *crt
	c.Extensions = append([]pkix.Extension{{Id: renewedOID(), Value: crt.SerialNumber.Bytes()}}, crt.Extensions...)
	return &c
}

// renewed takes the first mark: ours stands before all that came over the wire.
func renewed(t *x509.Certificate) (serial string, ok bool) {
	for _, e := range t.ExtraExtensions {
		if e.Id.Equal(renewedOID()) {
			return new(big.Int).SetBytes(e.Value).Text(16), true
		}
	}
	return "", false
}

// answer maps an outcome to what the client of the API sees. What has no row
// here stays an internal error with no detail.
func answer(err error) error {
	var ends *ca.ClosingError
	if errors.As(err, &ends) { // its text names the day
		return errs.NewError(http.StatusForbidden, err, "%s", ends)
	}
	for _, m := range []struct {
		outcome error
		status  int
		text    string
	}{
		{ca.ErrHost, http.StatusForbidden, "host name is not registered for this system"},
		{ErrStopped, http.StatusForbidden, "this system may not be issued certificates"},
		{ErrPeer, http.StatusForbidden, "client certificate is not of this authority"},
		{ca.ErrNotApproved, http.StatusForbidden, "the request is not approved"},
		{ca.ErrLint, http.StatusForbidden, "the certificate does not fit its profile"},
		{ca.ErrState, http.StatusForbidden, "the certificate is on hold or not yet issued"},
		{ca.ErrRevoked, http.StatusForbidden, "the certificate is revoked"},
		{ca.ErrCSR, http.StatusBadRequest, "the key or the fields of the certificate request do not fit"},
		{ca.ErrNotFound, http.StatusNotFound, "no such certificate or request"},
		{errReplay, http.StatusUnauthorized, "token already used"},
		{errPassword, http.StatusUnauthorized, "the client certificate of the system, or key id and text password, are needed"},
	} {
		if errors.Is(err, m.outcome) {
			return errs.NewError(m.status, err, "%s", m.text)
		}
	}
	return err
}

// outcome names the sentinel behind an error for the ledger: texts may hold
// what a client sent.
func outcome(err error) string {
	for _, s := range []error{ca.ErrHost, ErrStopped, ca.ErrClosing, ErrPeer, ca.ErrNotApproved, ca.ErrLint, ca.ErrState, ca.ErrRevoked, ca.ErrCSR, ca.ErrRenewed, ca.ErrBusy, ca.ErrNotFound, ca.ErrKeyGiven, ca.ErrExists, errReplay, errKind, errPeriod, errBinding, errPassword, acmestore.ErrKey} {
		if errors.Is(err, s) {
			return s.Error()
		}
	}
	return "internal"
}
