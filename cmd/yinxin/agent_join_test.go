//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent/sidecar"
	"github.com/yinxin-gov/yinxin/internal/demo"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
)

// X11-08: an existing system joins with one token, gets its mTLS certificate and
// asks for decisions by the sidecar alone: it speaks plain HTTP to a local socket
// and holds no key, no certificate and no library of ours.
func TestX11_08_OneTokenToDecision(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a whole house")
	}
	u, _ := testUI(t, false)
	dir, err := os.MkdirTemp("", "yx") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	house, err := demo.Run(t.Context(), demo.Config{Dir: filepath.Join(dir, "demo"), Listen: "127.0.0.1:0", Out: io.Discard, Words: u.words, Work: keystest.Work()})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	t.Cleanup(func() {
		if !closed {
			if err := house.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	m := house.Manifest
	folder, spare := filepath.Join(dir, "agent"), m.Enrolments[0]
	try := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := command(t, "", append([]string{"agent"}, args...)...)
		if code != want || strings.Contains(out+errs, spare.Token) {
			t.Fatalf("%v: exit %d, want %d: %s%s", args, code, want, out, errs)
		}
		return out + errs
	}

	// A wrong fingerprint sends nothing: the token is still good afterwards.
	t.Setenv(tokenEnv, spare.Token)
	wrong := strings.Repeat("ab", 32)
	if out := try(exitUsage, "join", "--dir", folder, "--url", m.URL, "--fingerprint", wrong); !strings.Contains(out, u.words.Get("agent.hint.fingerprint").Zh) {
		t.Errorf("%s", out)
	}
	// As root the files are handed to the user that nginx runs as below.
	join := []string{"join", "--dir", folder, "--url", m.URL, "--fingerprint", m.Anchors.ECDSARootS256}
	if os.Getuid() == 0 {
		join = append(join, "--served-by", nobody(t).Username)
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	try(exitOK, join...)
	if out := try(exitUsage, "join", "--dir", filepath.Join(dir, "again"), "--url", m.URL, "--root", filepath.Join(dir, "demo", m.Anchors.ECDSARoot)); !strings.Contains(out, u.words.Get("agent.hint.token").Zh) {
		t.Errorf("a used token: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "again")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused token left a folder: %v", err)
	}
	status := func(want int) (s agentStatus) {
		t.Helper()
		if err := json.Unmarshal([]byte(try(want, "status", "--json", "--dir", folder)), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	joined := status(exitOK)
	if joined.System != spare.System || !joined.Updated.IsZero() || len(joined.Tracks) != 2 {
		t.Errorf("%+v", joined)
	}

	// The sidecar, as the service manager starts it.
	socket := filepath.Join(dir, "decide.sock")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"agent", "run", "--dir", folder, "--socket", socket}, nil, io.Discard, io.Discard)
	}()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	defer client.CloseIdleConnections()
	ask := func(subject, resource string) (int, string) {
		t.Helper()
		q := `{"subject":{"type":"system","id":"` + subject + `"},"action":{"name":"read"},"resource":{"type":"resource","id":"` + resource + `"},"context":{"purpose":"social-assistance"}}`
		var resp *http.Response
		err := retry(func() (err error) {
			resp, err = client.Post("http://localhost/access/v1/evaluation", "application/json", strings.NewReader(q))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(raw)
	}
	if code, out := ask(spare.System, "res-assistance-2026"); code != http.StatusOK || !strings.Contains(out, `"decision":true`) {
		t.Errorf("own question: %d %s", code, out)
	}
	if code, out := ask(spare.System, "res-unknown"); code != http.StatusOK || !strings.Contains(out, `"decision":false`) {
		t.Errorf("unknown resource: %d %s", code, out)
	}
	// The house knows who asks: another agency's system is not its subject.
	if code, out := ask("street-service", "res-assistance-2026"); code != http.StatusForbidden || strings.Contains(out, `"decision"`) {
		t.Errorf("another agency's subject: %d %s", code, out)
	}

	// Both tracks renew while the sidecar serves, by another process; it takes the
	// new certificates up, and the old encryption key is kept.
	try(exitOK, "run", "--once", "--force", "--dir", folder)
	renewed := status(exitOK)
	if renewed.Set == joined.Set || renewed.OldKeys != 1 || renewed.Tracks[0].Serial == joined.Tracks[0].Serial || renewed.Tracks[1].Serial == joined.Tracks[1].Serial {
		t.Errorf("%+v after %+v", renewed, joined)
	}
	if code, out := ask(spare.System, "res-assistance-2026"); code != http.StatusOK || !strings.Contains(out, `"decision":true`) {
		t.Errorf("after the renewal: %d %s", code, out)
	}
	t.Run("nginx", func(t *testing.T) { behindNginx(t, dir, folder, m) })
	t.Run("authorities change", func(t *testing.T) {
		acrossSuccessions(t, house, dir, folder, func() bool {
			code, out := ask(spare.System, "res-assistance-2026")
			return code == http.StatusOK && strings.Contains(out, `"decision":true`)
		})
	})
	// The other commands need the folder only.
	try(exitOK, "inbox", "--dir", folder)
	try(exitOK, "decide", "--dir", folder, "--action", "read", "--resource", "res-assistance-2026", "--purpose", "social-assistance")

	// Without the house there is no permit, and the failed renewal is told.
	if err := house.Close(); err != nil {
		t.Error(err)
	}
	closed = true
	if code, out := ask(spare.System, "res-assistance-2026"); code != http.StatusServiceUnavailable || strings.Contains(out, `"decision"`) {
		t.Errorf("house away: %d %s", code, out)
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("the sidecar ended with %d", code)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is left behind")
	}
	if out := try(exitInvalid, "run", "--once", "--force", "--dir", folder); !strings.Contains(out, u.words.Get("agent.hint.status").Zh) {
		t.Errorf("%s", out)
	}
	if s := status(exitInvalid); s.OK || s.Tracks[0].State != "failed" || s.Tracks[0].Error == "" {
		t.Errorf("%+v", s)
	}
}

// What `agent status` makes of certificates and of the sidecar's state.
func TestAgent_StatusPrints(t *testing.T) {
	u, out := testUI(t, false)
	u.printAgent(agentStatus{System: "s", Tracks: []trackStatus{{State: "expired"}, {State: "failed", Error: "x\x1b[2J"}}, Reload: &sidecar.Reload{Error: "exit status 1"}, OldKeys: 2})
	if bytes.ContainsAny(out.Bytes(), "\x1b") {
		t.Errorf("%q", out)
	}
}

// retry asks again while the sidecar starts.
func retry(ask func() error) (err error) {
	for range 400 {
		if err = ask(); err == nil {
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return err
}
