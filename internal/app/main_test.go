package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
	"github.com/yinxin-gov/yinxin/internal/keys/keystest"
	"github.com/yinxin-gov/yinxin/internal/store/pgtest"
)

// server is the one PostgreSQL server of this package's tests.
var server *pgtest.Server

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command {
		os.Exit(sandbox.Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	if os.Getenv(envClients) != "" {
		if err := runClients(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	server = pgtest.Start()
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

var bg = context.Background()

// engines give the db setting of a new house: SQLite in its folder, PostgreSQL.
var engines = map[string]func(testing.TB) string{
	"sqlite":   func(testing.TB) string { return "" },
	"postgres": func(tb testing.TB) string { return server.URL(tb) },
}

var three = []Administrator{
	{Role: identity.RoleSystemAdmin, Name: "样例甲"}, {Role: identity.RoleSecurityOfficer, Name: "样例乙"}, {Role: identity.RoleAuditor, Name: "样例丙"},
}

// config is that of a house of samples which listens on a free loopback port.
func config(tb testing.TB, db string) (Config, net.Listener) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(tb, err)
	code, err := identity.SampleUSCC("110100", 1)
	ok(tb, err)
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	return Config{
		Settings: Settings{
			Name: "yangli", Organization: "样例区政务信息办公室", USCC: string(code), Division: "110100", DB: db,
			Listen: ln.Addr().String(), Public: "localhost:" + port, Names: []string{"localhost"}, Clock: ClockTrusted, Sample: true,
		},
		Dir: filepath.Join(tb.TempDir(), "data"), Work: keystest.Work(),
	}, ln
}

// serving serves a house until the test or stop ends it.
func serving(tb testing.TB, h *House, ln net.Listener) (stop func() error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx, ln) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-done, h.Close())
	})
	tb.Cleanup(func() { ok(tb, stop()) })
	return stop
}

// browser trusts the house's root, keeps no connection and follows no redirect.
func browser(h *House) *http.Client {
	pool := x509.NewCertPool()
	root, _ := h.Roots()
	pool.AddCert(root)
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func body(tb testing.TB, r *http.Response) string {
	tb.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	ok(tb, err)
	return string(b)
}

// logged is a log of everything, at the lowest level.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func wantErr(tb testing.TB, got, want error) {
	tb.Helper()
	if !errors.Is(got, want) {
		tb.Fatalf("got error %v, want %v", got, want)
	}
}

// files lists a folder with modes and sizes: what must not change.
func files(tb testing.TB, dir string) string {
	tb.Helper()
	var out bytes.Buffer
	err := filepath.Walk(dir, func(p string, fi os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&out, p, fi.Mode(), fi.Size(), fi.ModTime().UnixNano())
		}
		return err
	})
	ok(tb, err)
	return out.String()
}
