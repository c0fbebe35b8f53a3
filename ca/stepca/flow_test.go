package stepca_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// The life of one mTLS certificate over a real listener: approved → token →
// sign → renew → rekey → revoke.
func TestLifeOfACertificate(t *testing.T) {
	h := newHouse(t)
	cert, leaf := h.enrol(t)

	t.Run("the certificate is what was approved, not what was asked", func(t *testing.T) {
		pool := x509.NewCertPool()
		pool.AddCert(h.cfg.Root)
		mid := x509.NewCertPool()
		mid.AddCert(h.cfg.Issuing)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: mid, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Fatal(err)
		}
		if leaf.Subject.CommonName != system || leaf.Subject.Organization[0] != "样例区民政局" {
			t.Errorf("subject %s", leaf.Subject)
		}
		row := h.rows()[leaf.SerialNumber.Text(16)]
		if row.State != ca.StateGood || row.System != system || row.Agency != uscc || row.Request == "" {
			t.Errorf("row %+v", row)
		}
		if !bytes.Equal(row.TBS, leaf.RawTBSCertificate) || !bytes.Equal(row.DER, leaf.Raw) {
			t.Error("recorded bytes are not the issued ones")
		}
		if len(leaf.CRLDistributionPoints) != 1 || len(leaf.OCSPServer) != 1 || len(leaf.IssuingCertificateURL) != 1 || len(leaf.Policies) != 1 {
			t.Error("CRL, OCSP, issuer or policy missing")
		}
		for _, e := range leaf.Extensions {
			if strings.HasPrefix(e.Id.String(), "1.3.6.1.4.1.37476.") {
				t.Error("smallstep extension in a certificate of the house")
			}
		}
	})

	t.Run("renew over mTLS keeps key, names and length", func(t *testing.T) {
		next := h.post(t, h.client(cert), "/1.0/renew", nil).leaf(t)
		if next.SerialNumber.Cmp(leaf.SerialNumber) == 0 || !bytes.Equal(next.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo) {
			t.Error("not a follower with the same key")
		}
		if fmt.Sprint(next.DNSNames) != fmt.Sprint(leaf.DNSNames) || !bytes.Equal(next.RawSubject, leaf.RawSubject) {
			t.Error("names changed")
		}
		if a, b := next.NotAfter.Sub(next.NotBefore), leaf.NotAfter.Sub(leaf.NotBefore); a != b {
			t.Errorf("length %s, was %s", a, b)
		}
		if len(h.rows()) != 2 {
			t.Errorf("%d rows", len(h.rows()))
		}
	})

	t.Run("rekey over mTLS takes the new key only", func(t *testing.T) {
		key := newKey(t)
		got := h.post(t, h.client(cert), "/1.0/rekey", map[string]any{"csr": csr(t, key, "someone-else", "evil.example")}).leaf(t)
		if !key.PublicKey.Equal(got.PublicKey) || got.Subject.CommonName != system || fmt.Sprint(got.DNSNames) != "["+host+"]" {
			t.Errorf("got %s %v", got.Subject, got.DNSNames)
		}
	})

	t.Run("revoke, revoke again, renew", func(t *testing.T) {
		c := h.client(cert)
		body := map[string]any{"serial": leaf.SerialNumber.String(), "reasonCode": 4, "passive": true, "reason": "personal text"}
		if a := h.post(t, c, "/1.0/revoke", body); a.Status != http.StatusOK {
			t.Fatalf("revoke: %d %s", a.Status, a.Message)
		}
		row := h.rows()[leaf.SerialNumber.Text(16)]
		if row.State != ca.StateRevoked || row.Reason != 4 || row.RevokedAt.IsZero() {
			t.Errorf("row %+v", row)
		}
		if a := h.post(t, c, "/1.0/revoke", body); a.Status != http.StatusBadRequest || !strings.Contains(a.Message, "already revoked") {
			t.Errorf("second revoke: %d %s", a.Status, a.Message)
		}
		if a := h.post(t, c, "/1.0/renew", nil); a.Status != http.StatusUnauthorized || a.Chain != nil {
			t.Errorf("renew after revoke: %d %s", a.Status, a.Message)
		}
		if a := h.post(t, c, "/1.0/rekey", map[string]any{"csr": csr(t, newKey(t), system, host)}); a.Status != http.StatusUnauthorized {
			t.Errorf("rekey after revoke: %d %s", a.Status, a.Message)
		}
	})

	t.Run("every step stands on the ledger, in order", func(t *testing.T) {
		var kinds []string
		for _, ev := range h.registry.Events() {
			if ev.Object.Kind == "certificate" && ev.Details["profile"] == "ecdsa-leaf" || ev.Type == "ca.certificate.revoked" {
				kinds = append(kinds, strings.TrimPrefix(ev.Type, "ca.certificate."))
			}
			if strings.Contains(fmt.Sprint(ev), "personal text") {
				t.Error("free text of a client in the ledger")
			}
		}
		want := "reserved issued reserved issued reserved issued revoked"
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("events %s\nwant   %s", got, want)
		}
		if len(h.people.recorded("ca.token.minted")) != 1 {
			t.Error("minting was not recorded")
		}
	})
}

// A CSR may leave its names out; it gets the approved ones.
func TestCSRWithoutNames(t *testing.T) {
	h := newHouse(t)
	tok := h.token(t, h.request(t, ca.RequestIssued))
	leaf := h.post(t, h.client(nil), "/sign", map[string]any{"csr": csr(t, newKey(t), ""), "ott": tok, "notAfter": "24h"}).leaf(t)
	if leaf.Subject.CommonName != system || fmt.Sprint(leaf.DNSNames) != "["+host+"]" {
		t.Errorf("%s %v", leaf.Subject, leaf.DNSNames)
	}
	// A client may ask for less than the profile's period.
	if d := time.Until(leaf.NotAfter); d > 24*time.Hour || d < 24*time.Hour-10*time.Second {
		t.Errorf("ends in %s", d)
	}
}

func TestOnlyListedRoutes(t *testing.T) {
	h := newHouse(t)
	c := h.client(nil)
	get := func(path string) (int, string) {
		res, err := c.Get(h.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(raw)
	}
	fingerprint := fmt.Sprintf("%x", sha256Sum(h.cfg.Root.Raw))
	for _, base := range []string{"", "/1.0"} {
		for path, want := range map[string]int{
			"/health": 200, "/version": 200, "/roots": 201, "/provisioners": 200, "/root/" + fingerprint: 200,
			"/root/00": 404, "/provisioners/none/encrypted-key": 404,
			"/crl": 404, "/federation": 404, "/ssh/roots": 404, "/intermediates": 404, "/acme/acme/directory": 404,
		} {
			if got, body := get(base + path); got != want {
				t.Errorf("GET %s: %d, want %d: %s", base+path, got, want, body)
			}
		}
		if a := h.post(t, c, base+"/ssh/sign", nil); a.Status != 404 && a.Status != 405 {
			t.Errorf("POST %s/ssh/sign: %d", base, a.Status)
		}
	}
	if _, body := get("/1.0/provisioners"); !strings.Contains(body, `"type":"JWK"`) || strings.Contains(body, `"d":`) || strings.Contains(body, "encryptedKey") {
		t.Errorf("provisioners: %s", body)
	}
	if _, body := get("/1.0/root/" + fingerprint); !strings.Contains(body, "BEGIN CERTIFICATE") {
		t.Errorf("root: %s", body)
	}
}

// A certificate that is on hold, or of which only the reservation exists, does
// nothing.
func TestHeldCertificateIsNotRenewed(t *testing.T) {
	h := newHouse(t)
	cert, leaf := h.enrol(t)
	row := h.rows()[leaf.SerialNumber.Text(16)]
	ev := h.registry.Events()[0]
	ev.ID, ev.Type = "hold-1", "ca.certificate.held"
	if _, err := h.registry.SetState(t.Context(), row.Issuer, row.Serial, ca.StateHold, 6, time.Now(), ev); err != nil {
		t.Fatal(err)
	}
	if a := h.post(t, h.client(cert), "/1.0/renew", nil); a.Status != http.StatusForbidden || !strings.Contains(a.Message, "hold") {
		t.Errorf("renew: %d %s", a.Status, a.Message)
	}
	if _, err := h.Peer(t.Context(), leaf); err == nil {
		t.Error("a held certificate is a good peer")
	}
}

func TestServerCertificateRenewsItself(t *testing.T) {
	h := newHouse(t)
	clock := time.Now()
	h2 := h.cfg
	h2.Now = func() time.Time { return clock }
	a := mustNew(t, h2)
	s, err := a.ServerCertificate(t.Context(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		c, err := s.GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		if c.Leaf.NotAfter.Before(clock) {
			t.Errorf("served a certificate that ended %s", c.Leaf.NotAfter)
		}
		return c.Leaf.SerialNumber.Text(16)
	}
	first := serial()
	clock = clock.Add(4 * 24 * time.Hour)
	if serial() != first {
		t.Error("renewed too early")
	}
	clock = clock.Add(24 * time.Hour)
	h.registry.FailNext("Reserve", io.ErrUnexpectedEOF)
	if serial() != first {
		t.Error("a failed renewal must leave the old one")
	}
	clock = clock.Add(30 * time.Second)
	if serial() != first {
		t.Error("tried again at once")
	}
	clock = clock.Add(time.Minute)
	if serial() == first {
		t.Error("not renewed")
	}
	if _, err := a.ServerCertificate(t.Context(), nil); err == nil {
		t.Error("certificate for nobody")
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
