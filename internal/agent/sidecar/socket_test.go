package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// house is a Forwarder that answers with a handler, or not at all.
type house struct{ http.HandlerFunc }

func (h house) Forward(r *http.Request) (*http.Response, error) {
	if h.HandlerFunc == nil {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func decisions(t *testing.T, h http.HandlerFunc) Decisions {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	return Decisions{House: house{h}, Words: words, Log: quiet()}
}

// served starts the socket and returns a client of it.
func served(t *testing.T, d Decisions) (*http.Client, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "yx")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "decide.sock")
	ln, err := Listen(path, os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx, ln) }()
	c := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Error("the socket is left behind")
		}
		_ = os.RemoveAll(dir)
	})
	return c, path
}

func post(t *testing.T, c *http.Client, path, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://house"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-ID", "r-1")
	req.Header.Set("Authorization", "Bearer of-the-caller")
	req.Header.Set("Cookie", "session=1")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// The paths of AuthZEN and OPA go through as they are, with what the protocol
// needs of the headers; nothing else of the house is reached.
func TestSocket_Forwards(t *testing.T) {
	var seen *http.Request
	var body []byte
	c, path := served(t, decisions(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-ID", r.Header.Get("X-Request-ID"))
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = w.Write([]byte(`{"decision":true}`))
	}))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, p := range []string{wire.PathEvaluation, wire.PathEvaluations, wire.PathSearch + "subject", wire.PathSearch + "resource", wire.PathSearch + "action", wire.PathOPA} {
		seen = nil
		status, out, head := post(t, c, p, `{"q":1}`)
		if status != http.StatusOK || out != `{"decision":true}` || head.Get("X-Request-ID") != "r-1" || head.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s %v", p, status, out, head)
		}
		if seen == nil || seen.URL.Path != p || string(body) != `{"q":1}` || seen.Header.Get("Authorization") != "" || seen.Header.Get("Cookie") != "" {
			t.Errorf("%s: the house saw %+v", p, seen)
		}
	}
	seen = nil
	for _, p := range []string{wire.PathTransfers, wire.PathEnrol, wire.PathRenewals, "/1.0/rekey", "/access/v1/other", wire.PathSearch + "person", "/access/v1/../../api/v1/transfers", "//" + wire.PathTransfers, "/"} {
		if status, out, _ := post(t, c, p, "{}"); status != http.StatusNotFound && status/100 != 3 || strings.Contains(out, `"decision":`) {
			t.Errorf("%s: %d %s", p, status, out)
		}
	}
	if seen != nil {
		t.Errorf("the house was asked for %s", seen.URL)
	}
}

// 西政办发〔2014〕14号 art. 29: whatever goes wrong, nothing looks like a permit.
func TestX14_29_SocketFailsClosed(t *testing.T) {
	permit := `{"decision":true}`
	with := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, tc := range map[string]struct {
		house http.HandlerFunc
		want  int
	}{
		"house away":                   {nil, http.StatusServiceUnavailable},
		"a redirect":                   {with(http.StatusFound, "application/json", permit), http.StatusBadGateway},
		"a proxy's page":               {with(http.StatusOK, "text/html", permit), http.StatusBadGateway},
		"half an answer":               {with(http.StatusOK, "application/json", permit[:8]), http.StatusBadGateway},
		"nothing":                      {with(http.StatusOK, "application/json", ""), http.StatusBadGateway},
		"accepted, perhaps":            {with(http.StatusAccepted, "application/json", permit), http.StatusBadGateway},
		"an endless answer":            {with(http.StatusOK, "application/json", `"`+strings.Repeat("x", maxTold)+`"`), http.StatusBadGateway},
		"the certificate is not good":  {with(http.StatusUnauthorized, "application/json", `{"code":"peer"}`), http.StatusUnauthorized},
		"the house's own failure":      {with(http.StatusInternalServerError, "text/plain", "x"), http.StatusInternalServerError},
		"not about another's subjects": {with(http.StatusForbidden, "application/json", "{}"), http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := served(t, decisions(t, tc.house))
			for _, p := range []string{wire.PathEvaluation, wire.PathOPA} {
				status, out, head := post(t, c, p, "{}")
				if status != tc.want || strings.Contains(out, "decision\":true") {
					t.Errorf("%d %.100s, want %d", status, out, tc.want)
				}
				var problem wire.Problem
				if strings.HasPrefix(head.Get("Content-Type"), "application/problem+json") && (json.Unmarshal([]byte(out), &problem) != nil || problem.Status != tc.want || problem.Zh == "" || head.Get("X-Request-ID") != "r-1") {
					t.Errorf("%s %v", out, head)
				}
			}
		})
	}
}

func TestSocket_Bounds(t *testing.T) {
	enter, leave := make(chan struct{}, maxAtOnce), make(chan struct{})
	d := decisions(t, func(w http.ResponseWriter, _ *http.Request) {
		enter <- struct{}{}
		<-leave
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})
	h := d.Handler()
	ask := func(body string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, wire.PathEvaluation, bytes.NewReader([]byte(body))))
		return w.Code
	}
	if got := ask(strings.Repeat("x", maxAsk+1)); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", got)
	}
	done := make(chan int, maxAtOnce)
	for range maxAtOnce {
		go func() { done <- ask("{}") }()
	}
	for range maxAtOnce {
		<-enter
	}
	if got := ask("{}"); got != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", got)
	}
	close(leave)
	for range maxAtOnce {
		if got := <-done; got != http.StatusOK {
			t.Errorf("%d", got)
		}
	}
}

// What stands at the place of the socket.
func TestListen(t *testing.T) {
	dir, err := os.MkdirTemp("", "yx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "file")
	writeText(t, file, "mine")
	if _, err := Listen(file, -1); !errors.Is(err, ErrSocket) {
		t.Errorf("a file: %v", err)
	}
	path := filepath.Join(dir, "s")
	ln, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, -1); !errors.Is(err, ErrSocket) {
		t.Errorf("a socket that answers: %v", err)
	}
	// A run that was killed leaves its socket.
	if err := ln.(*socket).UnixListener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	again, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Listen(filepath.Join(dir, "none", "s"), -1); !errors.Is(err, ErrSocket) {
		t.Errorf("no folder: %v", err)
	}
}
