package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Bounds of the socket. The house has the same bound of a body.
const (
	maxAsk      = 1 << 20
	maxTold     = 8 << 20
	maxAtOnce   = 64
	askTime     = 30 * time.Second
	headerTime  = 5 * time.Second
	bodyTime    = 15 * time.Second
	idleTime    = 2 * time.Minute
	closingTime = 5 * time.Second
)

// Forwarder sends a request on to the house with the system's certificate
// (agent.Keeper).
type Forwarder interface {
	Forward(*http.Request) (*http.Response, error)
}

// Decisions is the local decision point: the paths of AuthZEN and of OPA, and
// nothing else of the house. Who asks on the socket asks as the system: the
// house sees its certificate and nothing that the caller says of itself. What is
// no answer of the house is 502 or 503, so that no client takes it for a permit.
type Decisions struct {
	House Forwarder       // required
	Words *text.Catalogue // required
	Log   *slog.Logger    // required
}

// Handler is the socket's handler.
func (d Decisions) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range []string{wire.PathEvaluation, wire.PathEvaluations, wire.PathSearch + "subject", wire.PathSearch + "resource", wire.PathSearch + "action", wire.PathData} {
		mux.HandleFunc("POST "+p, d.forward)
	}
	mux.HandleFunc("GET "+wire.PathAuthZEN, d.forward)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { d.problem(w, r, http.StatusNotFound, "route") })
	free := make(chan struct{}, maxAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case free <- struct{}{}:
			defer func() { <-free }()
			mux.ServeHTTP(w, r)
		default:
			d.problem(w, r, http.StatusServiceUnavailable, "busy")
		}
	})
}

// Serve answers on ln until ctx ends. It owns ln.
func (d Decisions) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: d.Handler(), ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, WriteTimeout: askTime + bodyTime, IdleTimeout: idleTime,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if who, ok := peer(c); ok {
				d.Log.DebugContext(ctx, "connection to the decision socket", "peer", who)
			}
			return ctx
		},
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("sidecar: socket: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	err := srv.Shutdown(stop)
	if serr := <-done; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

func (d Decisions) forward(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAsk))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		d.problem(w, r, http.StatusRequestEntityTooLarge, "large")
		return
	case err != nil:
		d.problem(w, r, http.StatusBadRequest, "body")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, r.Method, r.URL.Path, bytes.NewReader(body))
	if err != nil {
		d.problem(w, r, http.StatusBadRequest, "body")
		return
	}
	for _, h := range []string{"Content-Type", "Content-Encoding", "Accept", "X-Request-ID"} {
		if v := r.Header.Get(h); v != "" {
			out.Header.Set(h, v)
		}
	}
	resp, err := d.House.Forward(out)
	if err != nil {
		d.Log.WarnContext(r.Context(), "a decision was not asked for: the house is away", "error", err)
		d.problem(w, r, http.StatusServiceUnavailable, "house")
		return
	}
	defer resp.Body.Close()
	told, err := io.ReadAll(io.LimitReader(resp.Body, maxTold+1))
	if err != nil || len(told) > maxTold || !answered(resp, told) {
		d.Log.WarnContext(r.Context(), "what the house said is no answer", "status", resp.StatusCode, "error", err)
		d.problem(w, r, http.StatusBadGateway, "answer")
		return
	}
	for _, h := range []string{"Content-Type", "Cache-Control", "X-Request-ID", "X-Content-Type-Options", "Retry-After"} {
		if v := resp.Header.Get(h); v != "" {
			w.Header().Set(h, v)
		}
	}
	w.WriteHeader(resp.StatusCode)
	d.sent(r, w, told)
}

// answered: a whole JSON document with status 200, or a refusal. Anything else
// (a redirect, a proxy's page) is not the house's decision.
func answered(resp *http.Response, told []byte) bool {
	if resp.StatusCode >= http.StatusBadRequest {
		return true
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusOK && err == nil && media == "application/json" && json.Valid(told)
}

func (d Decisions) problem(w http.ResponseWriter, r *http.Request, status int, code string) {
	t := d.Words.Get("sidecar.problem." + code)
	raw, err := json.Marshal(wire.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: "sidecar." + code, Detail: t.En, Zh: t.Zh})
	if err != nil { // strings and a number
		d.Log.ErrorContext(r.Context(), "encode problem", "error", err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	if id := r.Header.Get("X-Request-ID"); id != "" {
		w.Header().Set("X-Request-ID", id)
	}
	w.WriteHeader(status)
	d.sent(r, w, raw)
}

func (d Decisions) sent(r *http.Request, w io.Writer, b []byte) {
	if _, err := w.Write(b); err != nil {
		d.Log.DebugContext(r.Context(), "answer not delivered", "error", err)
	}
}
