package stepca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"
	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/stepca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// nobody approves: what is issued here was approved with the request.
type nobody struct{}

func (nobody) Approved(context.Context, string, string, string) (string, string, error) {
	return "", "", errors.New("nobody asked")
}

// newPairOffice is an office whose authority also makes SM2 pairs.
func newPairOffice(t testing.TB) *office { return newOffice(t, withPairs(t)) }

func withPairs(t testing.TB) func(*stepca.Config) {
	gm := func() crypto.Signer { return sm2Key(t) }
	return func(c *stepca.Config) {
		reg, issuing := c.Registry.(*catest.Registry), gm()
		newID := func() string { return uuid.Must(uuid.NewV7()).String() }
		four, err := ca.Bootstrap(t.Context(), ca.BootstrapConfig{
			Organization: "样例区大数据局", Agency: uscc, Site: site,
			SM2Root: gm(), SM2Issuing: issuing, ECDSARoot: newKey(t), ECDSAIssuing: newKey(t),
			Registry: reg, Actor: ledger.Actor{Kind: "person", ID: "p-sysadmin"}, Now: time.Now, Rand: rand.Reader, NewID: newID,
		})
		if err != nil {
			t.Fatal(err)
		}
		kek, err := kmc.NewLocalKEK(bytes.Repeat([]byte{7}, 16), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		centre, err := kmc.New(kmc.Config{KEK: kek, Rand: rand.Reader, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		c.Pairs, err = ca.New(ca.Config{
			Registry: reg, Approver: nobody{}, Gate: c.Gate, Hosts: c.Hosts, KMC: centre, Suspensions: reg, Deliveries: reg, Recorder: c.Recorder,
			SM2Issuing: gmParse(t, four.SM2Issuing), SM2Root: gmParse(t, four.SM2Root), SM2Signer: issuing,
			Site: site, Now: time.Now, Rand: rand.Reader, NewID: newID,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sm2Key(t testing.TB) *sm2.PrivateKey {
	t.Helper()
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func gmParse(t testing.TB, der []byte) *smx509.Certificate {
	t.Helper()
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func gmCSR(t testing.TB, key crypto.Signer, cn string, names ...string) []byte {
	t.Helper()
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{
		Subject: pkix.Name{CommonName: cn}, DNSNames: names, SignatureAlgorithm: smx509.SM2WithSM3,
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// halves are the certificates of pairs, by serial.
func (o *office) halves() map[string]ca.Certificate {
	out := map[string]ca.Certificate{}
	for _, c := range o.registry.Certificates() {
		if c.Pair != "" {
			out[c.Serial] = c
		}
	}
	return out
}

// ready walks an order to where it can be finalized.
func (o *office) ready(t testing.TB, c *acme.Client, hosts ...string) *acme.Order {
	t.Helper()
	order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(hosts...))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.prove(t, c, order, "http-01"); err != nil {
		t.Fatal(err)
	}
	return order
}

// finalizing is the body of a finalize request.
func (o *office) finalizing(t *testing.T, c *acme.Client, order *acme.Order, csr []byte) (path, body string) {
	t.Helper()
	path = strings.TrimPrefix(order.FinalizeURL, o.url)
	header := map[string]any{"kid": string(c.KID), "url": order.FinalizeURL, "nonce": o.nonce(t, o.client(nil))}
	return path, jws(t, c.Key.(*ecdsa.PrivateKey), header, `{"csr":"`+b64(csr)+`"}`)
}

// fetch is POST-as-GET in a form of the client's choice.
func (o *office) fetch(t *testing.T, c *acme.Client, url, accept string) (status int, media string, body []byte) {
	t.Helper()
	web := o.client(nil)
	header := map[string]any{"kid": string(c.KID), "url": url, "nonce": o.nonce(t, web)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(jws(t, c.Key.(*ecdsa.PrivateKey), header, "")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/jose+json")
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Replay-Nonce") == "" || !strings.Contains(res.Header.Get("Link"), "directory") {
		t.Errorf("headers %v", res.Header)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), body
}

// RFC 8555 end to end with an SM2 request: the order's certificate is the
// signing certificate of a pair, and the pair is another form of it.
func TestACMEOrderOfAnSM2Pair(t *testing.T) {
	o := newPairOffice(t)
	c := o.registered(t)
	order, key := o.ready(t, c, host), sm2Key(t)
	chain, url, err := c.CreateOrderCert(t.Context(), order.FinalizeURL, gmCSR(t, key, "", host), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(chain) != 2 {
		t.Fatalf("chain of %d", len(chain))
	}
	sign, issuing := gmParse(t, chain[0]), gmParse(t, chain[1])
	if err := sign.CheckSignatureFrom(issuing); err != nil || !key.PublicKey.Equal(sign.PublicKey) || len(sign.DNSNames) != 1 {
		t.Errorf("%v, %v", sign.DNSNames, err)
	}
	if left := time.Until(sign.NotAfter); left > 25*time.Hour*90 {
		t.Errorf("lives %s, longer than ordered", left)
	}

	status, media, body := o.fetch(t, c, url, "text/html, "+"application/vnd.yinxin.sm2-pair+json;q=0.9")
	var pair wire.Pair
	if err := json.Unmarshal(body, &pair); err != nil || status != 200 || media != "application/vnd.yinxin.sm2-pair+json" {
		t.Fatalf("%d %s %s", status, media, body)
	}
	opened, err := sm2.ParseEnvelopedPrivateKey(key, pair.EnvelopedKey)
	if err != nil || !opened.PublicKey.Equal(gmParse(t, pair.EncCert).PublicKey) || !bytes.Equal(pair.SignCert, chain[0]) || pair.System != system || len(pair.Chain) != 2 {
		t.Errorf("pair of %s: %v", pair.System, err)
	}
	status, media, body = o.fetch(t, c, url, "application/vnd.yinxin.gmt0092")
	if res, err := smx509.ParseCSRResponse(key, body); err != nil || status != 200 || media != "application/vnd.yinxin.gmt0092" || !bytes.Equal(res.SignCerts[0].Raw, chain[0]) {
		t.Errorf("GM/T 0092: %d %s %v", status, media, err)
	}
	if _, media, body = o.fetch(t, c, url, "*/*"); media != "application/pem-certificate-chain" || !bytes.HasPrefix(body, []byte("-----BEGIN CERTIFICATE")) {
		t.Errorf("%s %s", media, body)
	}

	// A P-256 order of the same account goes its old way.
	if _, _, err := o.obtain(t, c, "http-01", host); err != nil {
		t.Errorf("P-256: %v", err)
	}
	other := o.registered(t)
	if status, _, body := o.fetch(t, other, url, ""); status != http.StatusUnauthorized && status != http.StatusForbidden {
		t.Errorf("another account: %d %s", status, body)
	}
	if status, _, _ := o.fetch(t, c, strings.TrimSuffix(url, path.Base(url))+"abc", ""); status != 404 {
		t.Errorf("unknown certificate: %d", status)
	}

	// Either half ends the pair.
	for want, try := range map[string]func() error{
		"unauthorized":          func() error { return other.RevokeCert(t.Context(), nil, pair.EncCert, acme.CRLReasonKeyCompromise) },
		"badRevocationReason":   func() error { return c.RevokeCert(t.Context(), nil, pair.EncCert, acme.CRLReasonCertificateHold) },
		"badSignatureAlgorithm": func() error { return c.RevokeCert(t.Context(), newKey(t), chain[0], acme.CRLReasonUnspecified) },
	} {
		if got := problemOf(try()); got != want {
			t.Errorf("revoke: %s, want %s", got, want)
		}
	}
	if err := c.RevokeCert(t.Context(), nil, pair.EncCert, acme.CRLReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	for _, der := range [][]byte{pair.SignCert, pair.EncCert} {
		if row := o.halves()[ca.FormatSerial(gmParse(t, der).SerialNumber)]; row.State != ca.StateRevoked || row.Reason != ca.ReasonKeyCompromise {
			t.Errorf("%s is %s, %d", row.Kind, row.State, row.Reason)
		}
	}
	// x/crypto/acme takes "already revoked" for done: the raw answer counts.
	header := map[string]any{"kid": string(c.KID), "url": o.url + "/acme/acme/revoke-cert", "nonce": o.nonce(t, o.client(nil))}
	if got := o.send(t, o.client(nil), "/acme/acme/revoke-cert", jws(t, c.Key.(*ecdsa.PrivateKey), header, `{"certificate":"`+b64(chain[0])+`"}`)); got != "alreadyRevoked" {
		t.Errorf("revoked twice: %q", got)
	}
}

// Eight finalize requests at once, each with a nonce of its own, make one pair.
func TestACMEFinalizeMakesOnePair(t *testing.T) {
	o := newPairOffice(t)
	c := o.registered(t)
	for range 5 {
		order, csr := o.ready(t, c, host), gmCSR(t, sm2Key(t), "", host)
		before := len(o.halves())
		var bodies []string
		var to string
		for range 8 {
			p, body := o.finalizing(t, c, order, csr)
			to, bodies = p, append(bodies, body)
		}
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for _, body := range bodies {
			wg.Go(func() {
				kind := o.send(t, o.client(nil), to, body)
				mu.Lock()
				defer mu.Unlock()
				got[kind]++
			})
		}
		wg.Wait()
		if got[""] < 1 || got[""]+got["orderNotReady"] != 8 || len(o.halves()) != before+2 {
			t.Fatalf("%v, %d new certificates", got, len(o.halves())-before)
		}
		if kind := o.send(t, o.client(nil), to, bodies[0]); kind != "badNonce" {
			t.Errorf("replay: %q", kind)
		}
	}
}

// A finalize request that was cut off after the pair was made ends with the next.
func TestACMEFinalizeAfterALostStep(t *testing.T) {
	o := newPairOffice(t)
	c := o.registered(t)
	order, csr := o.ready(t, c, host), gmCSR(t, sm2Key(t), "", host)
	o.registry.FailNext("FinishOrder", errors.New("disk full"))
	to, body := o.finalizing(t, c, order, csr)
	if kind := o.send(t, o.client(nil), to, body); kind != "serverInternal" {
		t.Fatalf("%q", kind)
	}
	before := len(o.halves())
	to, body = o.finalizing(t, c, order, gmCSR(t, sm2Key(t), "", host))
	if kind := o.send(t, o.client(nil), to, body); kind != "badCSR" {
		t.Errorf("another request: %q", kind)
	}
	to, body = o.finalizing(t, c, order, csr)
	if kind := o.send(t, o.client(nil), to, body); kind != "" || len(o.halves()) != before {
		t.Errorf("%q, %d certificates more", kind, len(o.halves())-before)
	}
}

func TestACMERefusesSM2Requests(t *testing.T) {
	o := newPairOffice(t)
	c := o.registered(t)
	key := sm2Key(t)
	right := gmCSR(t, key, "", host)
	flipped := bytes.Clone(right)
	flipped[len(flipped)-3] ^= 1
	for name, tc := range map[string]struct {
		csr   []byte
		spoil func()
		mend  func()
		want  string
	}{
		"foreign signature":             {csr: flipped, want: "badCSR"},
		"P-256 key, signed as SM2":      {csr: relabelled(t, csrDER(t, newKey(t), host)), want: "badCSR"},
		"explicit curve parameters":     {csr: unnamed(t, right), want: "badCSR"},
		"another name":                  {csr: gmCSR(t, key, "", "svc2.xicheng.gov.internal"), want: "badCSR"},
		"a name more":                   {csr: gmCSR(t, key, "", host, "svc2.xicheng.gov.internal"), want: "badCSR"},
		"a name twice":                  {csr: gmCSR(t, key, "", host, strings.ToUpper(host)), want: "badCSR"},
		"no name":                       {csr: gmCSR(t, key, ""), want: "badCSR"},
		"another common name":           {csr: gmCSR(t, key, "evil.example", host), want: "badCSR"},
		"host off the register by then": {csr: right, want: "rejectedIdentifier", spoil: func() { o.people.set(func(p *people) { p.hosts = nil }) }, mend: func() { o.people.set(func(p *people) { p.hosts = map[string][]string{system: {host}} }) }},
		"stopped by the gate":           {csr: right, want: "unauthorized", spoil: func() { o.people.set(func(p *people) { p.stop = errors.New("stopped") }) }, mend: func() { o.people.set(func(p *people) { p.stop = nil }) }},
	} {
		order := o.ready(t, c, host)
		if tc.spoil != nil {
			tc.spoil()
		}
		before, refusals := len(o.halves()), len(o.people.recorded("ca.certificate.refused"))
		to, body := o.finalizing(t, c, order, tc.csr)
		if got := o.send(t, o.client(nil), to, body); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		all := o.people.recorded("ca.certificate.refused")
		if len(o.halves()) != before || len(all) != refusals+1 || all[len(all)-1].Details["track"] != "sm2" || all[len(all)-1].Actor.ID != system {
			t.Errorf("%s: %d certificates, %d refusals", name, len(o.halves())-before, len(all)-refusals)
		}
		if tc.mend != nil {
			tc.mend()
		}
		// The order is not lost by a request that was refused.
		to, body = o.finalizing(t, c, order, right)
		if got := o.send(t, o.client(nil), to, body); got != "" {
			t.Errorf("%s, then right: %q", name, got)
		}
	}
	// An order that is not proved, or another account's, is not finalized.
	order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host))
	if err != nil {
		t.Fatal(err)
	}
	to, body := o.finalizing(t, c, order, right)
	if got := o.send(t, o.client(nil), to, body); got != "orderNotReady" {
		t.Errorf("not proved: %q", got)
	}
	to, body = o.finalizing(t, o.registered(t), order, right)
	if got := o.send(t, o.client(nil), to, body); got != "unauthorized" {
		t.Errorf("another account: %q", got)
	}
	to, body = o.finalizing(t, c, &acme.Order{FinalizeURL: o.url + "/acme/acme/order/none/finalize"}, right)
	if got := o.send(t, o.client(nil), to, body); got != "malformed" {
		t.Errorf("no such order: %q", got)
	}
}

// Without an issuer of pairs an SM2 request is refused as one that does not parse.
func TestACMEWithoutPairs(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	to, body := o.finalizing(t, c, o.ready(t, c, host), gmCSR(t, sm2Key(t), "", host))
	if got := o.send(t, o.client(nil), to, body); got != "badCSR" {
		t.Errorf("%q", got)
	}
}

// request is PKCS #10 as far as these tests change it.
type request struct {
	Info      asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// relabelled says that SM2 signed what P-256 did.
func relabelled(t testing.TB, der []byte) []byte {
	t.Helper()
	var r request
	if _, err := asn1.Unmarshal(der, &r); err != nil {
		t.Fatal(err)
	}
	r.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	out, err := asn1.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// unnamed replaces the name of the curve by numbers; ca's own tests sign such a
// request rightly.
func unnamed(t testing.TB, der []byte) []byte {
	t.Helper()
	name := []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d}
	numbers := []byte{0x30, 0x08, 0x02, 0x01, 0x01, 0x02, 0x03, 0x01, 0x00, 0x01}
	out := bytes.Replace(der, name, numbers, 1)
	if bytes.Equal(out, der) {
		t.Fatal("no named curve")
	}
	return out
}
