package tlcp

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
)

// dialTimeout bounds a client's handshake where its context does not.
const dialTimeout = 15 * time.Second

// Client speaks to a server whose pair is for TLS servers (serverAuth) and names
// the host; a system's own pair is not, whatever it is called.
type Client struct {
	Pair  Pair
	Trust Trust
}

// Dial connects to host:port and shakes hands. What it returns is closed by the
// caller.
func (cl Client) Dial(ctx context.Context, address string) (*Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("tlcp: address: %w", err)
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("tlcp: %w", err)
	}
	c, err := cl.Handshake(ctx, raw, host)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// Handshake makes a connection of raw, which stays the caller's when it fails.
func (cl Client) Handshake(ctx context.Context, raw net.Conn, host string) (*Conn, error) {
	if err := cl.Pair.check(); err != nil {
		return nil, err
	}
	if host == "" {
		return nil, fmt.Errorf("%w: no name of the server", ErrHandshake)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var peer Peer
	cfg := base(rand.Reader, func(certs [][]byte) (err error) {
		peer, err = cl.Trust.judge(certs, host)
		return err
	})
	cfg.GetClientCertificate = func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) {
		return cl.Pair.clientCertificate(), nil
	}
	return shake(ctx, raw, gmtls.Client(raw, cfg), &peer)
}

// Transport sends https requests through TLCP: over HTTP/1.1, with no proxy.
func (cl Client) Transport() *http.Transport {
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			c, err := cl.Dial(ctx, address)
			if err != nil {
				return nil, err // a typed nil is no nil
			}
			return c, nil
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("%w: not an https address", ErrHandshake)
		},
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: time.Minute,
	}
}
