package stepca_test

import (
	"crypto/x509"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
)

// Whatever way a certificate takes, its row says which, by what, and whom it
// follows: ACME clients renew by a new order for the same names, which names no
// certificate before it (RFC 8555 7.4).
func TestEveryWayIsRecorded(t *testing.T) {
	o := newOffice(t)
	origin := func(leaf *x509.Certificate) ca.Origin { return o.rows()[ca.FormatSerial(leaf.SerialNumber)].Origin }
	name := func(leaf *x509.Certificate) string {
		row := o.rows()[ca.FormatSerial(leaf.SerialNumber)]
		return row.Name()
	}
	check := func(what string, leaf *x509.Certificate, way ca.Way, ref, previous string) {
		t.Helper()
		got := origin(leaf)
		if got.Way != way || got.Ref != ref || got.Previous != previous || len(got.Names) != len(leaf.DNSNames) {
			t.Errorf("%s: %+v, want %s by %q after %q", what, got, way, ref, previous)
		}
	}
	cert, first := o.enrol(t)
	check("one-time token", first, ca.WayToken, "", "")
	machine := o.post(t, o.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, newKey(t), host, host), "ott": o.x5cToken(t, cert)}).leaf(t)
	check("X5C", machine, ca.WayX5C, name(first), "")
	renewed := o.post(t, o.client(cert), "/1.0/renew", nil).leaf(t)
	check("renew", renewed, ca.WayRenewal, "", name(first))
	rekeyed := o.post(t, o.client(cert), "/1.0/rekey", map[string]any{"csr": csr(t, newKey(t), system, host)}).leaf(t)
	check("rekey", rekeyed, ca.WayRekey, "", name(first))

	c := o.registered(t)
	last := name(rekeyed)
	for range 2 {
		leaf, _, err := o.obtain(t, c, "http-01", host)
		if err != nil {
			t.Fatal(err)
		}
		order, err := o.store.OrderOfCertificate(t.Context(), ca.FormatSerial(leaf.SerialNumber))
		if err != nil {
			t.Fatal(err)
		}
		check("ACME", leaf, ca.WayACME, order.ID, last)
		last = name(leaf)
	}
}
