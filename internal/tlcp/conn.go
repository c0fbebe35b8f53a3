package tlcp

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
)

// closeTimeout bounds the farewell of a connection to a peer that does not read.
const closeTimeout = 2 * time.Second

// Conn is a connection after its handshake. gmtls panics on some malformed
// records; here that is an error, and the end of the connection. (A server's
// background read runs where net/http recovers nothing.)
type Conn struct {
	raw  net.Conn
	g    *gmtls.Conn
	peer Peer
	once sync.Once
	free func() // gives the place back; nil: nothing to give
}

// Peer is the other side; see Peer.
func (c *Conn) Peer() Peer { return c.peer }

// PeerOf is the other side of a connection that a Listener accepted.
func PeerOf(c net.Conn) (Peer, bool) {
	t, ok := c.(*Conn)
	if !ok {
		return Peer{}, false
	}
	return t.peer, true
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (n int, err error) {
	defer c.guard(&err)
	return c.g.Read(p)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	defer c.guard(&err)
	return c.g.Write(p)
}

// Close implements net.Conn; the second time it does nothing.
func (c *Conn) Close() (err error) {
	c.once.Do(func() {
		if c.free != nil {
			defer c.free()
		}
		// The farewell is written; sockets keep the time of the machine.
		if err = c.raw.SetWriteDeadline(time.Now().Add(closeTimeout)); err == nil {
			func() {
				defer c.guard(&err)
				err = c.g.Close()
			}()
		}
		_ = c.raw.Close() // closed already where all went well
	})
	return err
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.raw.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.raw.SetWriteDeadline(t) }

func (c *Conn) guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrFault, p)
		_ = c.raw.Close() // its state is unknown
	}
}

// shake runs a handshake until ctx ends and checks what came out of it: gmtls
// must have asked for the peer's certificates, and used their key.
func shake(ctx context.Context, raw net.Conn, g *gmtls.Conn, peer *Peer) (_ *Conn, err error) {
	c := &Conn{raw: raw, g: g}
	past := time.Unix(1, 0)
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(past) })
	func() {
		defer c.guard(&err)
		err = g.Handshake()
	}()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	s := g.ConnectionState()
	switch {
	case s.Version != gmtls.VersionGMSSL || s.CipherSuite != gmtls.GMTLS_SM2_WITH_SM4_SM3 || s.DidResume:
		return nil, fmt.Errorf("%w: version %#x, suite %#x", ErrHandshake, s.Version, s.CipherSuite)
	case peer.Sign == nil || len(s.PeerCertificates) < 2:
		return nil, fmt.Errorf("%w: %w: none", ErrHandshake, ErrPeer)
	case !samePublic(peer.Sign, s.PeerCertificates[0].PublicKey) || !samePublic(peer.Enc, s.PeerCertificates[1].PublicKey):
		return nil, fmt.Errorf("%w: %w: read in two ways", ErrHandshake, ErrPeer)
	}
	c.peer = *peer
	return c, nil
}
