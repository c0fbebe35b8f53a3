package peer_test

import (
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca/peer"
)

// A domain whose authority, certificates and lists OpenSSL made, on both tracks: none
// of what is judged was written by us.
func TestX11_07_DomainMadeByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing")
	}
	for name, c := range map[string]struct {
		key  []string
		sign []string
	}{
		"ECDSA": {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, []string{"-sha256"}},
		"SM2":   {[]string{"-algorithm", "SM2"}, []string{"-sm3", "-sigopt", "distid:1234567812345678"}},
	} {
		t.Run(name, func(t *testing.T) { opensslDomain(t, name == "SM2", c.key, c.sign) })
	}
}

func opensslDomain(t *testing.T, gm bool, key, sign []string) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	der := func(file, kind string) []byte {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(dir, file))
		want(t, err, nil)
		block, _ := pem.Decode(raw)
		if block == nil || block.Type != kind {
			t.Fatalf("%s is no %s", file, kind)
		}
		return block.Bytes
	}
	write := func(file, text string) {
		t.Helper()
		want(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600), nil)
	}
	write("ca.cnf", `
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;DNS:tax.example
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = DNS:a.tax.example
[beyond]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = DNS:a.city.example
[ca]
default_ca = main
[main]
database = index.txt
crlnumber = crlnumber
default_crl_days = 7
`)
	write("index.txt", "")
	write("crlnumber", "01\n")
	run(append(append([]string{"genpkey"}, key...), "-out", "root.key")...)
	run(append([]string{"req", "-x509", "-new", "-key", "root.key", "-subj", "/C=CN/O=样例税务/CN=样例根", "-utf8", "-days", "3650", "-config", "ca.cnf", "-extensions", "root", "-out", "root.pem"}, sign...)...)
	for _, leaf := range []string{"leaf", "beyond"} {
		run(append(append([]string{"genpkey"}, key...), "-out", leaf+".key")...)
		run(append([]string{"req", "-new", "-key", leaf + ".key", "-subj", "/C=CN/CN=sample/organizationIdentifier=" + otherUnit, "-config", "ca.cnf", "-out", leaf + ".csr"}, sign...)...)
		args := []string{"x509", "-req", "-in", leaf + ".csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "90", "-extfile", "ca.cnf", "-extensions", leaf, "-out", leaf + ".pem"}
		if gm {
			args = append(args, "-vfyopt", "distid:1234567812345678")
		}
		run(append(args, sign...)...)
	}
	w := newWorld(t)
	w.at = time.Now().UTC()
	list := func(file string) {
		args := []string{
			"ca", "-config", "ca.cnf", "-gencrl", "-cert", "root.pem", "-keyfile", "root.key", "-out", file,
			"-crl_lastupdate", w.at.Format("060102150405Z"), "-crl_nextupdate", w.at.AddDate(0, 0, 7).Format("060102150405Z"), "-md",
		}
		if gm {
			args = append(args, "sm3", "-sigopt", "distid:1234567812345678")
		} else {
			args = append(args, "sha256")
		}
		run(args...)
	}
	list("first.crl")
	e := w.entry()
	e.Domain, e.Kind, e.Operator, e.Units, e.Hosts = "tax", peer.KindVertical, otherUnit, []string{otherUnit}, []string{"tax.example", "city.example"} // ours are wider than those of its root
	e.Anchors, e.Issuing, e.Lists = [][]byte{der("root.pem", "CERTIFICATE")}, nil, nil
	e.Systems = []peer.System{{ID: "tax-a", Name: "样例税务系统", Host: "a.tax.example", Unit: otherUnit, UnitName: "样例税务局"}, {ID: "tax-b", Name: "样例系统", Host: "a.city.example", Unit: otherUnit, UnitName: "样例税务局"}}
	e.From, e.Until = w.at.Add(-time.Hour), w.at.AddDate(1, 0, 0)
	e = w.agreed(t, e)
	_, err := w.Import(t.Context(), person("officer"), "tax", der("first.crl", "X509 CRL"), "first.crl")
	want(t, err, nil)
	judge := func(file string) error {
		if gm {
			return w.Vouches(t.Context(), e, der(file, "CERTIFICATE"), w.at)
		}
		_, err := w.Client(t.Context(), der(file, "CERTIFICATE"))
		return err
	}
	want(t, judge("leaf.pem"), nil)
	want(t, judge("beyond.pem"), peer.ErrName)
	run("ca", "-config", "ca.cnf", "-revoke", "leaf.pem", "-cert", "root.pem", "-keyfile", "root.key", "-md", "sha256")
	w.at = w.at.Add(time.Minute)
	list("second.crl")
	_, err = w.Import(t.Context(), person("officer"), "tax", der("second.crl", "X509 CRL"), "second.crl")
	want(t, err, nil)
	want(t, judge("leaf.pem"), peer.ErrRevoked)
}
