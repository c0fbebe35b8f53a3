//go:build unix

package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/demo"
)

// acrossSuccessions changes the issuing authorities and then the roots of a house
// that serves, while a sidecar runs that pinned the first roots: it goes on
// answering, renews, and pins the new roots; documents travel as before; openssl
// asks for the status of certificates from before and after.
func acrossSuccessions(t *testing.T, d *demo.Demo, dir, folder string, answers func() bool) {
	openssl := needs(t, "openssl")
	h, m, ctx := d.House(), d.Manifest, t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(path string) string { return filepath.Join(dir, "demo", path) }
	officer := m.Desk[string(identity.RoleRAOfficer)]
	admin, _, err := h.Identity.RegisterPerson(ctx, identity.Person{Name: "样例系统管理员乙", Agency: identity.USCC(officer.Agency)}, h.PersonActor(officer.Number, identity.USCC(officer.Agency)))
	must(err)
	_, _, err = h.Identity.AssignPost(ctx, identity.Post{Person: admin.ID, Agency: admin.Agency, Role: identity.RoleSystemAdmin, Title: "系统管理员", From: time.Now().Add(-time.Minute)}, h.PersonActor(officer.Number, identity.USCC(officer.Agency)))
	must(err)

	// status asks the house over plain HTTP about the first certificate of a file;
	// the issuer is what the house serves now under the name in the certificate.
	status := func(file string) {
		t.Helper()
		raw, err := os.ReadFile(file)
		must(err)
		block, _ := pem.Decode(raw)
		leaf, err := x509.ParseCertificate(block.Bytes)
		must(err)
		set, err := h.Succession.Set(ctx)
		must(err)
		for _, a := range set.Issuing(profile.ECDSA) {
			if leaf.CheckSignatureFrom(a.TLS) != nil {
				continue
			}
			var roots [][]byte
			for _, r := range set.Roots(profile.ECDSA) {
				roots = append(roots, r.Certificate.Raw)
			}
			issuer, anchors := filepath.Join(dir, "issuer.pem"), filepath.Join(dir, "anchors.pem")
			must(errors.Join(os.WriteFile(issuer, ca.PEM(a.TLS.Raw), 0o600), os.WriteFile(anchors, ca.PEM(roots...), 0o600)))
			out, err := exec.CommandContext(ctx, openssl, "ocsp", "-issuer", issuer, "-cert", file, "-url", m.Status+"/ocsp", "-CAfile", anchors).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("Response verify OK")) || !bytes.Contains(out, []byte(": good")) {
				t.Errorf("openssl about %s of generation %d: %v\n%s", leaf.Subject, a.Generation, err, out)
			}
			return
		}
		t.Errorf("%s: no authority of the house", leaf.Subject)
	}
	// travels sends a document to the sidecar's system; both ends know the roots that
	// they pinned so far, the sender the first ones only.
	travels := func(to string) {
		t.Helper()
		try := func(args ...string) string {
			t.Helper()
			code, out, errs := command(t, "", append([]string{"agent"}, args...)...)
			if code != exitOK {
				t.Fatalf("%v: exit %d: %s%s", args, code, out, errs)
			}
			return out
		}
		var sent wire.Transfer
		must(json.Unmarshal([]byte(try("send", "--json", "--to", m.Enrolments[0].System, "--resource", "res-assistance-2026", "--purpose", "social-assistance", at(m.Samples.Sealed),
			"--url", m.URL, "--root", at(m.Anchors.ECDSARoot), "--sm2-root", at(m.Anchors.SM2Root), "--dir", at(m.Systems["civil-affairs"].Dir))), &sent))
		try("fetch", sent.ID, "--out", to, "--dir", folder)
	}
	first, err := agent.Load(folder)
	must(err)
	live := filepath.Join(folder, "live", agent.FileTLSCert)
	for n, newRoots := range []bool{false, true} {
		before, err := os.ReadFile(live)
		must(err)
		old := filepath.Join(dir, "before.pem")
		must(os.WriteFile(old, before, 0o600))
		g, _, err := h.Succession.Prepare(ctx, h.PersonActor(admin.ID, admin.Agency), authority.Order{NewRoots: newRoots, Reason: "样例"})
		must(err)
		_, _, err = h.Approve(ctx, h.GenerationSubject(g), officer.Number, officer.PIN, true, "")
		must(err)
		_, _, err = h.Succession.Settle(ctx, h.PersonActor(officer.Number, identity.USCC(officer.Agency)), g.Number)
		must(err)
		must(retry(func() error { // the serving house changes by itself
			if now, err := h.Succession.Generation(ctx, g.Number); err != nil || now.State != authority.Current {
				return errors.Join(err, errors.New("still "+string(now.State)))
			}
			return nil
		}))
		if !answers() {
			t.Errorf("generation %d: the sidecar answers no more", g.Number)
		}
		status(old)
		// The exchange signs with a certificate of the new authority, in a second.
		set, err := h.Succession.Set(ctx)
		must(err)
		must(retry(func() error {
			crt, err := smx509.ParseCertificate(h.LedgerCertificate())
			must(err)
			return crt.CheckSignatureFrom(set.Issuing(profile.SM2)[0].Certificate)
		}))
		travels(filepath.Join(dir, fmt.Sprintf("fetched-%d.ofd", n)))
		if code, out, errs := command(t, "", "agent", "run", "--once", "--force", "--dir", folder); code != exitOK {
			t.Fatalf("renewal: exit %d: %s%s", code, out, errs)
		}
		after, err := os.ReadFile(live)
		must(err)
		if bytes.Equal(before, after) || strings.Count(string(after), "BEGIN CERTIFICATE") < 2 {
			t.Error("nothing was renewed")
		}
		block, _ := pem.Decode(after)
		leaf, err := x509.ParseCertificate(block.Bytes)
		must(err)
		must(leaf.CheckSignatureFrom(set.Issuing(profile.ECDSA)[0].TLS))
		status(live)
		status(old)
		if !answers() {
			t.Errorf("generation %d: the sidecar answers no more after its renewal", g.Number)
		}
	}
	now, err := agent.Load(folder)
	must(err)
	tls, sm2 := h.Roots()
	if !now.TLSRoot.Equal(first.TLSRoot) || !now.SM2Root.Equal(first.SM2Root) {
		t.Error("the old pins are gone")
	}
	if len(now.TLSAlso) != 1 || !now.TLSAlso[0].Equal(tls) || len(now.SM2Also) != 1 || !now.SM2Also[0].Equal(sm2) {
		t.Errorf("%d and %d roots were learned", len(now.TLSAlso), len(now.SM2Also))
	}
}
