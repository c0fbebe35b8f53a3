package stepca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

func derOf(t testing.TB, text string) []byte {
	t.Helper()
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		t.Fatal("no PEM")
	}
	return b.Bytes
}

// RFC 8555 end to end, for names that no DNS has, by each kind of proof.
func TestACMELifeOfACertificate(t *testing.T) {
	for _, kind := range []string{"http-01", "tls-alpn-01", "dns-01"} {
		t.Run(kind, func(t *testing.T) {
			o := newOffice(t)
			c := o.registered(t)
			leaf, key, err := o.obtain(t, c, kind, host)
			if err != nil {
				t.Fatal(err)
			}
			row := o.rows()[leaf.SerialNumber.Text(16)]
			if row.State != ca.StateGood || row.System != system || row.Agency != uscc || row.Request == "" || !bytes.Equal(row.TBS, leaf.RawTBSCertificate) {
				t.Errorf("row %+v", row)
			}
			if leaf.Subject.CommonName != host || leaf.Subject.Organization[0] != "样例区民政局" || !slices.Equal(leaf.DNSNames, []string{host}) || !key.PublicKey.Equal(leaf.PublicKey) {
				t.Errorf("%s %v", leaf.Subject, leaf.DNSNames)
			}
			if len(leaf.CRLDistributionPoints) != 1 || len(leaf.OCSPServer) != 1 || len(leaf.IssuingCertificateURL) != 1 || len(leaf.Policies) != 1 {
				t.Error("CRL, OCSP, issuer or policy missing")
			}
			if kind != "dns-01" && !slices.Contains(o.register.asked, host) {
				t.Error("the register was not asked for the address")
			}
			// A certificate of ACME renews over mTLS as any other.
			cert := tls.Certificate{Certificate: [][]byte{leaf.Raw, o.cfg.Issuing.Raw}, PrivateKey: key, Leaf: leaf}
			if next := o.post(t, o.client(&cert), "/1.0/renew", nil).leaf(t); !slices.Equal(next.DNSNames, leaf.DNSNames) || !bytes.Equal(next.RawSubject, leaf.RawSubject) {
				t.Errorf("renewed for %s, %v", next.Subject, next.DNSNames)
			}
			if err := c.RevokeCert(t.Context(), nil, leaf.Raw, acme.CRLReasonKeyCompromise); err != nil {
				t.Fatal(err)
			}
			if row := o.rows()[leaf.SerialNumber.Text(16)]; row.State != ca.StateRevoked || row.Reason != 1 {
				t.Errorf("after revocation %+v", row)
			}
			if err := c.RevokeCert(t.Context(), nil, leaf.Raw, acme.CRLReasonKeyCompromise); problemOf(err) != "alreadyRevoked" && err != nil {
				t.Errorf("second revocation: %v", err)
			}
			want := "ca.acme_key.created ca.acme_account.created ca.acme_order.created " + strings.Repeat("ca.acme_text.set ", map[string]int{"dns-01": 2}[kind]) +
				"ca.certificate.reserved ca.certificate.issued ca.acme_order.finalized"
			var kinds []string
			for _, ev := range o.registry.Events() {
				if strings.HasPrefix(ev.Type, "ca.acme") || ev.Details["profile"] == "ecdsa-leaf" {
					kinds = append(kinds, ev.Type)
				}
				if strings.HasPrefix(ev.Type, "ca.acme") && (ev.Actor.ID != system || ev.Actor.Unit != uscc || ev.Details["certificate_request"] == "") {
					t.Errorf("event %+v", ev)
				}
			}
			if got := strings.Join(kinds, " "); !strings.HasPrefix(got, want) {
				t.Errorf("events %s\nwant   %s", got, want)
			}
		})
	}
}

// RFC 8555 7.3.4: no account without the key of an approved request, and one
// account for each.
func TestACMERequiresExternalAccountBinding(t *testing.T) {
	o := newOffice(t)
	dir, err := o.newClient(t).Discover(t.Context())
	if err != nil || !dir.ExternalAccountRequired || !strings.HasPrefix(dir.OrderURL, o.url+"/acme/acme/") {
		t.Fatalf("%+v, %v", dir, err)
	}
	register := func(e *acme.ExternalAccountBinding) error {
		_, err := o.newClient(t).Register(t.Context(), &acme.Account{ExternalAccountBinding: e}, acme.AcceptTOS)
		return err
	}
	if got := problemOf(register(nil)); got != "externalAccountRequired" {
		t.Errorf("without: %s", got)
	}
	key := o.eab(t)
	wrong := &acme.ExternalAccountBinding{KID: key.KID, Key: bytes.Repeat([]byte{7}, 32)}
	refusals := func() int { return len(o.people.recorded("ca.acme_account.refused")) }
	for name, e := range map[string]*acme.ExternalAccountBinding{
		"wrong HMAC": wrong, "unknown kid": {KID: "x", Key: key.Key},
	} {
		if err := register(e); problemOf(err) != "unauthorized" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if refusals() != 1 {
		t.Errorf("%d refusals recorded: the one of a known key is wanted", refusals())
	}
	if err := register(key); err != nil {
		t.Fatalf("a failed attempt used the key up: %v", err)
	}
	if err := register(key); problemOf(err) != "unauthorized" {
		t.Errorf("second account with a bound key: %v", err)
	}
	// A request gives one key, a system has one open key.
	r := o.request(t, ca.RequestApproved)
	if _, err := o.CreateEAB(t.Context(), r, ledger.Actor{}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.CreateEAB(t.Context(), r, ledger.Actor{}); !errors.Is(err, ca.ErrKeyGiven) {
		t.Errorf("second key of a request: %v", err)
	}
	first, second := o.eab(t), o.eab(t)
	if err := register(first); problemOf(err) != "unauthorized" {
		t.Errorf("replaced key: %v", err)
	}
	if err := register(second); err != nil {
		t.Error(err)
	}
	for _, ev := range o.registry.Events() {
		for _, d := range ev.Details {
			if strings.Contains(d, string(second.Key)) {
				t.Error("secret on the ledger")
			}
		}
	}
}

func TestACMEKeyNeedsAnApproval(t *testing.T) {
	o := newOffice(t)
	closed := errors.New("suspended")
	for _, c := range []struct {
		name string
		req  ca.Request
		set  func(*people)
		want error
	}{
		{"submitted only", o.request(t, ca.RequestSubmitted), nil, ca.ErrNotApproved},
		{"refused", o.request(t, ca.RequestRefused), nil, ca.ErrNotApproved},
		{"unknown", ca.Request{ID: "none", State: ca.RequestApproved, Approval: "a"}, nil, ca.ErrNotFound},
		{"foreign host", o.request(t, ca.RequestApproved, func(r *ca.Request) { r.Hosts = []string{"evil.example"} }), nil, ca.ErrHost},
		{"gate closed", o.request(t, ca.RequestApproved), func(p *people) { p.stop = closed }, closed},
	} {
		if c.set != nil {
			o.people.set(c.set)
		}
		if eab, err := o.CreateEAB(t.Context(), c.req, ledger.Actor{}); !errors.Is(err, c.want) || eab != (stepca.EAB{}) {
			t.Errorf("%s: %+v %v", c.name, eab, err)
		}
		o.people.set(func(p *people) { p.stop = nil })
	}
	o.registry.FailNext("AddKey", closed)
	if eab, err := o.CreateEAB(t.Context(), o.request(t, ca.RequestApproved), ledger.Actor{}); !errors.Is(err, closed) || eab != (stepca.EAB{}) {
		t.Errorf("ledger down: %+v %v", eab, err)
	}
	if keys, _, _, _ := o.store.Counts(); keys != 0 {
		t.Errorf("%d keys", keys)
	}
	if _, err := newHouse(t).CreateEAB(t.Context(), ca.Request{}, ledger.Actor{}); err == nil {
		t.Error("a key without ACME")
	}
}

// A key is typed on a command line: one that begins with a dash is an option to
// certbot (one key in 64 would).
func TestACMEKeyCanBeTyped(t *testing.T) {
	o := newOffice(t)
	for range 400 {
		eab, err := o.CreateEAB(t.Context(), o.request(t, ca.RequestApproved), ledger.Actor{})
		if err != nil || strings.HasPrefix(eab.HMAC, "-") || strings.HasPrefix(eab.KID, "-") || strings.HasPrefix(eab.TextPassword, "-") {
			t.Fatalf("%+v %v", eab, err)
		}
	}
}

// A key that was not bound in time opens nothing.
func TestACMEKeyExpires(t *testing.T) {
	var shift atomic.Int64
	o := newOffice(t, func(c *stepca.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	})
	e := o.eab(t)
	shift.Store(int64(72 * time.Hour))
	_, err := o.newClient(t).Register(t.Context(), &acme.Account{ExternalAccountBinding: e}, acme.AcceptTOS)
	if problemOf(err) != "unauthorized" {
		t.Errorf("expired key: %v", err)
	}
}

// The register decides at newOrder, not only at the end (issue: "refused at
// order time"); nothing is written for what is refused.
func TestACMEOrderIsRefusedAtOnce(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	for _, tc := range []struct {
		name  string
		ids   []acme.AuthzID
		opts  []acme.OrderOption
		set   func(*people)
		wants string
	}{
		{"foreign name", acme.DomainIDs("evil.example"), nil, nil, "rejectedIdentifier"},
		{"one foreign of two", acme.DomainIDs(host, "evil.example"), nil, nil, "rejectedIdentifier"},
		{"registered, but not in the approved request", acme.DomainIDs("svc2.xicheng.gov.internal"), nil, nil, "rejectedIdentifier"},
		{"wildcard over the name", acme.DomainIDs("*.xicheng.gov.internal"), nil, nil, "rejectedIdentifier"},
		{"spelled otherwise", acme.DomainIDs(strings.ToUpper(host)), nil, nil, "rejectedIdentifier"},
		{"named twice", acme.DomainIDs(host, host), nil, nil, "rejectedIdentifier"},
		{"address", acme.IPIDs("127.0.0.1"), nil, nil, "unsupportedIdentifier"},
		{"device", []acme.AuthzID{{Type: "permanent-identifier", Value: host}}, nil, nil, "unsupportedIdentifier"},
		{"struck off the register", acme.DomainIDs(host), nil, func(p *people) { p.hosts[system] = nil }, "rejectedIdentifier"},
		{"gate closed", acme.DomainIDs(host), nil, func(p *people) { p.stop = errors.New("suspended") }, "unauthorized"},
		{"too long", acme.DomainIDs(host), []acme.OrderOption{acme.WithOrderNotAfter(time.Now().AddDate(5, 0, 0))}, nil, "malformed"},
		{"begins tomorrow", acme.DomainIDs(host), []acme.OrderOption{acme.WithOrderNotBefore(time.Now().AddDate(0, 0, 1))}, nil, "malformed"},
		{"over already", acme.DomainIDs(host), []acme.OrderOption{acme.WithOrderNotAfter(time.Now().Add(time.Minute))}, nil, "malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.set != nil {
				old := o.people.snapshot()
				o.people.set(tc.set)
				defer o.people.set(func(p *people) { p.hosts, p.stop = old.hosts, old.stop })
			}
			before := len(o.people.recorded("ca.acme_order.refused"))
			_, err := c.AuthorizeOrder(t.Context(), tc.ids, tc.opts...)
			if got := problemOf(err); got != tc.wants {
				t.Errorf("got %s, want %s", got, tc.wants)
			}
			if n := len(o.people.recorded("ca.acme_order.refused")); n != before+1 {
				t.Errorf("%d refusals recorded", n-before)
			}
		})
	}
	if _, _, orders, _ := o.store.Counts(); orders != 0 {
		t.Errorf("%d orders written", orders)
	}
	if _, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host)); err != nil {
		t.Errorf("the account is not spoilt: %v", err)
	}
}

// Everything is asked again when the certificate is made, and the order stays
// ready: the agency may finalize when the cause is gone.
func TestACMEFinalizeAsksAgain(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host))
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	finalize := func(der []byte) error {
		_, _, err := c.CreateOrderCert(t.Context(), order.FinalizeURL, der, true)
		return err
	}
	good := csrDER(t, key, host)
	if got := problemOf(finalize(good)); got != "orderNotReady" {
		t.Errorf("before the proof: %s", got)
	}
	if err := o.prove(t, c, order, "http-01"); err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		csr   []byte
		set   func(*people)
		wants string
	}{
		{"other name in the CSR", csrDER(t, key, "svc2.xicheng.gov.internal"), nil, "badCSR"},
		{"further name in the CSR", csrDER(t, key, host, "svc2.xicheng.gov.internal"), nil, "badCSR"},
		{"P-384", csrDER(t, p384, host), nil, "badCSR"},
		{"broken signature", derOf(t, spoilt(t, key)), nil, "badCSR"},
		{"host struck off", good, func(p *people) { p.hosts[system] = nil }, "rejectedIdentifier"},
		{"gate closed", good, func(p *people) { p.stop = errors.New("suspended") }, "unauthorized"},
	} {
		old := o.people.snapshot()
		if tc.set != nil {
			o.people.set(tc.set)
		}
		if got := problemOf(finalize(tc.csr)); got != tc.wants {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.wants)
		}
		o.people.set(func(p *people) { p.hosts, p.stop = old.hosts, old.stop })
	}
	if n := len(o.rows()); n != 0 {
		t.Fatalf("%d certificates", n)
	}
	if err := finalize(good); err != nil {
		t.Fatal(err)
	}
}

// Eight requests finalize one order at once: one certificate.
func TestACMEOneCertificateAnOrder(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	for round := 1; round <= 20; round++ {
		order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host))
		if err != nil {
			t.Fatal(err)
		}
		if err := o.prove(t, c, order, "http-01"); err != nil {
			t.Fatal(err)
		}
		der := csrDER(t, newKey(t), host)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, _, err := c.CreateOrderCert(t.Context(), order.FinalizeURL, der, true)
				if err != nil && problemOf(err) != "orderNotReady" {
					t.Errorf("finalize: %v", err)
				}
			})
		}
		wg.Wait()
		if n := len(o.rows()); n != round {
			t.Fatalf("round %d: %d certificates", round, n)
		}
	}
}
