package stepca_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

const (
	present = "/acme/txt/present"
	cleanup = "/acme/txt/cleanup"
)

// The store never sees a MAC key or a password in the clear; the ledger neither.
func TestACMEKeyIsKeptWrapped(t *testing.T) {
	o := newOffice(t)
	e := o.eab(t)
	k, err := o.store.Key(t.Context(), e.KID)
	if err != nil || bytes.Contains(k.HMAC, e.Key) || len(k.HMAC) <= len(e.Key) || strings.Contains(k.TextHash, o.text[1]) || len(k.TextHash) != 64 {
		t.Fatalf("%+v, %v", k, err)
	}
	if got, err := o.cfg.Wrapper.Unwrap(t.Context(), k.HMAC, []byte("yinxin acme key v1\n"+e.KID+"\n")); err != nil || !bytes.Equal(got, e.Key) {
		t.Errorf("%v", err)
	}
	// Wrapped bytes of another key are no key.
	other := o.eab(t, func(r *ca.Request) { r.System = "sys-other"; r.Hosts = []string{"other.gov"} }, func(*ca.Request) {
		o.people.set(func(p *people) { p.hosts["sys-other"] = []string{"other.gov"} })
	})
	o.store.Swap(e.KID, other.KID)
	if _, err := o.newClient(t).Register(t.Context(), &acme.Account{ExternalAccountBinding: e}, acme.AcceptTOS); problemOf(err) != "serverInternal" {
		t.Errorf("swapped in the store: %v", err)
	}
}

// dns-01 without a DNS: a record is set by who may have a certificate for the
// host, over mTLS or with the text password, and by nobody else.
func TestTextRegister(t *testing.T) {
	const name, value = "_acme-challenge." + host, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	o := newOffice(t)
	o.registered(t)
	kid, password := o.text[0], o.text[1]
	cert, _ := o.enrol(t)
	gone, leaf := o.enrol(t)
	if a := o.post(t, o.client(gone), "/1.0/revoke", map[string]any{"serial": leaf.SerialNumber.String(), "passive": true}); a.Status != 200 {
		t.Fatal(a)
	}
	plain := o.client(nil)
	for _, c := range []struct {
		name           string
		client         *http.Client
		user, password string
		fqdn, value    string
		want           int
	}{
		{"password", plain, kid, password, name, value, 204},
		{"password, name with a dot at its end", plain, kid, password, name + ".", value, 204},
		{"mTLS", o.client(cert), "", "", name, value, 204},
		{"nobody", plain, "", "", name, value, 401},
		{"wrong password", plain, kid, password + "x", name, value, 401},
		{"unknown key", plain, "x", password, name, value, 401},
		{"revoked certificate", o.client(gone), "", "", name, value, 403},
		{"foreign host", plain, kid, password, "_acme-challenge.evil.example", value, 403},
		{"registered, not approved", plain, kid, password, "_acme-challenge.svc2.xicheng.gov.internal", value, 403},
		{"not a challenge", plain, kid, password, host, value, 400},
		{"not a digest", plain, kid, password, name, "v=spf1 -all", 400},
		{"not JSON", plain, kid, password, `"`, value, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := o.setText(t, c.client, present, c.user, c.password, c.fqdn, c.value); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
	values := func() int {
		got, err := o.store.Texts(t.Context(), name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	if n := values(); n != 1 {
		t.Errorf("%d records", n)
	}
	if got := o.setText(t, plain, cleanup, "", "", name, value); got != 401 || values() != 1 {
		t.Errorf("removed by nobody: %d", got)
	}
	for range 2 {
		if got := o.setText(t, o.client(cert), cleanup, "", "", name, value); got != 204 || values() != 0 {
			t.Errorf("cleanup: %d", got)
		}
	}
	for n := range acmestore.MaxTexts + 1 {
		got := o.setText(t, plain, present, kid, password, name, strings.Repeat(string(rune('a'+n)), 43))
		if want := map[bool]int{false: 204, true: 409}[n == acmestore.MaxTexts]; got != want {
			t.Errorf("record %d: %d", n+1, got)
		}
	}
	var set, removed int
	for _, ev := range o.registry.Events() {
		if ev.Object.Kind == "host" && ev.Object.ID == host && ev.Actor.ID == system {
			set += map[bool]int{true: 1}[ev.Type == "ca.acme_text.set"]
			removed += map[bool]int{true: 1}[ev.Type == "ca.acme_text.removed"]
		}
	}
	if set != 3+acmestore.MaxTexts || removed != 1 || len(o.people.recorded("ca.acme_text.refused")) != 2 {
		t.Errorf("%d set, %d removed, %d refused", set, removed, len(o.people.recorded("ca.acme_text.refused")))
	}
	if strings.Contains(o.log.String(), password) {
		t.Error("password in the log")
	}
}

// The password ends with the account, with the approval's host and with time.
func TestTextPasswordEnds(t *testing.T) {
	const name, value = "_acme-challenge." + host, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	now := time.Now()
	o := newOffice(t, func(c *stepca.Config) { c.Now = func() time.Time { return now } })
	try := func() int { return o.setText(t, o.client(nil), present, o.text[0], o.text[1], name, value) }
	o.eab(t)
	if got := try(); got != 204 {
		t.Errorf("before the account: %d", got)
	}
	now = now.Add(73 * time.Hour)
	if got := try(); got != 401 {
		t.Errorf("expired: %d", got)
	}
	now = now.Add(-73 * time.Hour)
	c := o.registered(t)
	if got := try(); got != 204 {
		t.Errorf("with an account: %d", got)
	}
	if err := c.DeactivateReg(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := try(); got != 401 {
		t.Errorf("deactivated: %d", got)
	}
}
