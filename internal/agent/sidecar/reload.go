package sidecar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Bounds of a reload.
const (
	reloadTime = 30 * time.Second
	maxOutput  = 4 << 10
	maxPidFile = 32
)

// ErrReload: the served program was not made to read its files again.
var ErrReload = errors.New("sidecar: reload")

// Signal returns a reload by a signal to the process named in a pid file.
func Signal(pidFile string, sig os.Signal) func(context.Context) error {
	return func(context.Context) error {
		f, err := os.Open(pidFile)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrReload, err)
		}
		defer f.Close()
		raw := make([]byte, maxPidFile+1)
		n, err := f.Read(raw)
		if err != nil || n > maxPidFile {
			return fmt.Errorf("%w: %s holds no process id", ErrReload, pidFile)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(raw[:n])))
		if err != nil || pid <= 1 { // 0 and below are groups, 1 is the system's
			return fmt.Errorf("%w: %s holds no process id", ErrReload, pidFile)
		}
		p, err := os.FindProcess(pid)
		if err == nil {
			err = p.Signal(sig)
		}
		if err != nil {
			return fmt.Errorf("%w: process %d of %s: %w", ErrReload, pid, pidFile, err)
		}
		return nil
	}
}

// Command returns a reload by a program with its arguments: no shell, a clean
// environment, half a minute, and a bounded part of its output in the error.
func Command(argv []string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, reloadTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
		cmd.WaitDelay = time.Second // a child of it may hold the pipe
		var out tail
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s: %w: %s", ErrReload, argv[0], err, out.text())
		}
		return nil
	}
}

// tail keeps the last bytes of what is written.
type tail struct{ b bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.b.Write(p[max(0, len(p)-maxOutput):])
	if over := t.b.Len() - maxOutput; over > 0 {
		t.b.Next(over)
	}
	return len(p), nil
}

// text is one line without control characters.
func (t *tail) text() string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(t.b.String(), "?")))
}

// reloading is the state of reloads: done names the set that the program was
// told of last.
type reloading struct {
	done, want string
	next       time.Time
	tries      int
	err        string
	failed     time.Time
}

func (r reloading) due() bool { return r.want != r.done }

// tell makes the served program read a set that it was not told of yet. One
// that does not listen is told again, ever more rarely.
func (s *Sidecar) tell(ctx context.Context, set string) {
	r := &s.reload
	if s.cfg.Reload == nil {
		*r = reloading{}
		return
	}
	if set != r.want {
		*r = reloading{done: r.done, want: set}
	}
	now := s.cfg.Now()
	if !r.due() || now.Before(r.next) {
		return
	}
	if err := s.cfg.Reload(ctx); err != nil {
		r.next, r.err, r.failed = now.Add(backoff(r.tries, s.cfg.Draw())), err.Error(), now
		r.tries++
		s.cfg.Log.ErrorContext(ctx, "the served program was not reloaded", "set", set, "error", err, "again", r.next.UTC().Format(time.RFC3339))
		return
	}
	*r = reloading{done: set, want: set}
	s.cfg.Log.InfoContext(ctx, "the served program was reloaded", "set", set)
}
