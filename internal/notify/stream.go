package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"
)

// closingTime is how long a syslog receiver may take to end its side. One that
// keeps it open has read what was sent, as far as anybody can know.
const (
	closingTime = 3 * time.Second
	maxAnswer   = 4 << 10
)

// write sends one message to a syslog receiver: TLS (RFC 5425) and TCP (RFC 6587)
// with a count of octets before it, UDP (RFC 5426) as one datagram.
func (s *Service) write(ctx context.Context, c Channel, message []byte) error {
	u, err := endpoint(Syslog, c.Address)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx, u, c.Roots)
	if err != nil {
		return fmt.Errorf("notify: connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // breaks off what is under way
	defer stop()
	if u.Scheme != "udp" {
		message = append(strconv.AppendInt(nil, int64(len(message)), 10), append([]byte{' '}, message...)...)
	}
	if _, err := conn.Write(message); err != nil {
		return fmt.Errorf("notify: write: %w", err)
	}
	return ended(ctx, conn)
}

func (s *Service) connect(ctx context.Context, u *url.URL, roots []byte) (net.Conn, error) {
	if u.Scheme != "tls" {
		return s.guard.dialer().DialContext(ctx, u.Scheme, u.Host)
	}
	trusted, err := pool(roots)
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: s.guard.dialer(), Config: s.tls(trusted)}).DialContext(ctx, "tcp", u.Host)
}

// ended closes our side of a stream and waits for the other: a reset says that
// the receiver did not read it all.
func ended(ctx context.Context, conn net.Conn) error {
	half, is := conn.(interface{ CloseWrite() error })
	if !is {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return fmt.Errorf("notify: close: %w", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(closingTime)); err != nil {
		return fmt.Errorf("notify: close: %w", err)
	}
	_, err := io.Copy(io.Discard, io.LimitReader(conn, maxAnswer))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("notify: close: %w", err)
	}
	return nil
}
