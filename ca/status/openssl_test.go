package status_test

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// openssl is the judge from outside; it reads the ECDSA track only (it has no
// way to give the SM2 id for lists and OCSP). Under CI it must be there.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "openssl", args...).CombinedOutput()
	if err != nil {
		t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func pemFile(t *testing.T, certs ...*smx509.Certificate) string {
	t.Helper()
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return file(t, "certs.pem", out)
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenSSLReadsOCSP(t *testing.T) {
	for name, delegated := range map[string]bool{"by the authority": false, "by a responder": true} {
		t.Run(name, func(t *testing.T) {
			h := statustest.New(t, catest.New())
			root, a := h.Authorities[profile.ECDSARoot], h.Authorities[profile.ECDSAIssuing]
			s := h.Service(func(c *status.Config) {
				if delegated {
					c.Authorities[3].Responder, c.Authorities[3].ResponderKey = h.Issue(profile.ECDSAOCSP, profile.ECDSAIssuing)
				}
			})
			server := httptest.NewServer(s.Handler())
			defer server.Close()
			cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
			issuer, leaf, anchors := pemFile(t, a.Cert), pemFile(t, cert), pemFile(t, root.Cert, a.Cert)
			ask := func(want ...string) {
				t.Helper()
				for _, hash := range []string{"-sha1", "-sha256"} {
					out := openssl(t, "ocsp", hash, "-issuer", issuer, "-cert", leaf, "-CAfile", anchors, "-url", server.URL+status.PathOCSP)
					for _, w := range append(want, "Response verify OK") {
						if !strings.Contains(out, w) {
							t.Errorf("%s: no %q in\n%s", hash, w, out)
						}
					}
					if strings.Contains(out, "WARNING") { // no nonce in the response
						t.Errorf("%s", out)
					}
				}
			}
			ask(": good", "This Update:", "Next Update:")
			h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateHold, 6)
			ask(": revoked", "certificateHold")
			h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1)
			ask(": revoked", "keyCompromise")
			h.Invalidate(profile.ECDSAIssuing, cert.SerialNumber, time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC))
			ask(": revoked", "keyCompromise")
			response := filepath.Join(t.TempDir(), "response.der")
			openssl(t, "ocsp", "-issuer", issuer, "-cert", leaf, "-CAfile", anchors, "-url", server.URL+status.PathOCSP, "-respout", response)
			if text := openssl(t, "ocsp", "-respin", response, "-noverify", "-resp_text"); !strings.Contains(text, "Invalidity Date") || !strings.Contains(text, "Jan 31 08:15:00 2026 GMT") {
				t.Error(text)
			}
			out := openssl(t, "ocsp", "-issuer", issuer, "-serial", "0x4711", "-CAfile", anchors, "-url", server.URL+status.PathOCSP)
			if !strings.Contains(out, "0x4711: unknown") || !strings.Contains(out, "Response verify OK") {
				t.Error(out)
			}
		})
	}
}

func TestOpenSSLReadsLists(t *testing.T) {
	h := statustest.New(t, catest.New())
	s := h.Service()
	a := h.Authorities[profile.ECDSAIssuing]
	held, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	revoked, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	good, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
	h.Set(profile.ECDSAIssuing, held.SerialNumber, ca.StateHold, 6)
	publish := func(delta bool) {
		if err := s.Publish(bg, a.ID, delta); err != nil {
			t.Fatal(err)
		}
	}
	publish(false)
	h.Set(profile.ECDSAIssuing, held.SerialNumber, ca.StateGood, 0)
	h.Set(profile.ECDSAIssuing, revoked.SerialNumber, ca.StateRevoked, 1)
	h.Invalidate(profile.ECDSAIssuing, revoked.SerialNumber, time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC))
	publish(true)
	anchors := pemFile(t, h.Authorities[profile.ECDSARoot].Cert, a.Cert)
	for suffix, wants := range map[string][]string{
		"":       {"X509v3 CRL Number", "Certificate Hold", "X509v3 Freshest CRL", "-delta.crl"},
		"-delta": {"X509v3 Delta CRL Indicator: critical", "Remove From CRL", "Key Compromise", "Invalidity Date", "Jan 31 08:15:00 2026 GMT"},
	} {
		der := file(t, "list.crl", get(s, status.PathCRL+"/"+a.ID+suffix+".crl", nil).Body.Bytes())
		out := openssl(t, "crl", "-inform", "DER", "-in", der, "-CAfile", anchors, "-noout", "-text", "-verify")
		for _, w := range append(wants, "verify OK") {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in\n%s", w, out)
			}
		}
	}
	// Path validation with the list: the complete one knows of the revocation.
	publish(false)
	if err := s.Publish(bg, h.Authorities[profile.ECDSARoot].ID, false); err != nil {
		t.Fatal(err)
	}
	lists := ""
	for _, n := range []profile.Name{profile.ECDSARoot, profile.ECDSAIssuing} {
		der := get(s, status.PathCRL+"/"+h.Authorities[n].ID+".crl", nil).Body.Bytes()
		lists += string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	}
	all := file(t, "lists.pem", []byte(lists))
	if out := openssl(t, "verify", "-crl_check_all", "-CRLfile", all, "-CAfile", anchors, pemFile(t, good)); !strings.Contains(out, ": OK") {
		t.Error(out)
	}
	out, err := exec.CommandContext(bg, "openssl", "verify", "-crl_check_all", "-CRLfile", all, "-CAfile", anchors, pemFile(t, revoked)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("revoked certificate: %v\n%s", err, out)
	}
}
