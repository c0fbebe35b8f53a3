package stepca_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
)

// tool finds an outside judge; under CI a missing one is a failure.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil { // deploy/testing/install-servers.sh builds Go programs into this folder
		path, err = exec.LookPath(filepath.Join(build.Default.GOPATH, "bin", name))
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "STEPPATH="+filepath.Join(dir, ".step"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := run(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// curl and openssl know nothing of this module: openssl makes key and CSR,
// curl sends it, openssl judges the chain, curl speaks mTLS with it.
func TestOutsideClients(t *testing.T) {
	openssl, curl := tool(t, "openssl"), tool(t, "curl")
	h := newHouse(t)
	dir := t.TempDir()
	write(t, dir, "root.pem", pemOf("CERTIFICATE", h.cfg.Root.Raw))
	write(t, dir, "issuing.pem", pemOf("CERTIFICATE", h.cfg.Issuing.Raw))
	must(t, dir, openssl, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", "svc.key", "-out", "svc.csr", "-subj", "/CN="+system, "-addext", "subjectAltName=DNS:"+host)
	raw, err := os.ReadFile(filepath.Join(dir, "svc.csr"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"csr": string(raw), "ott": h.token(t, h.request(t, ca.RequestApproved))})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "body.json", body)
	base := []string{"-sS", "--fail-with-body", "--cacert", "root.pem", "--noproxy", "*", "--resolve", "localhost:" + h.url[len("https://localhost:"):] + ":127.0.0.1"}
	with := func(args ...string) []string { return append(append([]string{}, base...), args...) }
	out := must(t, dir, curl, with("-H", "Content-Type: application/json", "--data-binary", "@body.json", h.url+"/1.0/sign")...)
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		t.Fatal(err)
	}
	leaf := a.leaf(t)
	write(t, dir, "svc.crt", []byte(a.Chain[0]))
	write(t, dir, "chain.pem", []byte(strings.Join(a.Chain, "")))

	if got := must(t, dir, openssl, "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "svc.crt"); !strings.Contains(got, "OK") {
		t.Error(got)
	}
	text := must(t, dir, openssl, "x509", "-in", "svc.crt", "-noout", "-text")
	for _, want := range []string{
		"http://pki.gov.internal/crl/", "OCSP - URI:http://pki.gov.internal/ocsp", "CA Issuers - URI:http://pki.gov.internal/ca/",
		"CPS: http://pki.gov.internal/cps", "DNS:" + host, "TLS Web Client Authentication", "ecdsa-with-SHA256",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("openssl does not show %q\n%s", want, text)
		}
	}
	mtls := with("--cert", "chain.pem", "--key", "svc.key")
	if got := must(t, dir, curl, append(mtls, h.url+"/whoami")...); got != system {
		t.Errorf("curl over mTLS: %q", got)
	}
	if got, err := run(t, dir, curl, with(h.url+"/whoami")...); err == nil {
		t.Errorf("curl without certificate: %q", got)
	}
	// gnutls has its own TLS and its own rules for certificates.
	gnutls := tool(t, "gnutls-cli")
	args := []string{"--x509cafile", "root.pem", "--x509certfile", "chain.pem", "--x509keyfile", "svc.key",
		"--sni-hostname", "localhost", "--verify-hostname", "localhost", "-p", h.url[len("https://localhost:"):], "127.0.0.1"}
	cmd := exec.CommandContext(t.Context(), gnutls, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader("GET /whoami HTTP/1.0\r\nHost: localhost\r\n\r\n")
	if got, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(got), system) || !strings.Contains(string(got), "The certificate is trusted") {
		t.Errorf("gnutls over mTLS: %v\n%s", err, got)
	}
	// The server's own certificate is a client's no more than any other's.
	must(t, dir, curl, append(mtls, "-X", "POST", h.url+"/1.0/renew")...)
	revoke := fmt.Sprintf(`{"serial":"%s","passive":true,"reasonCode":1}`, leaf.SerialNumber)
	must(t, dir, curl, append(mtls, "-d", revoke, h.url+"/1.0/revoke")...)
	if got, err := run(t, dir, curl, append(mtls, "-d", revoke, h.url+"/1.0/revoke")...); err == nil || !strings.Contains(got, "already revoked") {
		t.Errorf("second revoke: %s", got)
	}
	if got, err := run(t, dir, curl, append(mtls, h.url+"/whoami")...); err == nil || !strings.Contains(got, "revoked") {
		t.Errorf("revoked certificate: %s", got)
	}
}

// The step CLI is a test client, not a part of the house.
func TestStepCLI(t *testing.T) {
	step := tool(t, "step")
	h := newHouse(t)
	dir := t.TempDir()
	fingerprint := fmt.Sprintf("%x", sha256Sum(h.cfg.Root.Raw))
	must(t, dir, step, "ca", "bootstrap", "--ca-url", h.url, "--fingerprint", fingerprint, "--force")
	if out := must(t, dir, step, "ca", "health"); !strings.Contains(out, "ok") {
		t.Error(out)
	}
	tok := h.token(t, h.request(t, ca.RequestApproved))
	must(t, dir, step, "ca", "certificate", system, "svc.crt", "svc.key", "--token", tok, "--force")
	must(t, dir, step, "ca", "renew", "svc.crt", "svc.key", "--force")
	must(t, dir, step, "ca", "rekey", "svc.crt", "svc.key", "--force")
	// A further machine of the same system (X5C).
	must(t, dir, step, "ca", "certificate", host, "x5.crt", "x5.key", "--provisioner", "x5c", "--x5c-cert", "svc.crt", "--x5c-key", "svc.key", "--force")
	must(t, dir, step, "ca", "revoke", "--cert", "svc.crt", "--key", "svc.key")
	if out, err := run(t, dir, step, "ca", "certificate", host, "x6.crt", "x6.key", "--provisioner", "x5c", "--x5c-cert", "svc.crt", "--x5c-key", "svc.key", "--force"); err == nil {
		t.Errorf("X5C after revoke: %s", out)
	}
	if out, err := run(t, dir, step, "ca", "renew", "svc.crt", "svc.key", "--force"); err == nil {
		t.Errorf("renewed after revoke: %s", out)
	}
	var leafs []*x509.Certificate
	for _, r := range h.rows() {
		leafs = append(leafs, parse(t, r.DER))
	}
	if len(leafs) != 4 {
		t.Errorf("%d certificates, want 4", len(leafs))
	}
}
