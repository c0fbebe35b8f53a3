package stepca_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// Clients of others renew after a change of authorities what they got before it:
// the next certificate is of the new authority, and so is the chain in the file.
func TestOutsideClientsRenewAcrossAChangeOfAuthorities(t *testing.T) {
	s := &succession{t: t}
	o := newOutside(t, func(c *stepca.Config) {
		s.add(c.Root, c.Issuing, ca.Issuer{Signer: c.Signer})
		c.Issuers = s
	})
	_, port, err := net.SplitHostPort(o.web)
	if err != nil {
		t.Fatal(err)
	}
	acme := o.url + "/acme/acme/directory"
	lego := func(more ...string) []string {
		return append([]string{"--accept-tos", "--email", "a@b.cn", "--server", acme, "--path", "l", "--http", "--http.port", o.web, "--domains", host}, more...)
	}
	certbot := func(command string, more ...string) []string {
		return append([]string{command, "--server", acme, "-n", "--config-dir", "b", "--work-dir", "bw", "--logs-dir", "bl"}, more...)
	}
	clients := []struct {
		name, file string
		get        func() []string // a key for an account is drawn when it is used
		renew      []string
	}{
		{"lego", "l/certificates/" + host + ".crt", func() []string {
			kid, hmac := o.key(t)
			return lego("--eab", "--kid", kid, "--hmac", hmac, "run")
			// lego wants the options on every call; with an account it does not use them.
		}, lego("--eab", "--kid", "used", "--hmac", "dXNlZA", "renew", "--days", "3650", "--no-random-sleep")},
		{"certbot", "b/live/" + host + "/fullchain.pem", func() []string {
			kid, hmac := o.key(t)
			return certbot("certonly", "--standalone", "--agree-tos", "-m", "a@b.cn", "--http-01-address", "127.0.0.1", "--http-01-port", port, "-d", host, "--eab-kid", kid, "--eab-hmac-key", hmac)
		}, certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")},
		{"step", "svc.crt", func() []string {
			return []string{"ca", "certificate", system, "svc.crt", "svc.key", "--token", o.token(t, o.request(t, ca.RequestApproved)), "--force"}
		}, []string{"ca", "renew", "svc.crt", "svc.key", "--force"}},
	}
	o.must(t, tool(t, "step"), "ca", "bootstrap", "--ca-url", o.url, "--fingerprint", fmt.Sprintf("%x", sha256Sum(o.cfg.Root.Raw)), "--force")
	chain := func(file string) (out [][]byte) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(o.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for b, rest := pem.Decode(raw); b != nil; b, rest = pem.Decode(rest) {
			out = append(out, b.Bytes)
		}
		return out
	}
	for _, c := range clients {
		o.must(t, tool(t, c.name), c.get()...)
		if got := chain(c.file); len(got) < 2 || !bytes.Equal(got[1], o.cfg.Issuing.Raw) {
			t.Fatalf("%s: %d certificates before the change", c.name, len(got))
		}
	}
	root, issuing, signer := authorities(t, o.registry)
	s.add(root, issuing, ca.Issuer{Signer: signer})
	for _, c := range clients {
		before := o.certificate(t, c.file)
		o.must(t, tool(t, c.name), c.renew...)
		got := chain(c.file)
		if len(got) < 2 || !bytes.Equal(got[1], issuing.Raw) {
			t.Errorf("%s: the chain in the file is not of the new authority", c.name)
			continue
		}
		leaf := parse(t, got[0])
		if err := leaf.CheckSignatureFrom(issuing); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if row := o.rows()[before.Serial]; row.State != ca.StateGood {
			t.Errorf("%s: the certificate from before is %s", c.name, row.State)
		}
	}
}
