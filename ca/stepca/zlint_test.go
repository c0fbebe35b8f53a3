package stepca_test

import (
	"crypto/tls"
	"testing"
)

// Every way in which the embedded authority signs, and the authorities above it.
// The lists of both tracks are read in ca/status, by a test of the same name.
func TestZlintFindsNoErrorOfRFCSources(t *testing.T) {
	o := newOffice(t)
	cert, _ := o.enrol(t) // JWK token
	o.post(t, o.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, newKey(t), host, host), "ott": o.x5cToken(t, cert)}).leaf(t)
	o.post(t, o.client(cert), "/1.0/renew", nil).leaf(t)
	o.post(t, o.client(cert), "/1.0/rekey", map[string]any{"csr": csr(t, newKey(t), system, host)}).leaf(t)
	leaf, key, err := o.obtain(t, o.registered(t), "http-01", host)
	if err != nil {
		t.Fatal(err)
	}
	byACME := &tls.Certificate{Certificate: [][]byte{leaf.Raw, o.cfg.Issuing.Raw}, PrivateKey: key, Leaf: leaf}
	o.post(t, o.client(byACME), "/1.0/renew", nil).leaf(t)
	const root, issuing, server, leaves = 1, 1, 1, 6
	if got := o.lintAll(t); got != root+issuing+server+leaves {
		t.Errorf("%d certificates were read", got)
	}
}
