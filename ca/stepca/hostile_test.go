package stepca_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/acme"
)

// What a stranger writes into a certificate request. Names, key and proof are
// judged; everything else that it asks for is left unread, because the profile
// says what a certificate is.
type oddRequest struct {
	name  string
	key   func(*testing.T) crypto.Signer // nil: P-256
	build func(*x509.CertificateRequest)
	acme  string // problem type; "": issued
	token int    // status at /1.0/sign; 0: issued
}

func oddRequests() []oddRequest {
	asks := func(id asn1.ObjectIdentifier, critical bool, value []byte) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) {
			r.ExtraExtensions = append(r.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
		}
	}
	names := func(dns ...string) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) { r.DNSNames = dns }
	}
	return []oddRequest{
		{name: "asks to be an authority", build: asks(asn1.ObjectIdentifier{2, 5, 29, 19}, true, []byte{0x30, 0x03, 0x01, 0x01, 0xff})},
		{name: "asks to sign certificates", build: asks(asn1.ObjectIdentifier{2, 5, 29, 15}, true, []byte{0x03, 0x02, 0x01, 0x06})},
		{name: "asks to sign OCSP", build: asks(asn1.ObjectIdentifier{2, 5, 29, 37}, false, []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 9})},
		{name: "critical extension that nobody knows", build: asks(asn1.ObjectIdentifier{1, 2, 3, 4}, true, []byte{0x05, 0x00})},
		{name: "name constraints", build: asks(asn1.ObjectIdentifier{2, 5, 29, 30}, true, []byte{0x30, 0x00})},
		{name: "O of another agency", build: func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"别的机关"} }},
		{name: "20 kB of extension", build: asks(asn1.ObjectIdentifier{1, 2, 3, 5}, false, append([]byte{0x04, 0x82, 0x4e, 0x20}, make([]byte, 20000)...))},
		{name: "two common names", build: func(r *x509.CertificateRequest) {
			r.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
				{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: host}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "evil.example"},
			}
		}, acme: "badCSR", token: 403},
		{name: "foreign common name", build: func(r *x509.CertificateRequest) { r.Subject.CommonName = "evil.example" }, acme: "badCSR", token: 403},
		{name: "an IP address", build: func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{{127, 0, 0, 1}} }, acme: "badCSR", token: 403},
		{name: "an e-mail address", build: func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@b.cn"} }, acme: "badCSR", token: 403},
		{name: "a URI", build: func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "spiffe", Host: "x", Path: "/y"}} }, acme: "badCSR", token: 403},
		{name: "a wildcard", build: names("*.xicheng.gov.internal"), acme: "badCSR", token: 403},
		{name: "a wildcard beside the host", build: names(host, "*.xicheng.gov.internal"), acme: "badCSR", token: 403},
		{name: "another name in punycode", build: names("xn--fiq228c.gov.internal"), acme: "badCSR", token: 403},
		{name: "the host with a dot behind", build: names(host + "."), acme: "badCSR", token: 403},
		{name: "the host with a zero byte behind", build: names(host + "\x00.evil.example"), acme: "badCSR", token: 403},
		{name: "no name at all", build: names(), acme: "badCSR"},
		{name: "the host in capitals", build: names(strings.ToUpper(host)), token: 403},
		{name: "RSA key", key: func(t *testing.T) crypto.Signer {
			k, err := rsa.GenerateKey(rand.Reader, 2048)
			return got(t, k, err)
		}, build: names(host), acme: "badCSR", token: 400},
		{name: "Ed25519 key", key: func(t *testing.T) crypto.Signer {
			_, k, err := ed25519.GenerateKey(rand.Reader)
			return got(t, k, err)
		}, build: names(host), acme: "badCSR", token: 400},
		{name: "P-384 key", key: func(t *testing.T) crypto.Signer {
			k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			return got(t, k, err)
		}, build: names(host), acme: "badCSR", token: 400},
	}
}

func got[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (c oddRequest) der(t *testing.T) []byte {
	t.Helper()
	var key crypto.Signer = newKey(t)
	if c.key != nil {
		key = c.key(t)
	}
	r := &x509.CertificateRequest{DNSNames: []string{host}}
	c.build(r)
	der, err := x509.CreateCertificateRequest(rand.Reader, r, key)
	return got(t, der, err)
}

// asProfiled: nothing of what a request asked for beside its names is in the
// certificate.
func asProfiled(t *testing.T, c *x509.Certificate) {
	t.Helper()
	if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 2 || len(c.UnhandledCriticalExtensions) != 0 || len(c.Raw) > 2000 ||
		len(c.DNSNames) != 1 || c.DNSNames[0] != host || c.Subject.CommonName != system && c.Subject.CommonName != host || c.Subject.Organization[0] != "样例区民政局" {
		t.Errorf("%v, CA %v, usage %b %v, names %v", c.Subject, c.IsCA, c.KeyUsage, c.ExtKeyUsage, c.DNSNames)
	}
}

// RFC 8555 7.4 by ACME, and the same requests with a one-time token: what is
// refused has its problem type, one event that names the system, and no
// certificate; what is not refused has the profile's form.
func TestOddCertificateRequests(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	for _, odd := range oddRequests() {
		t.Run(odd.name, func(t *testing.T) {
			der, before, refused := odd.der(t), o.rows(), o.refusals()
			order := o.ready(t, c, host)
			to, body := o.finalizing(t, c, order, der)
			if got := o.send(t, o.client(nil), to, body); got != odd.acme {
				t.Errorf("ACME: %q, want %q", got, odd.acme)
			}
			after := o.rows()
			switch {
			case odd.acme == "" && len(after) == len(before)+1:
				for serial, row := range after {
					if _, old := before[serial]; !old {
						asProfiled(t, parse(t, row.DER))
					}
				}
			case odd.acme == "" || len(after) != len(before) || o.refusals() != refused+1:
				t.Errorf("ACME: %d certificates, %d refusals more", len(after)-len(before), o.refusals()-refused)
			}
			refused = o.refusals()
			a := o.house.sign(t, string(pemOf("CERTIFICATE REQUEST", der)))
			if odd.token == 0 {
				asProfiled(t, a.leaf(t))
			} else if a.Status != odd.token || a.Chain != nil || len(o.rows()) != len(after) || o.refusals() != refused+1 {
				t.Errorf("token: %d %s, %d certificates, %d refusals more", a.Status, a.Message, len(o.rows())-len(after), o.refusals()-refused)
			}
		})
	}
}

// refusals are the events about a system that was turned down.
func (o *office) refusals() (n int) {
	for _, kind := range []string{"ca.call.refused", "ca.certificate.refused"} {
		for _, ev := range o.people.recorded(kind) {
			if ev.Actor.ID == system {
				n++
			}
		}
	}
	return n
}

// RFC 8555 6.2 to 6.5: signatures that a client must not make.
func TestOddSignatures(t *testing.T) {
	o := newOffice(t)
	c, other := o.registered(t), o.registered(t)
	key, web, path := c.Key.(*ecdsa.PrivateKey), o.client(nil), "/acme/acme/new-order"
	good := `{"identifiers":[{"type":"dns","value":"` + host + `"}]}`
	for name, tc := range map[string]struct {
		key    *ecdsa.PrivateKey
		header map[string]any
		want   string
		status int
	}{
		"no algorithm":             {key, map[string]any{"alg": "none"}, "badSignatureAlgorithm", 400},
		"an HMAC":                  {key, map[string]any{"alg": "HS256"}, "badSignatureAlgorithm", 400},
		"another curve's":          {key, map[string]any{"alg": "ES512"}, "malformed", 400},
		"url of another resource":  {key, map[string]any{"url": o.url + "/acme/acme/new-account"}, "unauthorized", 401},
		"no url":                   {key, map[string]any{"url": nil}, "malformed", 400},
		"kid and jwk":              {key, map[string]any{"jwk": jwk(t, key)}, "malformed", 400},
		"neither kid nor jwk":      {key, map[string]any{"kid": nil}, "malformed", 400},
		"jwk of the account":       {key, map[string]any{"kid": nil, "jwk": jwk(t, key)}, "malformed", 400},
		"kid of another account":   {key, map[string]any{"kid": string(other.KID)}, "malformed", 400},
		"kid that nobody has":      {key, map[string]any{"kid": string(c.KID) + "x"}, "accountDoesNotExist", 400},
		"signed by a stranger":     {newKey(t), nil, "malformed", 400},
		"a nonce that nobody made": {key, map[string]any{"nonce": "AAAAAAAAAAAAAAAAAAAAAA"}, "badNonce", 400},
		"critical header":          {key, map[string]any{"crit": []string{"x"}, "x": 1}, "malformed", 400},
	} {
		header := map[string]any{"kid": string(c.KID), "url": o.url + path, "nonce": o.nonce(t, web)}
		for k, v := range tc.header {
			if header[k] = v; v == nil {
				delete(header, k)
			}
		}
		res, err := web.Post(o.url+path, "application/jose+json", strings.NewReader(jws(t, tc.key, header, good)))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		res.Body.Close()
		var p struct{ Type string }
		if err != nil || json.Unmarshal(raw, &p) != nil || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, %v", name, res.StatusCode, raw, err)
		}
		if got := p.Type[strings.LastIndex(p.Type, ":")+1:]; got != tc.want || res.StatusCode != tc.status {
			t.Errorf("%s: %d %s, want %d %s", name, res.StatusCode, got, tc.status, tc.want)
		}
		if listed := strings.Contains(string(raw), `"algorithms":["ES256",`); listed != (tc.want == "badSignatureAlgorithm") {
			t.Errorf("%s: algorithms listed: %v", name, listed) // RFC 8555 6.2
		}
		// RFC 8555 6.5: also an error hands out the next nonce.
		if res.Header.Get("Replay-Nonce") == "" {
			t.Errorf("%s: no nonce in the answer", name)
		}
	}
	if _, _, orders, _ := o.store.Counts(); orders != 0 {
		t.Errorf("%d orders", orders)
	}
}

// RFC 8555 6.3, 7.1, 7.4, 7.5: resources of others, orders that are not ready or
// done, and what a client reads on the way.
func TestOddWaysThroughAnOrder(t *testing.T) {
	o := newOffice(t)
	c, other := o.registered(t), o.registered(t)
	web := o.client(nil)
	ask := func(who *acme.Client, at, payload string) (*http.Response, string) {
		t.Helper()
		header := map[string]any{"kid": string(who.KID), "url": at, "nonce": o.nonce(t, web)}
		res, err := web.Post(at, "application/jose+json", strings.NewReader(jws(t, who.Key.(*ecdsa.PrivateKey), header, payload)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		return res, string(got(t, raw, err))
	}
	order := got2(c.AuthorizeOrder(t.Context(), acme.DomainIDs(host)))(t)
	csr := base64.RawURLEncoding.EncodeToString(csrDER(t, newKey(t), host))
	finalize := `{"csr":"` + csr + `"}`
	authz := got2(c.GetAuthorization(t.Context(), order.AuthzURLs[0]))(t)
	for name, tc := range map[string]struct {
		who  *acme.Client
		at   string
		body string
		want int
		says string
	}{
		"finalized before it is ready": {c, order.FinalizeURL, finalize, 403, "orderNotReady"},
		"order of another":             {other, order.URI, "", 401, "unauthorized"},
		"authorization of another":     {other, order.AuthzURLs[0], "", 401, "unauthorized"},
		"challenge of another":         {other, authz.Challenges[0].URI, "{}", 401, "unauthorized"},
		"finalized by another":         {other, order.FinalizeURL, finalize, 401, "unauthorized"},
		"order that nobody has":        {c, order.URI + "x", "", 404, "malformed"},
		"order read with a payload":    {c, order.URI, "{}", 400, "malformed"},
		"finalize without a request":   {c, order.FinalizeURL, "{}", 400, "malformed"},
		"finalize with rubbish":        {c, order.FinalizeURL, `{"csr":"!!"}`, 400, "malformed"},
		"orders of another account":    {other, string(c.KID) + "/orders", "", 401, "unauthorized"},
	} {
		res, body := ask(tc.who, tc.at, tc.body)
		if res.StatusCode != tc.want || !strings.Contains(body, ":"+tc.says+`"`) {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	if res, body := ask(c, order.URI, ""); res.StatusCode != 200 || !strings.Contains(body, `"pending"`) {
		t.Errorf("POST-as-GET: %d %s", res.StatusCode, body)
	}
	if res, body := ask(c, string(c.KID)+"/orders", ""); res.StatusCode != 200 || !strings.Contains(body, order.URI) {
		t.Errorf("list of orders: %d %s", res.StatusCode, body)
	}
	if err := o.prove(t, c, order, "http-01"); err != nil {
		t.Fatal(err)
	}
	res, body := ask(c, order.FinalizeURL, finalize)
	if res.StatusCode != 200 || !strings.Contains(body, `"valid"`) || res.Header.Get("Location") != order.URI {
		t.Fatalf("%d %s %s", res.StatusCode, res.Header.Get("Location"), body)
	}
	// A client that lost the answer sends it again, and gets the order as it is.
	if res, body := ask(c, order.FinalizeURL, finalize); res.StatusCode != 200 || !strings.Contains(body, `"valid"`) || len(o.rows()) != 1 {
		t.Errorf("again: %d %s, %d certificates", res.StatusCode, body, len(o.rows()))
	}
	var done struct{ Certificate string }
	if err := json.Unmarshal([]byte(body), &done); err != nil {
		t.Fatal(err)
	}
	if res, _ := ask(other, done.Certificate, ""); res.StatusCode != 401 {
		t.Errorf("certificate of another: %d", res.StatusCode)
	}
	res, body = ask(c, done.Certificate, "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/pem-certificate-chain" || !bytes.Contains([]byte(body), []byte("BEGIN CERTIFICATE")) {
		t.Errorf("certificate: %d %v", res.StatusCode, res.Header)
	}
}

func got2[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T { t.Helper(); return got(t, v, err) }
}
