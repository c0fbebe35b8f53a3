package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// child is a running process with its two pipes.
type child struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	stderr *tail
	done   chan struct{} // closed when the process is gone
	used   time.Duration
}

// start runs the program with its limits.
func start(cfg Config) (_ *child, err error) {
	argv := cfg.Program
	if len(argv) == 0 {
		argv = []string{self}
	}
	argv = append(slices.Clone(argv), Command,
		strconv.FormatInt(cfg.Limits.Memory, 10), strconv.FormatInt(int64((cfg.Limits.CPU+time.Second-1)/time.Second), 10))
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), in.Close())
	}
	c := &child{in: in, out: out, stderr: &tail{}, done: make(chan struct{})}
	c.cmd = exec.Command(argv[0], argv[1:]...)
	c.cmd.Env, c.cmd.Dir = []string{}, "/"
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = childIn, childOut, c.stderr
	c.cmd.SysProcAttr = alone()
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child with the thread that made it, so that thread is
		// kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // what it ended with stands in ProcessState
		}
		close(c.done)
	}()
	err = errors.Join(<-started, childIn.Close(), childOut.Close())
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// exchange puts a question and reads the answer, both within limit.
func (c *child) exchange(q question, limit time.Duration) (a answer, err error) {
	until := time.Now().Add(limit)
	if err := errors.Join(c.in.SetWriteDeadline(until), c.out.SetReadDeadline(until)); err != nil {
		return a, err
	}
	if err := writeFrame(c.in, q, maxToChild); err != nil {
		return a, err
	}
	if err := readFrame(c.out, &a, maxFromChild); err != nil {
		return a, err
	}
	c.used = a.Used
	return a, nil
}

// why says what became of a child that gave no answer.
func (c *child) why(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTime
	case errors.Is(err, errFrame):
		return fmt.Errorf("%w: %w", ErrCrashed, err)
	}
	select {
	case <-c.done:
	case <-time.After(grace): // it closed its pipe and lives on
		return fmt.Errorf("%w: %w", ErrCrashed, err)
	}
	for _, words := range []string{"out of memory", "cannot allocate memory", "failed to allocate"} { // of the runtime, and of its race detector
		if c.stderr.says(words) {
			return ErrMemory
		}
	}
	return fmt.Errorf("%w: %s", ErrCrashed, c.cmd.ProcessState)
}

func (c *child) gone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// end kills the child with all that it may have started, and waits for it.
func (c *child) end() {
	if c.cmd.Process != nil && !c.gone() {
		killGroup(c.cmd.Process)
		<-c.done
	}
	_ = c.in.Close() // of a process that is gone
	_ = c.out.Close()
}

// tail keeps the beginning of what a child says before it dies; Go prints the cause
// first.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := maxTail - t.buf.Len(); room > 0 {
		t.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) says(s string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Contains(t.buf.Bytes(), []byte(s))
}
