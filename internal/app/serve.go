package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/api/authzen"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Limits of the listener.
const (
	readHeaderTimeout = 10 * time.Second
	bodyTimeout       = 5 * time.Minute // the largest document on a slow line
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 10 * time.Second
	maxHeader         = 64 << 10
)

// Listeners of a house; those that are nil are not served. The house owns them
// from ServeAll on.
type Listeners struct {
	HTTPS net.Listener // required
	Plain net.Listener // what relying parties fetch before they trust anything
	TLCP  net.Listener // the same service as HTTPS, for partners that need TLCP
}

// Close ends listeners that no house got to serve.
func (l Listeners) Close() error {
	var errs []error
	for _, ln := range []net.Listener{l.HTTPS, l.Plain, l.TLCP} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	return errors.Join(errs...)
}

// Serve answers HTTPS on ln until ctx ends, then finishes what is under way.
// It owns ln.
func (h *House) Serve(ctx context.Context, ln net.Listener) error {
	return h.ServeAll(ctx, Listeners{HTTPS: ln})
}

// headroom is memory that a serving house holds and never touches: it has no pages.
// The collector counts it, so a house with little live memory, 25 MB when idle,
// collects half as often; a large one hardly notices. A tenth of the processor
// at full load, where a higher GOGC would cost a large house its budget of memory.
const headroom = 32 << 20

// ServeAll serves every listener until ctx ends or one of them fails.
func (h *House) ServeAll(ctx context.Context, l Listeners) error {
	handler, err := h.handler()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if h.server, err = h.StepCA.ServerCertificate(ctx, h.cfg.Names); errors.Is(err, ca.ErrClosing) && l.Plain != nil {
		return h.serveEnded(ctx, l, err)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("app: server certificate: %w", err), l.Close())
	}
	if l.TLCP != nil {
		if l.TLCP, err = h.listenTLCP(ctx, l.TLCP); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	room := make([]byte, headroom)
	defer runtime.KeepAlive(room)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var timers sync.WaitGroup
	defer timers.Wait()
	timing, endTimers := context.WithCancel(ctx)
	defer endTimers()
	timers.Go(func() {
		if err := h.CertStatus.Run(timing); !errors.Is(err, context.Canceled) {
			h.cfg.Log.ErrorContext(ctx, "lists of revoked certificates are not built any more", "error", err)
		}
	})
	timers.Go(func() { h.runServing(timing) })
	timers.Go(func() { h.Desk.Run(timing) })
	timers.Go(func() { h.runKMC(timing) })
	timers.Go(func() { h.runDaily(timing) })
	timers.Go(func() { h.runNotices(timing) })
	timers.Go(func() { h.sweeper().Run(timing) })
	timers.Go(func() { h.runSuccession(timing) })
	timers.Go(func() {
		if err := h.rooms.Index.Warm(timing); err != nil && !errors.Is(err, context.Canceled) {
			h.cfg.Log.WarnContext(ctx, "the catalogue was not read ahead; decisions read what they need", "error", err)
		}
	})
	fetcher, err := h.listFetcher()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	timers.Go(func() { fetcher.Run(timing) })
	var doors []func() error
	if l.Plain != nil {
		doors = append(doors, func() error { return h.servePlain(ctx, l.Plain) })
	}
	if l.TLCP != nil {
		doors = append(doors, func() error { return h.serveTLCP(ctx, l.TLCP, handler) })
	}
	others := make(chan error, len(doors))
	for _, serve := range doors {
		go func() {
			defer stop() // one that fails ends the house
			others <- serve()
		}()
	}
	srv := h.newServer(handler)
	if srv.TLSConfig, err = h.tlsConfig(ctx); err != nil {
		stop()
		for range doors {
			err = errors.Join(err, <-others)
		}
		return errors.Join(err, l.HTTPS.Close())
	}
	err = until(ctx, srv, func() error { return srv.ServeTLS(l.HTTPS, "", "") })
	stop()
	for range doors {
		err = errors.Join(err, <-others)
	}
	return err
}

// serveEnded goes on after the end of the service, when the house itself has no
// certificate any more: what was issued is answered for, in plain HTTP and signed.
func (h *House) serveEnded(ctx context.Context, l Listeners, why error) error {
	h.cfg.Log.WarnContext(ctx, "the certification service has ended: only lists, OCSP and what certificates point to are served", "error", why)
	plain := l.Plain
	l.Plain = nil
	if err := l.Close(); err != nil {
		return errors.Join(err, plain.Close())
	}
	timing, end := context.WithCancel(ctx)
	var timers sync.WaitGroup
	defer timers.Wait()
	defer end()
	timers.Go(func() {
		if err := h.CertStatus.Run(timing); !errors.Is(err, context.Canceled) {
			h.cfg.Log.ErrorContext(ctx, "lists of revoked certificates are not built any more", "error", err)
		}
	})
	return h.servePlain(ctx, plain)
}

// tlsConfig serves the house's own certificate, which renews itself. A client
// certificate is optional here: each door says itself whom it lets in.
// Whom clients may hang on is looked up at each connection.
func (h *House) tlsConfig(ctx context.Context) (*tls.Config, error) {
	with := &clientele{house: h}
	first, err := with.now(ctx)
	if err != nil {
		return nil, err
	}
	first = first.Clone()
	first.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return with.now(hello.Context()) }
	return first, nil
}

// servePlain answers plain HTTP on ln until ctx ends: what relying parties fetch
// before they trust anything, all of it signed. It owns ln.
func (h *House) servePlain(ctx context.Context, ln net.Listener) error {
	r := chi.NewRouter()
	r.Use(recoverer(h.cfg.Log))
	h.mountStatus(r)
	h.mountStamps(r)
	srv := h.newServer(r)
	srv.ReadTimeout, srv.WriteTimeout = readHeaderTimeout, time.Minute
	return until(ctx, srv, func() error { return srv.Serve(ln) })
}

// newServer has the limits of every door.
func (h *House) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(h.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// until runs serve until ctx ends, then finishes what is under way.
func until(ctx context.Context, srv *http.Server, serve func() error) error {
	done := make(chan error, 1)
	go func() { done <- serve() }()
	select {
	case err := <-done:
		return fmt.Errorf("app: serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(stop)
	if serr := <-done; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// handler joins the API, AuthZEN, the step-ca API, published certificates and
// the console on one router.
func (h *House) handler() (http.Handler, error) {
	r := chi.NewRouter()
	refused := &refusals{house: h}
	r.Use(api.Identify(newID), recoverer(h.cfg.Log), h.bearer(refused))
	err := api.Mount(r, api.Config{
		Exchange: h.Exchange, Archive: h, Enroller: h, Certifier: certifier{h.CA}, Recoverer: h, Historian: historian{h.History}, Catalogue: h.Entries, Copies: h.Copies, Notices: h.Reclass, Requester: requester{h}, Domains: domainDesk{h}, Ledger: h, Peers: h.peers(), Refusals: refused, Guest: h.guest, Verify: h.Verify, Status: h.Status,
		Report: h.reportData, Anchors: h.Anchors, Words: h.words, Log: h.cfg.Log, Version: Version,
	})
	if err != nil {
		return nil, err
	}
	decider := authzen.Guarded{PDP: h.PDP}
	zen, err := authzen.New(authzen.Config{
		Decider: decider, MayAsk: authzen.OwnAgency{People: h.rooms.Identity}, Platform: h.platform, Domains: domains{h}, Candidates: h.store.Candidates(),
		Actions: actionNames(), Caller: h.caller, Identifier: "https://" + h.cfg.Public,
	})
	if err != nil {
		return nil, err
	}
	r.Mount("/access/v1", zen)
	r.Handle(authzen.PathMetadata, zen)
	r.Handle(wire.PathData+"*", zen)
	if err := h.mountEnvoy(r, decider); err != nil {
		return nil, err
	}
	if err := h.mountTokens(r); err != nil {
		return nil, err
	}
	steps := h.StepCA.Routes()
	for _, p := range h.StepCA.Paths() {
		r.Handle(p, steps)
	}
	h.mountStatus(r)
	h.mountStamps(r)
	err = console.Mount(r, console.Config{
		Door: door{h}, Desk: h.Desk, Status: h.Status, Head: h.ledgerPage, Verify: h.Verify, Report: h.reportPage, Anchors: h.Anchors, Words: h.words, Log: h.cfg.Log,
		Painter: h.pages,
	})
	return r, err
}

func (h *House) peers() peers { return peers{h.CA, h.rooms.Identity, h.Peering, h.used} }

func actionNames() (names []string) {
	for _, a := range authz.Actions() {
		names = append(names, string(a))
	}
	return names
}

// caller is the system behind a request, for AuthZEN.
func (h *House) caller(r *http.Request) (ledger.Actor, bool) {
	a, err := api.Peer(r.Context(), h.peers())
	return a, err == nil
}

// Status is what anybody may know.
func (h *House) Status(ctx context.Context) wire.Status {
	s := wire.Status{
		Name: h.cfg.Organization, Version: Version, Time: h.cfg.Now().UTC(), LedgerSize: h.Ledger.Head().Size,
		Healthy: h.Ledger.Healthy() == nil, Sample: h.cfg.Sample,
		Closing: h.closingNow(ctx),
	}
	var err error
	if s.RootListEnds, s.CeremonyDue, err = h.rootListDue(ctx); err != nil && ctx.Err() == nil {
		h.cfg.Log.ErrorContext(ctx, "when the lists of the roots end is not known", "error", err)
	}
	return s
}

// recoverer answers 500 to a panic and logs it; the connection lives on.
func recoverer(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if p := recover(); p != nil {
					if p == http.ErrAbortHandler {
						panic(p)
					}
					log.ErrorContext(r.Context(), "panic in a handler", "path", r.URL.Path, "panic", p)
					http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// Verify checks a document against the house's own anchors and registry.
func (h *House) Verify(ctx context.Context, document []byte) (verify.Report, error) {
	opt, err := h.verifyOptions(ctx)
	if err != nil {
		return verify.Report{}, err
	}
	return verify.Document(ctx, document, opt)
}

func (h *House) verifyOptions(ctx context.Context) (verify.Options, error) {
	t, err := h.trustNow(ctx)
	return verify.Options{Trust: t, Now: h.cfg.Now, Revocation: revocation{h.rooms.CA, []ca.Issuers{h.sm2(), h.ecdsa()}, h.Life.CompromisedSince, h.Peering}, Consents: h.citations()}, err
}
