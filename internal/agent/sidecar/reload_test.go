package sidecar

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
)

func writeText(t *testing.T, path, s string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSignal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGUSR2)
	defer signal.Stop(got)
	writeText(t, file, fmt.Sprintln(os.Getpid()))
	if err := Signal(file, syscall.SIGUSR2)(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-got
	for _, bad := range []string{"", "1", "0", "-1", "12x", "99999999", strings.Repeat("1", 99)} {
		writeText(t, file, bad)
		if err := Signal(file, syscall.SIGUSR2)(t.Context()); !errors.Is(err, ErrReload) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := Signal(file+".none", syscall.SIGUSR2)(t.Context()); !errors.Is(err, ErrReload) {
		t.Errorf("no file: %v", err)
	}
}

func TestCommand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("YINXIN_TOKEN", "secret-of-the-environment")
	// The arguments are arguments: no shell reads them.
	if err := Command([]string{"/bin/sh", "-c", `printf '%s|%s' "$1" "$YINXIN_TOKEN" > "$0"`, out, "a b; $(id)"})(t.Context()); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(out); err != nil || string(raw) != "a b; $(id)|" {
		t.Errorf("%q, %v", raw, err)
	}
	err := Command([]string{"/bin/sh", "-c", `i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; printf 'last\033[2J words'; exit 3`})(t.Context())
	if !errors.Is(err, ErrReload) || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "last [2J words") || len(err.Error()) > maxOutput+200 || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("%d bytes: %.200v", len(err.Error()), err)
	}
	// One that hangs is ended with the context, also when a child holds its pipe.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := Command([]string{"/bin/sh", "-c", "sleep 60 & sleep 60"})(ctx); !errors.Is(err, ErrReload) {
		t.Errorf("%v", err)
	}
	if err := Command([]string{"/nowhere/nginx"})(t.Context()); !errors.Is(err, ErrReload) {
		t.Errorf("%v", err)
	}
}

// A program that does not listen is told again; a restart of the sidecar does not
// forget which set it knows.
func TestReload_RetriedUntilTold(t *testing.T) {
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	f := newFolder(t, &now, map[agent.Track]time.Duration{agent.TrackTLS: 240 * time.Hour, agent.TrackSM2: 240 * time.Hour})
	status := File(filepath.Join(t.TempDir(), "status.json"))
	told, refuse := 0, true
	start := func() *Sidecar {
		s, err := New(Config{System: f, Status: status, Log: quiet(), Draw: rand.Float64, Now: func() time.Time { return now }, Reload: func(context.Context) error {
			if told++; refuse {
				return fmt.Errorf("%w: not now", ErrReload)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	step := func(want int, why string) {
		t.Helper()
		if _, err := s.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told != want {
			t.Errorf("%s: told %d times, want %d", why, told, want)
		}
	}
	step(1, "the first set")
	step(1, "too early for the next try")
	if st, err := status.Read(); err != nil || !strings.Contains(st.Reload.Error, "not now") || s.Failures() == nil {
		t.Errorf("%+v, %v", st.Reload, err)
	}
	now = now.Add(backoffMin)
	step(2, "the next try")
	s = start()
	step(3, "a restart tries at once")
	refuse = false
	now = now.Add(backoffMax)
	step(4, "told")
	if st, err := status.Read(); err != nil || st.Reload.Error != "" || st.Reload.Done != "000002" || s.Failures() != nil {
		t.Errorf("%+v, %v", st.Reload, err)
	}
	s = start()
	step(4, "it knows the set")
	f.issue(agent.TrackTLS) // by another process
	step(5, "a new set")
}

// sd_notify(3): READY, WATCHDOG and STOPPING arrive at the manager's socket.
func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "yx") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "n")
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000000", "WATCHDOG_PID": "42"}
	n := Manager(func(k string) string { return env[k] }, 42)
	now := time.Now()
	f := newFolder(t, &now, map[agent.Track]time.Duration{agent.TrackTLS: time.Hour, agent.TrackSM2: time.Hour})
	s, err := New(Config{System: f, Status: File(filepath.Join(dir, "s")), Log: quiet(), Draw: rand.Float64, Notify: n})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	buf := make([]byte, 100)
	for _, want := range []string{"READY=1", "WATCHDOG=1", "STOPPING=1"} {
		size, err := ln.Read(buf)
		if err != nil || string(buf[:size]) != want {
			t.Errorf("%q, %v, want %q", buf[:size], err, want)
		}
		if want == "WATCHDOG=1" {
			cancel()
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	env["WATCHDOG_PID"] = "43" // another process's
	if n := Manager(func(k string) string { return env[k] }, 42); n.watchdog != 0 || n.every() != tick {
		t.Errorf("%+v", n)
	}
	if n.every() != 5*time.Minute {
		t.Errorf("%s", n.every())
	}
	if err := (Notifier{}).Ready(); err != nil { // nobody to tell
		t.Error(err)
	}
	if err := (Notifier{socket: path + ".none"}).Ready(); err == nil {
		t.Error("nobody listens, and nobody says so")
	}
}
