package stepca_test

import (
	"bytes"
	"crypto/ecdsa"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/acme"
)

// RFC 8555 7.3.2, 7.3.5, 7.3.6: contacts, key change, deactivation.
func TestACMEAccount(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	acc, err := c.UpdateReg(t.Context(), &acme.Account{Contact: []string{"mailto:c@d.cn"}})
	if err != nil || !slices.Equal(acc.Contact, []string{"mailto:c@d.cn"}) {
		t.Fatalf("%+v, %v", acc, err)
	}
	if _, err := c.UpdateReg(t.Context(), &acme.Account{Contact: slices.Repeat([]string{"mailto:a@b.cn"}, 9)}); problemOf(err) != "malformed" {
		t.Errorf("nine contacts: %v", err)
	}
	for contact, want := range map[string]string{
		"tel:+861012345678": "unsupportedContact", "a@b.cn": "unsupportedContact", "mailto:": "invalidContact", "mailto:a@b.cn,c@d.cn": "invalidContact",
		"mailto:a@b.cn?subject=x": "invalidContact", "mailto:A <a@b.cn>": "invalidContact",
	} {
		if _, err := c.UpdateReg(t.Context(), &acme.Account{Contact: []string{contact}}); problemOf(err) != want {
			t.Errorf("contact %s: %v", contact, err)
		}
	}
	other := o.registered(t)
	if err := c.AccountKeyRollover(t.Context(), other.Key); problemOf(err) != "malformed" {
		t.Errorf("key of another account: %v", err)
	}
	oldKey, next := c.Key, newKey(t)
	if err := c.AccountKeyRollover(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.obtain(t, c, "http-01", host); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	stale := &acme.Client{Key: oldKey, HTTPClient: c.HTTPClient, DirectoryURL: c.DirectoryURL, KID: c.KID, RetryBackoff: c.RetryBackoff}
	if _, err := stale.AuthorizeOrder(t.Context(), acme.DomainIDs(host)); problemOf(err) != "malformed" {
		t.Errorf("with the old key: %v", err)
	}
	if err := c.DeactivateReg(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host)); problemOf(err) != "unauthorized" {
		t.Errorf("deactivated: %v", err)
	}
	var kinds []string
	for _, ev := range o.registry.Events() {
		if strings.HasPrefix(ev.Type, "ca.acme_account.") && !strings.HasSuffix(ev.Type, ".created") {
			kinds = append(kinds, ev.Type)
		}
		for _, d := range ev.Details {
			if strings.Contains(d, "d.cn") {
				t.Error("a contact is on the ledger")
			}
		}
	}
	if got := strings.Join(kinds, " "); got != "ca.acme_account.updated ca.acme_account.key_changed ca.acme_account.updated" {
		t.Error(got)
	}
}

// RFC 8555 7.6: only the account and the key of the certificate may revoke, and
// only for reasons that are theirs to give.
func TestACMERevocation(t *testing.T) {
	o := newOffice(t)
	c, other := o.registered(t), o.registered(t)
	leaf, key, err := o.obtain(t, c, "http-01", host)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RevokeCert(t.Context(), nil, leaf.Raw, acme.CRLReasonUnspecified); problemOf(err) != "unauthorized" {
		t.Errorf("another account: %v", err)
	}
	for _, reason := range []acme.CRLReasonCode{acme.CRLReasonCertificateHold, acme.CRLReasonCACompromise} {
		if err := c.RevokeCert(t.Context(), nil, leaf.Raw, reason); problemOf(err) != "badRevocationReason" {
			t.Errorf("reason %d: %v", reason, err)
		}
	}
	if err := c.RevokeCert(t.Context(), nil, o.cfg.Issuing.Raw, acme.CRLReasonUnspecified); problemOf(err) != "malformed" {
		t.Errorf("the authority: %v", err)
	}
	if err := c.RevokeCert(t.Context(), newKey(t), leaf.Raw, acme.CRLReasonUnspecified); problemOf(err) != "unauthorized" {
		t.Errorf("a foreign key: %v", err)
	}
	if err := c.RevokeCert(t.Context(), key, leaf.Raw, acme.CRLReasonSuperseded); err != nil {
		t.Errorf("the certificate's key: %v", err)
	}
	// One that was issued by token: its key may, an account may not.
	cert, byToken := o.enrol(t)
	if err := c.RevokeCert(t.Context(), nil, byToken.Raw, acme.CRLReasonUnspecified); problemOf(err) != "unauthorized" {
		t.Errorf("account over a certificate by token: %v", err)
	}
	if err := c.RevokeCert(t.Context(), cert.PrivateKey.(*ecdsa.PrivateKey), byToken.Raw, acme.CRLReasonUnspecified); err != nil {
		t.Errorf("key of a certificate by token: %v", err)
	}
}

func TestACMERoutes(t *testing.T) {
	o := newOffice(t)
	get := func(path, asHost string) (*http.Response, string) {
		req, err := http.NewRequest(http.MethodGet, o.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = asHost
		res, err := o.client(nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body bytes.Buffer
		body.ReadFrom(res.Body)
		return res, body.String()
	}
	res, body := get("/acme/acme/directory", "")
	if res.StatusCode != 200 || res.Header.Get("X-Request-ID") == "" || !strings.Contains(body, `"newOrder":"`+o.url+`/acme/acme/new-order"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, body := get("/acme/acme/directory", "evil.example"); res.StatusCode != 421 || strings.Contains(body, "evil") {
		t.Errorf("foreign host: %d %s", res.StatusCode, body)
	}
	if res, _ := get("/acme/acme/new-nonce", ""); res.StatusCode != 204 || len(res.Header.Get("Replay-Nonce")) < 22 {
		t.Errorf("nonce: %d %v", res.StatusCode, res.Header)
	}
	for path, want := range map[string]int{
		"/acme/yinxin-ra/directory": 404, "/acme/acme/new-order": 405, "/acme/other/directory": 404, "/acme/acme/x": 404,
	} {
		if res, _ := get(path, ""); res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	for path, body := range map[string]string{
		"/acme/acme/new-account": strings.Repeat("x", 70<<10), "/acme/acme/key-change": strings.Repeat("x", 70<<10), "/acme/acme/new-order": "{}",
	} {
		res, err := o.client(nil).Post(o.url+path, "application/jose+json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode < 400 || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	if !slices.Contains(o.Paths(), "/acme/acme/*") {
		t.Error("not in the list of paths")
	}
}
