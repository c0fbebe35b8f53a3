//go:build unix

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/demo"
)

// needs finds a real program; under CI its absence is a failure.
func needs(t *testing.T, program string) string {
	t.Helper()
	at, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("no %s (deploy/testing/install-servers.sh installs it)", program)
	}
	return at
}

func nobody(t *testing.T) *user.User {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// behindNginx starts nginx, not as root, with deploy/nginx/agent-mtls.conf and the
// folder of the sidecar: systems of the house come in, nobody else; after a
// renewal and the sidecar's signal it serves the new certificate.
func behindNginx(t *testing.T, dir, folder string, m demo.Manifest) {
	nginx := needs(t, "nginx")
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Client-DN"))
	}))
	defer backend.Close()
	conf, err := os.ReadFile("../../deploy/nginx/agent-mtls.conf")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, host := ln.Addr().String(), m.Enrolments[0].Hosts[0]
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(dir, "nginx")
	if err := os.Mkdir(prefix, 0o755); err != nil {
		t.Fatal(err)
	}
	for old, now := range map[string]string{
		"listen 8444 ssl": "listen " + address + " ssl", "/var/lib/yinxin-agent": folder,
		"http://127.0.0.1:8080": backend.URL, "system.example.internal": host,
	} {
		if !bytes.Contains(conf, []byte(old)) {
			t.Fatalf("no %q in the example", old)
		}
		conf = bytes.ReplaceAll(conf, []byte(old), []byte(now))
	}
	main := strings.ReplaceAll(`daemon off; pid P/pid; error_log P/error.log;
events {}
http {
  access_log off;
  client_body_temp_path P/b; proxy_temp_path P/p; fastcgi_temp_path P/f; uwsgi_temp_path P/u; scgi_temp_path P/s;
  include P/agent-mtls.conf;
}
`, "P", prefix)
	for name, text := range map[string]string{"agent-mtls.conf": string(conf), "nginx.conf": main} {
		if err := os.WriteFile(filepath.Join(prefix, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(nginx, "-p", prefix, "-c", filepath.Join(prefix, "nginx.conf"))
	if os.Getuid() == 0 {
		who := nobody(t)
		uid, uerr := strconv.ParseUint(who.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(who.Gid, 10, 32)
		if uerr != nil || gerr != nil || os.Chown(prefix, int(uid), int(gid)) != nil {
			t.Fatal(uerr, gerr)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			log, _ := os.ReadFile(filepath.Join(prefix, "error.log"))
			t.Errorf("nginx: %v: %s%s", err, said.String(), log)
		}
	}()

	at := func(path string) string { return filepath.Join(dir, "demo", path) }
	root, err := os.ReadFile(at(m.Anchors.ECDSARoot))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	other := m.Systems["social-security"]
	pair, err := tls.LoadX509KeyPair(at(other.TLSCert), at(other.TLSKey))
	if err != nil {
		t.Fatal(err)
	}
	// get asks as a system, or as nobody, and tells the serial that was served.
	get := func(certificates ...tls.Certificate) (serial, body string, err error) {
		c := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: host, Certificates: certificates, MinVersion: tls.VersionTLS12},
		}}
		resp, err := c.Get("https://" + address)
		if err != nil {
			return "", "", err
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		return resp.TLS.PeerCertificates[0].SerialNumber.Text(16), strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + string(raw)), err
	}
	held := func() string {
		cfg, err := agent.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		a, err := agent.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		return a.Held()[0].Serial
	}
	wait := func(want string) {
		t.Helper()
		var body string
		err := retry(func() error {
			serial, b, err := get(pair)
			if body = b; err == nil && serial != want {
				err = fmt.Errorf("serves %s, want %s", serial, want)
			}
			return err
		})
		if err != nil || !strings.HasPrefix(body, "200 ") || !strings.Contains(body, "CN=social-security") {
			t.Fatalf("%s, %v", body, err)
		}
	}
	before := held()
	wait(before)
	if _, body, err := get(); err == nil && !strings.HasPrefix(body, "400") {
		t.Errorf("without a certificate: %s", body)
	}
	if code, out, errs := command(t, "", "agent", "run", "--once", "--force", "--dir", folder, "--reload-pid", filepath.Join(prefix, "pid")); code != exitOK {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	after := held()
	if after == before {
		t.Fatal("nothing was renewed")
	}
	wait(after)
}

// The unit says nothing that systemd does not understand.
func TestAgentUnit(t *testing.T) {
	verify := needs(t, "systemd-analyze")
	unit, err := os.ReadFile("../../deploy/systemd/yinxin-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "yinxin-agent.service")
	if err := os.WriteFile(file, bytes.ReplaceAll(unit, []byte("/usr/local/bin/yinxin"), []byte(self)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", "--man=no", file).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	// It starts what the command line understands.
	_, line, _ := strings.Cut(string(unit), "ExecStart=/usr/local/bin/yinxin ")
	line, _, _ = strings.Cut(line, "\n")
	args := strings.Fields(strings.ReplaceAll(line, "$YINXIN_AGENT_OPTIONS", "--reload-pid /run/nginx.pid"))
	args[3] = t.TempDir() // --dir: a folder that has not joined
	if code, _, errs := command(t, "", args...); code != exitUsage || !strings.Contains(errs, "has not joined a house") {
		t.Errorf("%v: exit %d, %s", args, code, errs)
	}
}
