package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/demo"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
	"github.com/yinxin-gov/yinxin/internal/text"
)

func testUI(t *testing.T, asJSON bool) (*ui, *bytes.Buffer) {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	return &ui{out: &out, err: io.Discard, words: words, json: asJSON}, &out
}

// A folder that is not enrolled and an address that is not https are told with
// what to do.
func TestAgent_NotEnrolled(t *testing.T) {
	four := authorities(t)
	dir := t.TempDir()
	roots := []string{"--dir", dir, "--root", filepath.Join(dir, "ec.crt"), "--sm2-root", filepath.Join(dir, "sm2.crt")}
	for name, der := range map[string][]byte{"ec.crt": four.ECDSARoot, "sm2.crt": four.SM2Root} {
		if err := os.WriteFile(filepath.Join(dir, name), ca.PEM(der), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		want string
		more []string
	}{
		{"agent.hint.files", nil}, {"agent.hint.url", []string{"--url", "http://localhost:1"}}, {"agent.hint.files", []string{"--tlcp", "localhost:8449"}},
		{"agent.hint.url", []string{"--tlcp", "localhost"}}, {"agent.hint.url", []string{"--tlcp", "https://localhost:8449"}}, {"agent.hint.url", []string{"--tlcp", ":8449"}},
	} {
		u, _ := testUI(t, false)
		code, out, errs := command(t, "", append(append([]string{"agent", "inbox"}, roots...), tc.more...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, u.words.Get(tc.want).Zh) {
			t.Errorf("%s: exit %d, %q, %q", tc.want, code, out, errs)
		}
	}
	// Roots in each other's place are no roots.
	roots[3], roots[5] = roots[5], roots[3]
	if code, _, errs := command(t, "", append([]string{"agent", "inbox"}, roots...)...); code != exitUsage || !strings.Contains(errs, "--root") {
		t.Errorf("swapped roots: exit %d, %q", code, errs)
	}
}

func TestAgent_Hints(t *testing.T) {
	problem := func(code string) error {
		return &agent.ProblemError{Problem: wire.Problem{Code: code, Detail: "x\x1b[2J"}}
	}
	for want, err := range map[string]error{
		"agent.hint.token": problem("enrol.token"), "agent.hint.peer": problem("peer.refused"), "agent.hint.refused": problem("internal"),
		"agent.hint.enrolled": fmt.Errorf("x: %w", agent.ErrEnrolled), "agent.hint.envelope": fmt.Errorf("x: %w", agent.ErrEnvelope),
		"agent.hint.server": fmt.Errorf("x: %w", agent.ErrServer), "agent.hint.files": agent.ErrFiles, "agent.hint.url": agent.ErrConfig,
	} {
		var ee *exitError
		if got := hinted(err); !errors.As(got, &ee) || ee.hint != want || ee.code != exitUsage || strings.Contains(got.Error(), "\x1b") {
			t.Errorf("%v: %+v", err, ee)
		}
	}
	if hinted(nil) != nil {
		t.Error("no error became one")
	}
}

// What a server says is shown without control characters, and denied is exit 1.
func TestAgent_Denied(t *testing.T) {
	denied := &agent.ProblemError{Problem: wire.Problem{Code: "decision.denied", Decision: "d-1", Reasons: []wire.Reason{
		{Code: "E10_label_lowered", Clauses: []string{"X11-30"}, Detail: "L2 < L3\x1b]0;x\a", Zh: "降级", En: "lowered", FixZh: "提高", FixEn: "raise"},
	}}}
	u, out := testUI(t, false)
	var ee *exitError
	if err := u.refused(denied); !errors.As(err, &ee) || ee.code != exitInvalid || !ee.silent {
		t.Errorf("%+v", ee)
	}
	for _, want := range []string{"d-1", "E10_label_lowered (X11-30)", "降级 / lowered", "→ 提高 / raise"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("control characters reach the terminal: %q", out)
	}
	u, out = testUI(t, true)
	var got wire.Problem
	if err := u.refused(denied); !errors.As(err, &ee) || ee.code != exitInvalid || json.Unmarshal(out.Bytes(), &got) != nil || got.Decision != "d-1" {
		t.Errorf("%+v, %q", ee, out)
	}
}

// The commands of a system against a real house: ask, send, fetch, confirm,
// enrol, and what each refuses.
func TestAgent_AgainstAHouse(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a whole house")
	}
	u, _ := testUI(t, false)
	dir := t.TempDir()
	d, err := demo.Run(t.Context(), demo.Config{Dir: filepath.Join(dir, "demo"), Listen: "127.0.0.1:0", Out: io.Discard, Words: u.words, Work: keystest.Work()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	m := d.Manifest
	at := func(path string) string { return filepath.Join(dir, "demo", path) }
	as := func(folder string, want int, args ...string) string {
		t.Helper()
		code, out, errs := command(t, "", append(append([]string{"agent"}, args...), "--url", m.URL, "--root", at(m.Anchors.ECDSARoot), "--sm2-root", at(m.Anchors.SM2Root), "--dir", folder)...)
		if code != want || code == exitUsage && !strings.Contains(errs, "提示 / hint: ") {
			t.Errorf("%v: exit %d, want %d: %s%s", args, code, want, out, errs)
		}
		return out + errs
	}
	provider, receiver, low := at(m.Systems["civil-affairs"].Dir), at(m.Systems["social-security"].Dir), at(m.Systems["street-service"].Dir)
	terms := []string{"--resource", "res-assistance-2026", "--purpose", "social-assistance"}
	if out := as(receiver, exitOK, append([]string{"decide", "--action", "read"}, terms...)...); !strings.Contains(out, "允许") || !strings.Contains(out, "watermark: ") {
		t.Errorf("decide: %s", out)
	}
	if out := as(low, exitInvalid, append([]string{"decide", "--action", "copy", "--label", "2/S2A2"}, terms...)...); !strings.Contains(out, "E10_label_lowered") {
		t.Errorf("decide: %s", out)
	}
	if out := as(provider, exitInvalid, append([]string{"send", "--to", "street-service", at(m.Samples.Sealed)}, terms...)...); !strings.Contains(out, "E12_target_system") {
		t.Errorf("send: %s", out)
	}
	as(provider, exitUsage, append([]string{"send", "--to", "social-security", at(m.Samples.Tampered)}, terms...)...)
	var sent wire.Transfer
	if err := json.Unmarshal([]byte(as(provider, exitOK, append([]string{"send", "--json", "--to", "social-security", at(m.Samples.Sealed)}, terms...)...)), &sent); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "got.ofd")
	as(low, exitUsage, "fetch", sent.ID, "--out", out)
	if _, err := os.Stat(out); err == nil {
		t.Error("a stranger's fetch wrote a file")
	}
	as(receiver, exitOK, "fetch", sent.ID, "--out", out)
	got, err := os.ReadFile(out)
	want, werr := os.ReadFile(at(m.Samples.Sealed))
	info, serr := os.Stat(out)
	if errors.Join(err, werr, serr) != nil || !bytes.Equal(got, want) || info.Mode().Perm() != 0o600 {
		t.Errorf("what was fetched: %v, mode %v", errors.Join(err, werr, serr), info.Mode())
	}
	if list := as(receiver, exitOK, "inbox"); !strings.Contains(list, sent.ID) || !strings.Contains(list, "received") {
		t.Errorf("inbox: %s", list)
	}
	t.Setenv(tokenEnv, m.Enrolments[0].Token)
	fresh := filepath.Join(dir, "fresh")
	for _, line := range []string{as(fresh, exitOK, "enrol"), as(fresh, exitUsage, "enrol"), as(filepath.Join(dir, "again"), exitUsage, "enrol")} {
		if strings.Contains(line, m.Enrolments[0].Token) {
			t.Errorf("the token is shown: %s", line)
		}
	}
	as(fresh, exitOK, "inbox", "--system", m.Enrolments[0].System)
	certificates := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := command(t, "", append(append([]string{"cert"}, args...), "--url", m.URL, "--root", at(m.Anchors.ECDSARoot), "--sm2-root", at(m.Anchors.SM2Root), "--dir", fresh)...)
		if code != want || code == exitUsage && !strings.Contains(errs, "提示 / hint: ") {
			t.Errorf("%v: exit %d, want %d: %s%s", args, code, want, out, errs)
		}
		return out
	}
	var all wire.Certificates
	if err := json.Unmarshal([]byte(certificates(exitOK, "history", "--json")), &all); err != nil || all.System != m.Enrolments[0].System || len(all.Certificates) != 6 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, c := range all.Certificates { // enrolled twice on both tracks, with request, approval and entries
		if c.State != "good" || c.Way != "token" || c.Request == nil || c.Request.DecidedBy == "" || c.Request.SubmittedBy == c.Request.DecidedBy || len(c.Entries) < 3 || (c.Half == "") != (c.Kind == "ecdsa") || (c.Follows == "") != (i >= 3) || len(c.Followed) != i/3 {
			t.Errorf("%+v", c)
		}
	}
	if out := certificates(exitOK, "history", m.Enrolments[0].System); strings.Count(out, "ca.certificate.issued") < 2 || !strings.Contains(out, "取得方式") {
		t.Errorf("history: %s", out)
	}
	if out := certificates(exitOK, "expiring"); !strings.Contains(out, "no certificate") {
		t.Errorf("expiring: %s", out)
	}
	if err := json.Unmarshal([]byte(certificates(exitOK, "expiring", "--days", "400", "--json")), &all); err != nil || len(all.Certificates) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	certificates(exitUsage, "expiring", "--days", "401")
	certificates(exitUsage, "history", "civil-affairs")
	as(fresh, exitUsage, "inbox", "--system", "another")
}
