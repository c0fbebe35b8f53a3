package demo

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// post sends JSON from a file: a request does not fit on every command line.
func post(t *testing.T, d *running, system, path string, body any) (string, []byte) {
	t.Helper()
	raw, err := json.Marshal(body)
	ok(t, err)
	file := filepath.Join(t.TempDir(), "body.json")
	ok(t, os.WriteFile(file, raw, 0o600))
	status, out := curl(t, d, system, "-H", "Content-Type: application/json", "--data-binary", "@"+file, d.Manifest.URL+path)
	return status, []byte(out)
}

func pemBytes(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	ok(t, err)
	b, _ := pem.Decode(raw)
	if b == nil {
		t.Fatalf("%s holds no PEM", name)
	}
	return b.Bytes
}

// A system renews its pair with nothing but curl and its own keys: over mTLS,
// signed by the old key. What was encrypted to the old pair still opens, and the
// new one ends when its owner says so.
func TestRenewalOverMTLS(t *testing.T) {
	d := demo(t)
	const system, other = "street-service", "office-exchange"
	dir := d.walk.agentConfig(system).Dir
	raw, err := smx509.ParsePKCS8PrivateKey(pemBytes(t, dir, agent.FileSignKey))
	ok(t, err)
	old := raw.(*sm2.PrivateKey)
	was, err := smx509.ParseCertificate(pemBytes(t, dir, agent.FileSignCert))
	ok(t, err)
	next, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: was.DNSNames, SignatureAlgorithm: smx509.SM2WithSM3}, next)
	ok(t, err)
	r := wire.RenewRequest{Serial: ca.FormatSerial(was.SerialNumber), SM2CSR: csr, Response: true}
	r.Signature, err = old.SignWithSM2(rand.Reader, nil, wire.RenewalMessage(r.Serial, csr))
	ok(t, err)

	for name, c := range map[string]struct{ system, status, code string }{
		"no certificate":           {"", "401", "peer.missing"},
		"another system's request": {other, "404", "certificate.unknown"},
	} {
		if status, body := post(t, d, c.system, wire.PathRenewals, r); status != c.status || !strings.Contains(string(body), c.code) {
			t.Errorf("%s: %s %s", name, status, body)
		}
	}
	var got [2]wire.Pair
	for i := range got { // the second time for a lost answer
		status, body := post(t, d, system, wire.PathRenewals, r)
		if status != "200" || json.Unmarshal(body, &got[i]) != nil {
			t.Fatalf("%s %s", status, body)
		}
	}
	sign, err := smx509.ParseCertificate(got[0].SignCert)
	ok(t, err)
	opened, err := sm2.ParseEnvelopedPrivateKey(next, got[0].EnvelopedKey)
	ok(t, err)
	answer, err := smx509.ParseCSRResponse(next, got[0].Response)
	ok(t, err)
	if !bytes.Equal(got[0].SignCert, got[1].SignCert) || got[0].Renews != r.Serial || !next.PublicKey.Equal(sign.PublicKey) || !opened.Equal(answer.EncryptPrivateKey) {
		t.Errorf("%+v", got[0])
	}
	serial := ca.FormatSerial(sign.SerialNumber)
	if status, body := curl(t, d, system, d.Manifest.URL+wire.PathPairs+"/"+serial); status != "200" || !strings.Contains(body, r.Serial) {
		t.Errorf("the pair once more: %s %s", status, body)
	}
	if status, _ := curl(t, d, other, d.Manifest.URL+wire.PathPairs+"/"+serial); status != "404" {
		t.Errorf("the pair for another system: %s", status)
	}

	// The old pair is good until its end; the agent's folder works on.
	issuing, err := smx509.ParseCertificate(got[0].Chain[0])
	ok(t, err)
	row, err := d.walk.house.CA.Status(bg, ca.IssuerID(issuing), r.Serial)
	if err != nil || row.State != ca.StateGood {
		t.Errorf("the old certificate is %s, %v", row.State, err)
	}
	revoke := wire.RevokeRequest{Serial: serial, Reason: "superseded"}
	if status, body := post(t, d, other, wire.PathRevocations, revoke); status != "404" {
		t.Errorf("revoked by another system: %s %s", status, body)
	}
	if status, body := post(t, d, system, wire.PathRevocations, revoke); status != "204" {
		t.Errorf("revoked by its owner: %s %s", status, body)
	}
	if status, body := post(t, d, system, wire.PathRevocations, revoke); status != "409" {
		t.Errorf("revoked twice: %s %s", status, body)
	}
	if status, body := post(t, d, system, wire.PathRenewals, r); status != "409" || !strings.Contains(string(body), "certificate.revoked") {
		t.Errorf("a revoked pair is given again: %s %s", status, body)
	}
}
