package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// curl calls the running house with a system's files, none when it is "", and
// returns the HTTP status and the body.
func curl(t *testing.T, d *running, system string, args ...string) (string, string) {
	t.Helper()
	needs(t, "curl")
	m := d.Manifest
	all := []string{"-sS", "--max-time", "30", "--cacert", filepath.Join(d.dir, m.Anchors.ECDSARoot), "-w", "\n%{http_code}"}
	if system != "" {
		s := m.Systems[system]
		all = append(all, "--cert", filepath.Join(d.dir, s.TLSCert), "--key", filepath.Join(d.dir, s.TLSKey))
	}
	out, err := exec.Command("curl", append(all, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %v: %v\n%s", args, err, out)
	}
	at := strings.LastIndexByte(string(out), '\n')
	return string(out[at+1:]), string(out[:at])
}

func ask(subject, action, kind, resource, context string) string {
	return fmt.Sprintf(`{"subject":{"type":"system","id":%q},"action":{"name":%q},"resource":{"type":%q,"id":%q},"context":%s}`, subject, action, kind, resource, context)
}

// 西政办发〔2011〕8号 art. 30, 西政办发〔2014〕14号 art. 30: every way to lower a level is
// refused. The demo's decisions, asked by curl with nothing but what demo.json
// tells, in the shape of AuthZEN.
func TestX11_30_X14_30_DecisionsOverMTLS(t *testing.T) {
	d := demo(t)
	m := d.Manifest
	raw, err := json.Marshal(label(2, 2, 2))
	ok(t, err)
	low := string(raw)
	a, holding := m.Transfer.To, m.Transfer.Holding
	for name, tc := range map[string]struct {
		caller, question, code string // no code: allowed
	}{
		"read under the agreement": {a, ask(a, "read", "resource", resNotice, `{"purpose":"social-assistance"}`), ""},
		"read the own copy":        {a, ask(a, "read", "holding", holding, `{"purpose":"social-assistance"}`), ""},
		"send to a level-2 system": {m.Transfer.From, ask(m.Transfer.From, "carry", "resource", resNotice, `{"purpose":"social-assistance","target_system":"street-service"}`), "E12_target_system"},
		"read by a level-2 system": {"street-service", ask("street-service", "copy", "resource", resNotice, `{"purpose":"social-assistance","target_system":"street-service"}`), "E12_target_system"},
		"relabel lower":            {a, ask(a, "relabel", "holding", holding, `{"purpose":"social-assistance","target_label":`+low+`}`), "E10_label_lowered"},
		"derive lower":             {a, ask(a, "derive", "holding", holding, `{"purpose":"social-assistance","target_system":"`+a+`","target_label":`+low+`}`), "E10_label_lowered"},
		"merge and label low":      {a, ask(a, "merge", "holding", holding, `{"purpose":"social-assistance","target_system":"`+a+`","target_label":`+low+`,"sources":["`+holding+`","`+d.walk.statistics+`"]}`), "E10_label_lowered"},
		"forward to a third":       {a, ask(a, "forward", "holding", holding, `{"purpose":"social-assistance","target_system":"office-exchange"}`), "E11_third_party"},
		"another purpose":          {a, ask(a, "read", "holding", holding, `{"purpose":"employment-support"}`), "E06_agreement.purpose"},
		"after the end":            {a, ask(a, "read", "resource", resArchive, `{"purpose":"social-assistance"}`), "E06_agreement.expired"},
		"regrade below holdings":   {a, ask(a, "regrade", "system", a, `{"target_system":"`+a+`","new_grade":{"s":2,"a":2}}`), "E14_regrade_below_holdings"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := curl(t, d, tc.caller, "-H", "Content-Type: application/json", "-d", tc.question, m.AuthZEN)
			var got struct {
				Decision *bool `json:"decision"`
				Context  struct {
					ID          string                       `json:"id"`
					ReasonCodes []string                     `json:"reason_codes"`
					Ledger      struct{ Seq uint64 }         `json:"ledger"`
					Reasons     []map[string]json.RawMessage `json:"reasons"`
				} `json:"context"`
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != "200" || got.Decision == nil {
				t.Fatalf("%s %s", status, body)
			}
			if *got.Decision != (tc.code == "") || tc.code != "" && !slices.Contains(got.Context.ReasonCodes, tc.code) {
				t.Errorf("decision %t, %v", *got.Decision, got.Context.ReasonCodes)
			}
			if got.Context.ID == "" || got.Context.Ledger.Seq < m.Ledger.Size {
				t.Errorf("not on the ledger: %s", body)
			}
		})
	}
}

// TestWhoIsLetIn: no certificate is 401; a certificate is good until the very
// request after its revocation; the step-ca paths and the enrolment are served.
func TestWhoIsLetIn(t *testing.T) {
	d := demo(t)
	m := d.Manifest
	question := ask(m.Transfer.To, "read", "resource", resNotice, `{"purpose":"social-assistance"}`)
	post := []string{"-H", "Content-Type: application/json", "-d", question, m.AuthZEN}
	if status, body := curl(t, d, "", post...); status != "401" {
		t.Errorf("without a certificate: %s %s", status, body)
	}
	if status, _ := curl(t, d, "", m.URL+wire.PathTransfers); status != "401" {
		t.Errorf("the inbox without a certificate: %s", status)
	}
	for path, want := range map[string]string{"/roots": "crts", "/health": "ok", "/root/" + m.Anchors.ECDSARootS256: "ca", "/api/openapi.json": "openapi"} {
		if status, body := curl(t, d, "", m.URL+path); status != "200" && status != "201" || !strings.Contains(body, want) {
			t.Errorf("%s: %s %.200s", path, status, body)
		}
	}

	// The unspent token makes one more client, by the agent's own code: SM2 CSR
	// with the token, then the one-time token against /1.0/sign.
	e := m.Enrolments[0]
	cfg := d.walk.agentConfig(e.System)
	cfg.Dir = filepath.Join(t.TempDir(), "client")
	ag, err := agent.Enrol(bg, cfg, e.Token)
	ok(t, err)
	defer ag.Close()
	if _, err := agent.Enrol(bg, d.walk.agentConfig("other"), e.Token); err == nil {
		t.Error("the token was good twice")
	}
	_, err = ag.Inbox(bg)
	ok(t, err)
	actor := d.walk.house.PersonActor(d.walk.ra.ID, d.walk.agencies[office].unit.USCC)
	newest := newestCertificate(t, d, e.System)
	ok(t, d.walk.house.CA.Revoke(bg, actor, newest.Issuer, newest.Serial, ca.ReasonKeyCompromise))
	// The same connection, kept alive: the next request is refused all the same.
	if _, err = ag.Inbox(bg); !errors.Is(err, agent.ErrRefused) || !strings.Contains(err.Error(), "403") {
		t.Errorf("after the revocation: %v", err)
	}
	line := []string{"--cert", filepath.Join(cfg.Dir, agent.FileTLSCert), "--key", filepath.Join(cfg.Dir, agent.FileTLSKey)}
	if status, body := curl(t, d, "", append(line, post...)...); status != "401" {
		t.Errorf("curl after the revocation: %s %s", status, body)
	}
	if status, _ := curl(t, d, e.System, post...); status != "200" {
		t.Errorf("the system's other certificate: %s", status)
	}
}

// newestCertificate is the mTLS certificate that was issued last.
func newestCertificate(t *testing.T, d *running, system string) ca.Certificate {
	t.Helper()
	all, err := d.walk.house.CertificatesOf(bg, system)
	ok(t, err)
	var out ca.Certificate
	for _, c := range all {
		if c.Kind == ca.KindECDSA && c.NotBefore.Compare(out.NotBefore) >= 0 {
			out = c
		}
	}
	return out
}

// TestOpenSSLVerifies: each link of both chains, by the stranger's own tool.
func TestOpenSSLVerifies(t *testing.T) {
	needs(t, "openssl")
	d := demo(t)
	a := d.Manifest.Anchors
	in := func(p string) string { return quote(filepath.Join(d.dir, p)) }
	// OpenSSL gives the id to the certificate on the command line only, so an SM2
	// chain is verified link by link.
	const sm2id = " -partial_chain -vfyopt distid:1234567812345678 "
	sh(t, "openssl verify"+sm2id+"-trusted "+in(a.SM2Root)+" "+in(a.SM2Root))
	sh(t, "openssl verify"+sm2id+"-trusted "+in(a.SM2Root)+" "+in(a.SM2Issuing))
	sh(t, "openssl verify"+sm2id+"-trusted "+in(a.SM2Issuing)+" "+in(d.Manifest.Ledger.Key))
	sh(t, "openssl verify -x509_strict -CAfile "+in(a.ECDSARoot)+" "+in(a.ECDSARoot)+" "+in(a.ECDSAIssuing))
	for _, s := range d.Manifest.Systems {
		sh(t, "openssl verify -x509_strict -purpose sslclient -CAfile "+in(a.ECDSARoot)+" -untrusted "+in(a.ECDSAIssuing)+" "+in(s.TLSCert))
		for _, leaf := range []string{s.SignCert, s.EncCert} {
			sh(t, "openssl verify"+sm2id+"-trusted "+in(a.SM2Issuing)+" "+in(leaf))
		}
	}
	if out, err := exec.Command("sh", "-c", "openssl verify"+sm2id+"-trusted "+in(a.SM2Root)+" "+in(d.Manifest.Ledger.Key)).CombinedOutput(); err == nil {
		t.Errorf("the wrong issuer verified: %s", out)
	}
}
