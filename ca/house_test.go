package ca_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

const host = "civil-a.gov.internal"

// house is a running agency CA on a registry that checks every invariant.
type house struct {
	t      testing.TB
	reg    *catest.Registry
	key    *counter // of the SM2 issuing authority
	svc    *ca.Service
	ra     *ra.Service
	cfg    ca.Config
	boot   ca.Authorities
	desk   *desk
	hosts  hosts
	clock  *clock
	gated  error
	until  time.Time // of the gate
	clerk  ledger.Actor
	office ledger.Actor
	check  ledger.Actor
}

// desk is an approver that remembers what was signed for what digest.
type desk struct {
	mu     sync.Mutex
	signed map[[3]string]string // kind, id, digest → person
}

func (d *desk) sign(person, id, digest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signed[[3]string{ca.ApprovalKind, id, digest}] = person
}

func (d *desk) Approved(_ context.Context, kind, id, digest string) (string, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	person, ok := d.signed[[3]string{kind, id, digest}]
	if !ok {
		return "", "", errors.New("no signature over this digest")
	}
	return "approval-" + id, person, nil
}

type hosts map[string][]string

func (h hosts) HostsOf(_ context.Context, system string) ([]string, error) { return h[system], nil }

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// MayIssue makes the house its own gate.
func (h *house) MayIssue(context.Context, string, ca.Purpose) (time.Time, error) {
	return h.until, h.gated
}

// AgencyOf, Administers and Checks: one agency, and everybody does what he does.
func (hosts) AgencyOf(context.Context, string) (uscc, name string, err error) {
	return agency, "样例区民政局", nil
}
func (hosts) Administers(context.Context, string, string) (bool, error) { return true, nil }
func (hosts) Checks(context.Context, string) (bool, error)              { return true, nil }

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{
		t: t, reg: catest.New(), desk: &desk{signed: map[[3]string]string{}}, hosts: hosts{"civil-a": {host, "b.gov.internal"}},
		clock:  &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)},
		clerk:  ledger.Actor{Kind: "person", ID: "p-clerk", Unit: agency},
		office: ledger.Actor{Kind: "person", ID: "p-ra", Unit: agency, Role: "ra_officer"},
		check:  ledger.Actor{Kind: "person", ID: "p-check", Unit: agency, Role: "ra_officer"},
	}
	boot := bootstrapConfig(t, h.reg)
	boot.Now = h.clock.Now
	h.key = &counter{Signer: boot.SM2Issuing}
	boot.SM2Issuing = h.key
	var err error
	if h.boot, err = ca.Bootstrap(context.Background(), boot); err != nil {
		t.Fatal(err)
	}
	h.key.calls = 0
	kek, err := kmc.NewLocalKEK(bytes.Repeat([]byte{7}, 16), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	centre, err := kmc.New(kmc.Config{KEK: kek, Rand: rand.Reader, Now: h.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	h.cfg = ca.Config{
		Registry: h.reg, Approver: h.desk, Gate: h, Hosts: h.hosts, KMC: centre,
		Suspensions: h.reg, Deliveries: h.reg, Recorder: h.reg,
		SM2Issuing: parse(t, h.boot.SM2Issuing), SM2Root: parse(t, h.boot.SM2Root), SM2Signer: h.key,
		Site: site(), Now: h.clock.Now, Rand: rand.Reader, NewID: newID,
	}
	if h.svc, err = ca.New(h.cfg); err != nil {
		t.Fatal(err)
	}
	h.ra, err = ra.New(ra.Config{Requests: h.reg, Systems: h.hosts, Staff: h.hosts, Approver: h.desk, Now: h.clock.Now, Rand: rand.Reader, NewID: newID})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// issuer is the id of the SM2 issuing authority.
func (h *house) issuer() string { return ca.IssuerID(h.cfg.SM2Issuing) }

func (h *house) submit() ca.Request { return h.submitFor(ca.PurposeProduction) }

func (h *house) submitFor(p ca.Purpose) ca.Request {
	h.t.Helper()
	r, _, err := h.ra.Submit(context.Background(), h.clerk, ca.Request{
		Agency: agency, System: "civil-a", CommonName: host, Organization: "样例区民政局", Hosts: []string{host}, Purpose: p,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// token walks a request to its enrolment token.
func (h *house) token() string { return h.tokenFor(ca.PurposeProduction) }

func (h *house) tokenFor(p ca.Purpose) string {
	h.t.Helper()
	ctx, r := context.Background(), h.submitFor(p)
	r, _, err := h.ra.Review(ctx, h.check, r.ID, []ra.Shown{
		{Kind: ca.EvidenceUSCC, Number: agency, Method: ca.MethodRegister}, {Kind: ca.EvidenceAuthorisation, Number: "授权〔2026〕1号", Method: ca.MethodOriginal},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.desk.sign(h.office.ID, r.ID, ca.RequestDigest(r))
	if _, _, err := h.ra.Approve(ctx, h.office, r.ID); err != nil {
		h.t.Fatal(err)
	}
	d, err := h.ra.Draw(ctx, h.clerk, r.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return d.Token
}

func csr(t testing.TB, key *sm2.PrivateKey, names ...string) []byte {
	t.Helper()
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{
		Subject: pkix.Name{CommonName: host}, DNSNames: names, SignatureAlgorithm: smx509.SM2WithSM3,
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// pending returns the certificates of the system that are not signed.
func (h *house) states() (pending, good int) {
	for _, c := range h.reg.Certificates() {
		switch {
		case c.System != "civil-a":
		case c.State == ca.StatePending:
			pending++
		case c.State == ca.StateGood:
			good++
		}
	}
	return pending, good
}

func (h *house) eventTypes(skip int) []string {
	var out []string
	for _, ev := range h.reg.Events()[skip:] {
		out = append(out, ev.Type)
	}
	return out
}
