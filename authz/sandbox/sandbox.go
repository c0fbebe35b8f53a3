// Package sandbox runs Rego that others wrote in a child process of its own
// (domains of agencies' systems, drafts of officers). Time is bounded by OPA, memory
// is not (a partial evaluation once took 15 GB), so that only a process can be let go.
//
// The child is this program again, under the hidden command Command: no arguments
// but its limits, an empty environment, a process group of its own, no files but
// three pipes, and the resource limits of Limits set before it reads a byte. It dies
// with its parent. There is no network and no clock in it by construction: see
// Capabilities. One child holds one Source, so that sources share nothing.
//
// It refuses modules that the gate refuses (GateError), a source, question or answer
// over its bound, and every question while the child that failed last rests. An
// answer that did not come in time, a child that ran out of memory, a panic and a
// value of no JSON are errors, and an error is a denial for every caller.
package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Outcomes that callers branch on, beside *GateError.
var (
	ErrTime     = errors.New("sandbox: stopped by its time limit")
	ErrMemory   = errors.New("sandbox: stopped by its memory limit")
	ErrCrashed  = errors.New("sandbox: the child ended")
	ErrResting  = errors.New("sandbox: not started again yet after a failure")
	ErrBusy     = errors.New("sandbox: too many questions wait")
	ErrSize     = errors.New("sandbox: larger than its bound")
	ErrEval     = errors.New("sandbox: evaluation failed")
	ErrClosed   = errors.New("sandbox: closed")
	ErrPlatform = errors.New("sandbox: this system cannot limit a process")
)

// Bounds of what goes in and out, in bytes.
const (
	MaxModules  = 256 << 10 // all modules and tests of a source
	MaxData     = 4 << 20
	MaxQuestion = 1 << 20
	MaxAnswer   = 64 << 10
)

// Source is what a child evaluates. Nothing of it changes while it runs.
type Source struct {
	Modules map[string]string `json:"modules"`         // file name → Rego
	Tests   map[string]string `json:"tests,omitempty"` // beside the modules in Test, never in Eval
	Data    json.RawMessage   `json:"data,omitempty"`  // an object, at data.<Rules.Data>
	Schema  json.RawMessage   `json:"schema,omitempty"`
	Rules   Rules             `json:"rules"`
}

func (s Source) check() error {
	n := 0
	for _, files := range []map[string]string{s.Modules, s.Tests} {
		for name, src := range files {
			n += len(name) + len(src)
		}
	}
	switch {
	case n > MaxModules:
		return fmt.Errorf("%w: %d bytes of modules", ErrSize, n)
	case len(s.Data) > MaxData:
		return fmt.Errorf("%w: %d bytes of data", ErrSize, len(s.Data))
	}
	return nil
}

// Limits of a child. Zero values are those of the comments.
type Limits struct {
	Memory int64         // beyond what the program itself takes: 256 MiB
	CPU    time.Duration // in all, before the child is replaced: 10 minutes
	Load   time.Duration // starting, gate and compilation: 10 s
	Eval   time.Duration // one question, and one test: 250 ms
	Wait   int           // questions that wait: 64
	Rest   time.Duration // after the first failure, doubled by each further one up to a minute: 100 ms
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Memory: cmp.Or(l.Memory, 256<<20), CPU: cmp.Or(l.CPU, 10*time.Minute), Load: cmp.Or(l.Load, 10*time.Second),
		Eval: cmp.Or(l.Eval, 250*time.Millisecond), Wait: cmp.Or(l.Wait, 64), Rest: cmp.Or(l.Rest, 100*time.Millisecond),
	}
}

const (
	maxRest = time.Minute
	grace   = 2 * time.Second // for a child that has to stop by itself, on a busy machine
)

// Config of a Runner. The zero value is production's.
type Config struct {
	// Program is what is run with Command and limits behind it; empty: this very
	// program, whose main has to call Child first.
	Program []string
	Limits  Limits
	Now     func() time.Time // for rests only; nil: time.Now
}

// Runner answers questions about one Source, one after another. It is safe for
// concurrent use; the child starts with the first question.
type Runner struct {
	cfg    Config
	source Source

	waiting atomic.Int64
	turn    chan struct{} // held while the child works, and for what follows
	child   *child        // nil: none runs
	failed  int           // in a row
	rests   time.Time     // until then no child is started
	last    error         // why
	closed  bool

	once sync.Once
	done chan struct{} // closed by Close
}

// New returns a Runner of src, or ErrSize or ErrPlatform.
func New(cfg Config, src Source) (*Runner, error) {
	if err := errors.Join(src.check(), supported()); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Runner{cfg: cfg, source: src, turn: make(chan struct{}, 1), done: make(chan struct{})}, nil
}

// Load starts the child, which judges and compiles the source: *GateError when it
// refuses it.
func (r *Runner) Load(ctx context.Context) error {
	return r.inTurn(ctx, func() error { return nil })
}

// Eval answers one question: the JSON of each result rule that has a value.
func (r *Runner) Eval(ctx context.Context, input json.RawMessage) (out map[string]json.RawMessage, err error) {
	switch {
	case len(input) > MaxQuestion:
		return nil, fmt.Errorf("%w: %d bytes of input", ErrSize, len(input))
	case !json.Valid(input):
		return nil, fmt.Errorf("%w: the input is no JSON", ErrEval)
	}
	err = r.inTurn(ctx, func() error {
		a, err := r.ask(question{Input: input}, r.cfg.Limits.Eval+grace)
		out = a.Results
		return err
	})
	return out, err
}

// Tested is the outcome of one test rule.
type Tested struct {
	Name   string `json:"name"`
	Pass   bool   `json:"pass"`
	Detail string `json:"detail,omitempty"` // why not: "undefined", "false", "time"
}

// Test evaluates every test rule of the source, in order of name.
func (r *Runner) Test(ctx context.Context) (out []Tested, err error) {
	err = r.inTurn(ctx, func() error {
		a, err := r.ask(question{Test: true}, r.cfg.Limits.Load+grace)
		out = a.Tests
		return err
	})
	return out, err
}

// Close ends the child. Questions that wait are told ErrClosed.
func (r *Runner) Close() error {
	r.once.Do(func() { close(r.done) })
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.closed = true
	r.stop()
	return nil
}

// inTurn runs do while the child is loaded and nobody else asks it. A caller who
// goes away leaves the queue; what is asked is not broken off, since that would let
// callers end the child of others.
func (r *Runner) inTurn(ctx context.Context, do func() error) error {
	if r.waiting.Add(1) > int64(r.cfg.Limits.Wait) {
		r.waiting.Add(-1)
		return ErrBusy
	}
	defer r.waiting.Add(-1)
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-r.done:
		return ErrClosed
	}
	if r.closed {
		return ErrClosed
	}
	if r.child != nil && (r.child.gone() || r.child.used > r.cfg.Limits.CPU/2) {
		r.stop()
	}
	if err := r.load(); err != nil {
		return err
	}
	return do()
}

// load starts a child, unless one runs or the last failure is too recent. The caller
// holds the turn, as of everything below.
func (r *Runner) load() error {
	if r.child != nil {
		return nil
	}
	if now := r.cfg.Now(); now.Before(r.rests) {
		return fmt.Errorf("%w: %w", ErrResting, r.last)
	}
	c, err := start(r.cfg)
	if err != nil {
		return r.fail(fmt.Errorf("%w: %w", ErrCrashed, err))
	}
	r.child = c
	_, err = r.ask(question{Source: &r.source, Eval: r.cfg.Limits.Eval}, r.cfg.Limits.Load)
	var gate *GateError
	if errors.As(err, &gate) {
		r.stop()
	}
	return err
}

// ask puts one question. Whatever the child does not answer ends it.
func (r *Runner) ask(q question, limit time.Duration) (answer, error) {
	a, err := r.child.exchange(q, limit)
	switch {
	case errors.Is(err, ErrSize): // of the question: the child never saw it
		return answer{}, err
	case err != nil:
		err = r.child.why(err)
		r.stop()
		return answer{}, r.fail(err)
	}
	r.failed = 0
	return a, a.err()
}

// fail makes the next child wait.
func (r *Runner) fail(err error) error {
	rest := min(r.cfg.Limits.Rest<<min(r.failed, 16), maxRest)
	r.failed++
	r.rests, r.last = r.cfg.Now().Add(rest), err
	return err
}

func (r *Runner) stop() {
	if r.child != nil {
		r.child.end()
		r.child = nil
	}
}
