package tlcp

import (
	"context"
	"net"
)

// Serve is one handshake of a server, for tests.
func Serve(ctx context.Context, raw net.Conn, pair Pair, trust Trust) error {
	l := &Listener{cfg: ListenerConfig{Pair: func(context.Context) (Pair, error) { return pair, nil }, Trust: func(context.Context) (Trust, error) { return trust, nil }}}
	_, err := l.handshake(ctx, raw)
	return err
}
