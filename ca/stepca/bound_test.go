package stepca_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// X11-23: on this track too a certificate ends with what lets the system operate,
// by token, by ACME and on renewal.
func TestX11_23_LeafEndsWithTheGatesBound(t *testing.T) {
	o := newOffice(t)
	until := time.Now().AddDate(0, 0, 9).UTC().Truncate(time.Second)
	bound := func(u time.Time) {
		o.people.mu.Lock()
		defer o.people.mu.Unlock()
		o.people.until = u
	}
	bound(until)
	cert, leaf := o.enrol(t)
	if !leaf.NotAfter.Equal(until) {
		t.Errorf("by token until %s", leaf.NotAfter)
	}
	acme, _, err := o.obtain(t, o.registered(t), "http-01", host)
	if err != nil || !acme.NotAfter.Equal(until) {
		t.Errorf("by ACME until %v, %v", acme, err)
	}
	sooner := until.AddDate(0, 0, -2)
	bound(sooner)
	if next := o.post(t, o.client(cert), "/1.0/renew", nil).leaf(t); !next.NotAfter.Equal(sooner) {
		t.Errorf("renewed until %s", next.NotAfter)
	}
	// What was cut short gets the full length again once the gate allows it.
	bound(time.Time{})
	full, err := profile.Get(profile.ECDSALeaf)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/1.0/renew", "/1.0/rekey"} {
		var in map[string]any
		if path == "/1.0/rekey" {
			in = map[string]any{"csr": csr(t, newKey(t), system, host)}
		}
		if next := o.post(t, o.client(cert), path, in).leaf(t); next.NotAfter.Sub(next.NotBefore)+time.Second < full.Validity {
			t.Errorf("%s: %s, not the full length", path, next.NotAfter.Sub(next.NotBefore))
		}
	}
	bound(time.Now().Add(-time.Second))
	if got := o.post(t, o.client(cert), "/1.0/renew", nil); got.Status < http.StatusBadRequest {
		t.Errorf("renewed for no time at all: %d", got.Status)
	}
}

// XA18-17: a test certificate says what it is, ends within 30 days, can be revoked
// by its key, and is no peer and not renewed.
func TestXA18_17_TestLeafSaysSo(t *testing.T) {
	o := newOffice(t)
	test := func(r *ca.Request) { r.Purpose = ca.PurposeTest }
	key := newKey(t)
	leaf := o.post(t, o.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, key, system, host), "ott": o.token(t, o.request(t, ca.RequestApproved, test))}).leaf(t)
	if len(leaf.Subject.OrganizationalUnit) != 1 || leaf.Subject.OrganizationalUnit[0] != profile.TestUnit || leaf.NotAfter.After(time.Now().AddDate(0, 0, 30)) {
		t.Errorf("%s until %s", leaf.Subject, leaf.NotAfter)
	}
	if len(leaf.Policies) != 1 || leaf.Policies[0].String() != profile.DefaultTestOID {
		t.Errorf("policies %v", leaf.Policies)
	}
	if row := o.rows()[leaf.SerialNumber.Text(16)]; row.Kind != ca.KindECDSATest {
		t.Errorf("recorded as %s", row.Kind)
	}
	if _, err := o.Peer(t.Context(), leaf); err == nil {
		t.Error("a test certificate is a peer")
	}
}
