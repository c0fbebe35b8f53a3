package notify_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/notify"
)

// tool finds a program; without it the test is left out, but not in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: deploy/testing/install-servers.sh", name)
	}
	t.Skipf("%s is missing", name)
	return ""
}

// eventually reads a file that another program writes, until it is as wanted.
func eventually(t *testing.T, path string, want func(string) bool) string {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(path)
		if err == nil && want(string(raw)) {
			return string(raw)
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %q, %v", path, raw, err)
		}
	}
}

// rsyslog takes our messages over TLS and reads every part of them.
func TestRsyslogReadsTheMessages(t *testing.T) {
	daemon := tool(t, "rsyslogd")
	h, like := newHouse(t, loopback), newHook(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		ok(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(like.TLS.Certificates[0].PrivateKey)
	ok(t, err)
	roots := like.channel().Roots
	cert := file("cert.pem", string(roots))
	conf := file("rsyslog.conf", fmt.Sprintf(`global(workDirectory=%[1]q defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile=%[2]q
  defaultNetstreamDriverCertFile=%[2]q defaultNetstreamDriverKeyFile=%[3]q parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="%[1]s/port")
template(name="parts" type="string" string="%%syslogfacility%%|%%syslogseverity%%|%%hostname%%|%%app-name%%|%%procid%%|%%msgid%%|%%structured-data%%|%%msg%%\n")
action(type="omfile" file="%[1]s/out" template="parts")
`, dir, cert, file("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))))
	run := exec.Command(daemon, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	var said strings.Builder
	run.Stdout, run.Stderr = &said, &said
	ok(t, run.Start())
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	port := strings.TrimSpace(eventually(t, filepath.Join(dir, "port"), func(s string) bool { return strings.TrimSpace(s) != "" }))
	c, _ := h.register(notify.Channel{Kind: notify.Syslog, Address: "tls://127.0.0.1:" + port, Roots: roots})
	h.tell(notify.CertificateHeld, `u"]\1`, "n1")
	h.round()
	out := eventually(t, filepath.Join(dir, "out"), func(s string) bool { return strings.Contains(s, "n1_"+c.ID) })
	for _, want := range []string{"13|4|house.example|yinxin|-|certificate.held|", `[notice@32473 id="n1_` + c.ID + `" unit="u\"\]\\1" system="s-1"`, "证书已挂起：s-1 / a certificate is held: s-1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %s", want, out)
		}
	}
	if s := h.standing(c.ID); s.SentAt.IsZero() || s.LastError != "" {
		t.Errorf("%+v", s)
	}
}

// The receiver of the documentation, in both languages, takes what we send and
// nothing that was changed.
func TestDocumentedReceiverVerifies(t *testing.T) {
	python := tool(t, "python3")
	h, in := newHouse(t, loopback), newHook(t)
	_, secret := h.register(in.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	got := in.posts()[0]
	for _, lang := range []string{"zh", "en"} {
		page, err := os.ReadFile("../../docs/" + lang + "/notify.md")
		ok(t, err)
		_, rest, _ := strings.Cut(string(page), "```python\n")
		code, _, _ := strings.Cut(rest, "```")
		script := filepath.Join(t.TempDir(), "verify.py")
		ok(t, os.WriteFile(script, []byte(code), 0o600))
		run := func(secret string, p post) (string, error) {
			cmd := exec.Command(python, script, secret, p.id, p.stamp, p.signature)
			cmd.Stdin = strings.NewReader(string(p.body))
			out, err := cmd.CombinedOutput()
			return strings.TrimSpace(string(out)), err
		}
		if out, err := run(secret, got); err != nil || out != "yinxin.certificate.held" {
			t.Errorf("%s: %q, %v", lang, out, err)
		}
		for what, change := range map[string]func(*post){
			"body": func(p *post) { p.body = append([]byte(" "), p.body...) }, "id": func(p *post) { p.id += "x" }, "time": func(p *post) { p.stamp = "1" }, "signature": func(p *post) { p.signature = "v1,AAAA" },
		} {
			bad := got
			change(&bad)
			if out, err := run(secret, bad); err == nil {
				t.Errorf("%s: another %s is taken: %q", lang, what, out)
			}
		}
		if out, err := run("whsec_AAAA", got); err == nil {
			t.Errorf("%s: another secret: %q", lang, out)
		}
	}
}
