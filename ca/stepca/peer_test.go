package stepca_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// forge copies everything of a certificate but the signing key.
func forge(t *testing.T, h *house, leaf *x509.Certificate) *x509.Certificate {
	t.Helper()
	key := newKey(t)
	parent := *h.cfg.Issuing
	parent.PublicKey = key.Public()
	der, err := x509.CreateCertificate(rand.Reader, leaf, &parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, der)
}

// The routes do not rely on the outer server: a connection whose certificate
// was not verified, or was verified against a pool that holds more than our
// authority, renews and revokes nothing.
func TestRoutesCheckThePeerThemselves(t *testing.T) {
	h := newHouse(t)
	_, leaf := h.enrol(t)
	forged := forge(t, h, leaf)
	house, err := h.ServerCertificate(t.Context(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	own, err := house.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	chain := func(c *x509.Certificate) [][]*x509.Certificate {
		return [][]*x509.Certificate{{c, h.cfg.Issuing, h.cfg.Root}}
	}
	before := h.custody.used()
	for name, state := range map[string]*tls.ConnectionState{
		"no TLS":                 nil,
		"no certificate":         {},
		"not verified":           {PeerCertificates: []*x509.Certificate{leaf}},
		"verified by a stranger": {PeerCertificates: []*x509.Certificate{forged}, VerifiedChains: chain(forged)},
		"the house's own":        {PeerCertificates: []*x509.Certificate{own.Leaf}, VerifiedChains: chain(own.Leaf)},
		"an authority":           {PeerCertificates: []*x509.Certificate{h.cfg.Issuing}, VerifiedChains: chain(h.cfg.Issuing)},
	} {
		for _, path := range []string{"/renew", "/1.0/renew"} {
			r := httptest.NewRequest(http.MethodPost, path, nil)
			r.TLS = state
			w := httptest.NewRecorder()
			h.Routes().ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s: %s answers %d %s", name, path, w.Code, w.Body)
			}
		}
	}
	if h.custody.used() != before {
		t.Error("signed")
	}
	body := fmt.Sprintf(`{"serial":"%s","passive":true}`, own.Leaf.SerialNumber)
	r := httptest.NewRequest(http.MethodPost, "/revoke", strings.NewReader(body))
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{own.Leaf}, VerifiedChains: chain(own.Leaf)}
	w := httptest.NewRecorder()
	h.Routes().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("revoking the house's own certificate: %d %s", w.Code, w.Body)
	}
}

func TestPeer(t *testing.T) {
	h := newHouse(t)
	_, leaf := h.enrol(t)
	row, err := h.Peer(t.Context(), leaf)
	if err != nil || row.System != system || row.Agency != uscc {
		t.Errorf("%v %v", row, err)
	}
	house, err := h.ServerCertificate(t.Context(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	own, err := house.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	other := newHouse(t)
	for _, c := range []struct {
		name string
		crt  *x509.Certificate
		want error
	}{
		{"none", nil, stepca.ErrPeer},
		{"same issuer and serial, other key", forge(t, h, leaf), stepca.ErrPeer},
		{"the house's own", own.Leaf, stepca.ErrPeer},
		{"of the root", h.cfg.Issuing, stepca.ErrPeer},
	} {
		if _, err := h.Peer(t.Context(), c.crt); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := other.Peer(t.Context(), leaf); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("of another house: %v", err)
	}
}
