package tlcp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
)

// ListenerConfig of a Listener.
type ListenerConfig struct {
	// Pair in force; asked at each handshake, so that a renewed one serves at
	// once. Required.
	Pair   func(context.Context) (Pair, error)
	Trust  func(context.Context) (Trust, error) // asked at each handshake. Required
	Limits Limits
	Log    *slog.Logger // who was refused, at debug level; nil: nowhere
}

// Listener accepts connections whose handshake is done; slow or hostile ones
// never reach Accept. It implements net.Listener.
type Listener struct {
	cfg   ListenerConfig
	ln    net.Listener
	gate  *gate
	ready chan net.Conn
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	work  sync.WaitGroup
}

// Listen serves TLCP on ln, which it owns from then on.
func Listen(ln net.Listener, cfg ListenerConfig) (*Listener, error) {
	if cfg.Pair == nil || cfg.Trust == nil {
		return nil, errors.Join(errors.New("tlcp: a listener needs its pair and the anchors of its callers"), ln.Close())
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Limits = cfg.Limits.withDefaults()
	l := &Listener{cfg: cfg, ln: ln, gate: newGate(cfg.Limits, time.Now()), ready: make(chan net.Conn)}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.work.Go(l.run)
	return l, nil
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		return nil, fmt.Errorf("tlcp: %w", net.ErrClosed)
	}
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close implements net.Listener: it ends handshakes that are under way, and
// leaves accepted connections alone.
func (l *Listener) Close() error {
	l.stop()
	err := l.ln.Close()
	l.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// run takes connections and gives each a handshake of its own.
func (l *Listener) run() {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for wait := shortest; ; {
		raw, err := l.ln.Accept()
		if l.ctx.Err() != nil {
			if err == nil {
				_ = raw.Close()
			}
			return
		}
		if err != nil { // out of file descriptors, or a caller that left: it passes
			l.cfg.Log.WarnContext(l.ctx, "TLCP: accepting failed", "error", err)
			select {
			case <-time.After(wait):
			case <-l.ctx.Done():
			}
			wait = min(2*wait, longest)
			continue
		}
		wait = shortest
		addr := addressOf(raw)
		if !l.gate.enter(addr, time.Now()) {
			l.cfg.Log.DebugContext(l.ctx, "TLCP: too many connections", "from", addr)
			_ = raw.Close()
			continue
		}
		l.work.Go(func() { l.admit(raw, func() { l.gate.leave(addr) }) })
	}
}

// admit shakes hands and waits until somebody accepts.
func (l *Listener) admit(raw net.Conn, free func()) {
	ctx, cancel := context.WithTimeoutCause(l.ctx, l.cfg.Limits.Handshake, context.DeadlineExceeded)
	defer cancel()
	c, err := l.handshake(ctx, raw)
	if err != nil {
		l.cfg.Log.DebugContext(l.ctx, "TLCP: refused", "from", raw.RemoteAddr(), "error", err)
		_ = raw.Close()
		free()
		return
	}
	c.free = free
	select {
	case l.ready <- c:
	case <-l.ctx.Done():
		_ = c.Close()
	}
}

func (l *Listener) handshake(ctx context.Context, raw net.Conn) (*Conn, error) {
	pair, err := l.cfg.Pair(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPair, err)
	}
	if err := pair.check(); err != nil {
		return nil, err
	}
	trust, err := l.cfg.Trust(ctx)
	if err == nil && len(trust.Roots) == 0 {
		err = errors.New("no anchors")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	var peer Peer
	cfg := base(rand.Reader, func(certs [][]byte) (err error) {
		peer, err = trust.judge(certs, "")
		return err
	})
	cfg.Certificates = pair.serverCertificates()
	// Any certificate, for gmtls; the ones that judge lets pass, for us.
	cfg.ClientAuth = gmtls.RequireAnyClientCert
	return shake(ctx, raw, gmtls.Server(raw, cfg), &peer)
}
