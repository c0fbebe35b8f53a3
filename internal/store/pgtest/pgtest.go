//go:build unix

// Package pgtest gives tests a real PostgreSQL server of their own: found on
// the machine, started as a non-root user on a unix socket only, and stopped
// again even when the test process is killed.
//
// Without PostgreSQL tests that need it are skipped, loudly; under CI=true they
// fail (design §11). deploy/testing/install-servers.sh installs it.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running server, or the reason why there is none.
type Server struct {
	dir    string
	absent string
	alive  io.WriteCloser // the watchdog stops the server when this closes
	watch  *exec.Cmd
	next   atomic.Int64
}

// Start starts a server with the durability of production. Call it in TestMain
// and stop it after m.Run; a server that is absent is no error here.
func Start() *Server {
	bin, err := binaries()
	if err != nil {
		return &Server{absent: err.Error()}
	}
	s := &Server{}
	if err := s.start(bin); err != nil {
		return &Server{absent: err.Error()}
	}
	return s
}

// URL returns the address of a fresh database with the tests' own user.
func (s *Server) URL(tb testing.TB) string {
	tb.Helper()
	return s.create(tb, "")
}

// Copy returns the address of a new copy of a database of this server, which
// nobody is connected to.
func (s *Server) Copy(tb testing.TB, address string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return s.create(tb, " TEMPLATE "+pgx.Identifier{strings.TrimPrefix(u.Path, "/")}.Sanitize())
}

func (s *Server) create(tb testing.TB, like string) string {
	tb.Helper()
	if s.absent != "" {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("no PostgreSQL, and CI=true forbids to skip: %s", s.absent)
		}
		tb.Skipf("SKIPPED, NO POSTGRESQL: %s; run deploy/testing/install-servers.sh", s.absent)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.address("postgres"))
	if err != nil {
		tb.Fatalf("connecting to the test server: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	name := fmt.Sprintf("test_%d", s.next.Add(1))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+like); err != nil {
		tb.Fatalf("making a database: %v", err)
	}
	return s.address(name)
}

// Stop stops the server and removes its files.
func (s *Server) Stop() {
	if s.alive == nil {
		return
	}
	_ = s.alive.Close()
	_ = s.watch.Wait() // its result changes nothing: the directory is the tests' own
}

func (s *Server) address(database string) string {
	q := url.Values{"host": {s.dir}, "port": {"5432"}}
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: q.Encode()}).String()
}

// binaries finds the newest Debian installation, or what is in PATH.
func binaries() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	best, newest := "", -1
	for _, d := range dirs {
		v, err := strconv.Atoi(filepath.Base(filepath.Dir(d)))
		if _, missing := os.Stat(filepath.Join(d, "initdb")); err == nil && missing == nil && v > newest {
			best, newest = d, v
		}
	}
	if best != "" {
		return best, nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("initdb is neither in /usr/lib/postgresql/*/bin nor in PATH")
	}
	return filepath.Dir(initdb), nil
}

// start makes a cluster in a directory of its own. The directory is short and
// directly under /tmp: a socket path has 107 bytes at most, and the user nobody
// must reach it.
func (s *Server) start(bin string) (err error) {
	if s.dir, err = os.MkdirTemp("/tmp", "yxpg"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.dir)
		}
	}()
	as, err := s.nonRoot()
	if err != nil {
		return err
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...)
		c.Dir = s.dir
		c.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
		return c
	}
	data, pgctl := filepath.Join(s.dir, "d"), filepath.Join(bin, "pg_ctl")
	out, err := command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"--no-locale", "-E", "UTF8", "-N").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	settings := []string{
		"-c listen_addresses=", "-c unix_socket_directories=" + s.dir, "-c timezone=UTC", "-c max_connections=200",
		"-c log_min_error_statement=panic", "-c log_error_verbosity=terse",
	}
	log := filepath.Join(s.dir, "log")
	// Without -l the server inherits our output pipe, and reading it never ends.
	if err := command(pgctl, "-D", data, "-l", log, "-w", "-t", "60", "-o", strings.Join(settings, " "), "start").Run(); err != nil {
		tail, _ := os.ReadFile(log)
		return fmt.Errorf("pg_ctl start: %w: %s", err, tail)
	}
	// The watchdog sees its input end when this process ends, however it ends.
	s.watch = command("/bin/sh", "-c", `cat >/dev/null; "$1" -D "$2/d" -m immediate -w stop >/dev/null 2>&1; cd /; rm -rf "$2"`,
		"sh", pgctl, s.dir)
	if s.alive, err = s.watch.StdinPipe(); err != nil {
		return err
	}
	return s.watch.Start()
}

// nonRoot: PostgreSQL refuses to run as root.
func (s *Server) nonRoot() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(s.dir, int(uid), int(gid))
}

// CPU is what the server's processes have spent, and false where /proc does not
// say so. Those that ended are in the account of their parent.
func (s *Server) CPU() (spent time.Duration, ok bool) {
	raw, err := os.ReadFile(filepath.Join(s.dir, "d", "postmaster.pid"))
	if err != nil {
		return 0, false
	}
	master, _, _ := strings.Cut(string(raw), "\n")
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil { // it has just ended
			continue
		}
		// The name in brackets may hold anything; behind it stand the state, the
		// parent, and as 12th to 15th the ticks: own, of the kernel, of ended children.
		_, rest, _ := strings.Cut(string(raw), ") ")
		f := strings.Fields(rest)
		if len(f) < 15 || f[1] != master && filepath.Base(filepath.Dir(path)) != master {
			continue
		}
		for _, ticks := range f[11:15] {
			n, _ := strconv.ParseInt(ticks, 10, 64)
			spent += time.Duration(n) * time.Second / ticksPerSecond
		}
		ok = true
	}
	return spent, ok
}

// ticksPerSecond is USER_HZ of every Linux on the machines that Go knows.
const ticksPerSecond = 100
