// Package demo is the main job on sample data: three sample agencies (样例),
// their people, systems and gradings; a sealed notice on its way; eight
// refusals; two tampered copies that are found out. Every step is the real
// act through the same rooms as in production, over real HTTPS and mTLS; only
// the Config differs. It refuses a folder that is in use unless told to reset
// one that it made itself.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Config of a demo. Out, Words and Dir are required.
type Config struct {
	Dir    string // folder to make: server, clients, out, demo.json
	Doc    string // document to seal, OFD without a seal; empty: a notice made here
	Listen string // host:port of HTTPS; port 0 takes a free one
	Reset  bool   // remove what an earlier demo left in Dir
	// Program is what the printed commands start with; empty: `go run ./cmd/yinxin`.
	Program string
	// Stops: the caller closes the house after the walk, so the commands begin
	// with the one that starts it again.
	Stops bool
	Out   io.Writer
	Words *text.Catalogue
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: discard
	Work  keys.Work        // zero: production's
}

// Outcomes that callers branch on.
var (
	// ErrFolder: Dir is in use or cannot be made.
	ErrFolder = errors.New("demo: folder not usable")
	// ErrListen: the address cannot be listened on.
	ErrListen = errors.New("demo: cannot listen")
	// ErrDocument: Doc is not an unsealed OFD document.
	ErrDocument = errors.New("demo: document cannot be sealed")
	// ErrWalk: a step did not end as the rules ask; the transcript says which.
	ErrWalk = errors.New("demo: a step went wrong")
)

// fileManifest marks a folder as made by the demo.
const fileManifest = "demo.json"

// Demo is a finished walk whose house still serves.
type Demo struct {
	Manifest Manifest
	house    *app.House
	stop     context.CancelFunc
	served   chan error // one value: both listeners have ended
}

// Wait serves until ctx ends.
func (d *Demo) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.served:
		d.served <- err // Close reads it too
		return err
	}
}

// Close stops the server and the house.
func (d *Demo) Close() error {
	d.stop()
	return errors.Join(<-d.served, d.house.Close())
}

// walk is one run: what the steps made and share.
type walk struct {
	cfg    Config
	tell   teller
	now    func() time.Time
	house  *app.House
	url    string
	public string

	agencies map[string]*agency
	agents   map[string]*agent.Agent
	terms    map[string]Term
	spare    []Enrolment
	acme     map[string]ACMEAccount

	plain, sealed  []byte
	title          string
	transfer       Transfer
	statistics     string // holding of A that has a lower label
	console        string
	desk           map[string]Clerk
	auditor        string // person id
	listen         string
	listenPlain    string // lists and OCSP
	ledger         Ledger
	ra, sealAdmin  person
	samples        Samples
	shortLivedEnds time.Time
}

// Run walks the main job and leaves the house serving.
func Run(ctx context.Context, cfg Config) (*Demo, error) { return newWalk(cfg).run(ctx) }

func newWalk(cfg Config) *walk {
	w := &walk{cfg: cfg, now: cfg.Now, tell: teller{out: cfg.Out, words: cfg.Words}, agencies: map[string]*agency{}, agents: map[string]*agent.Agent{}, terms: map[string]Term{}, acme: map[string]ACMEAccount{}}
	if w.now == nil {
		w.now = time.Now
	}
	if w.cfg.Program == "" {
		w.cfg.Program = "go run ./cmd/yinxin"
	}
	return w
}

func (w *walk) run(ctx context.Context) (_ *Demo, err error) {
	// What can be refused is refused before anything is made.
	if err := w.loadDocument(); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", w.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrListen, err)
	}
	if err := w.makeFolder(); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	plain, err := listenBeside(ln)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrListen, err), ln.Close())
	}
	w.public = net.JoinHostPort("localhost", strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	w.url, w.listen, w.listenPlain = "https://"+w.public, ln.Addr().String(), plain.Addr().String()
	if err := w.found(ctx); err != nil {
		return nil, errors.Join(err, ln.Close(), plain.Close())
	}
	// The server outlives the walk: Close ends it.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &Demo{house: w.house, stop: stop, served: make(chan error, 1)}
	go func() { d.served <- w.house.ServeAll(serving, app.Listeners{HTTPS: ln, Plain: plain}) }()
	defer func() {
		for _, a := range w.agents {
			a.Close()
		}
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	for _, step := range []func(context.Context) error{
		w.people, w.systems, w.catalogue, w.makeSeals, w.agreements, w.enrol, w.seal, w.send, w.refusals, w.tamperDocument, w.exportLedger, w.finish,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWalk, err)
		}
	}
	d.Manifest, err = w.manifest(ctx)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// listenBeside takes the next port for plain HTTP, or a free one when that is
// taken.
func listenBeside(ln net.Listener) (net.Listener, error) {
	at := ln.Addr().(*net.TCPAddr)
	host := at.IP.String()
	if next, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(at.Port+1))); err == nil {
		return next, nil
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// makeFolder makes Dir with its three parts, or says why not.
func (w *walk) makeFolder() error {
	entries, err := os.ReadDir(w.cfg.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFolder, err)
	case len(entries) == 0:
	default:
		if _, err := os.Stat(filepath.Join(w.cfg.Dir, fileManifest)); err != nil || !w.cfg.Reset {
			return fmt.Errorf("%w: %s is not empty", ErrFolder, w.cfg.Dir)
		}
		for _, part := range []string{"server", "clients", "out", fileManifest} {
			if err := os.RemoveAll(filepath.Join(w.cfg.Dir, part)); err != nil {
				return fmt.Errorf("%w: %w", ErrFolder, err)
			}
		}
	}
	for _, part := range []string{"clients", "out"} {
		if err := os.MkdirAll(filepath.Join(w.cfg.Dir, part), 0o700); err != nil {
			return fmt.Errorf("%w: %w", ErrFolder, err)
		}
	}
	// Claimed from here on: a walk that breaks off can be reset.
	if err := os.WriteFile(filepath.Join(w.cfg.Dir, fileManifest), []byte("{}\n"), 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	return nil
}

func (w *walk) path(parts ...string) string {
	return filepath.Join(append([]string{w.cfg.Dir}, parts...)...)
}
