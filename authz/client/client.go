// Package client asks a decision point for access decisions: the OpenID AuthZEN
// Authorization API 1.0 over HTTPS with the client certificate of a system, or
// through the decision socket of `yinxin agent run`. It needs the standard library
// only and is safe for concurrent use.
//
// It fails closed: a Decision that comes with an error denies, and so does the zero
// Decision. A question is asked again only where the first time cannot have been
// answered: the connection was not made, or the other side said that it is busy.
// It follows no redirects and reads at most 8 MiB of an answer.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Outcomes that callers branch on; *Error carries what the other side said.
var (
	// ErrConfig: New cannot make a client of this.
	ErrConfig = errors.New("client: configuration")
	// ErrRequest: the question is malformed or too large (400, 413, 415).
	ErrRequest = errors.New("client: the question was refused")
	// ErrUnauthenticated: no good certificate or token (401).
	ErrUnauthenticated = errors.New("client: not authenticated")
	// ErrForbidden: this system may not ask that (403).
	ErrForbidden = errors.New("client: may not ask this")
	// ErrUnavailable: no decision could be had; this is a denial.
	ErrUnavailable = errors.New("client: no decision")
)

// Error is an answer that is no decision.
type Error struct {
	Status  int    `json:"status"` // of HTTP
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("client: %d: %.400s", e.Status, e.Message) }

// Unwrap names the outcome.
func (e *Error) Unwrap() error {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return ErrRequest
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusForbidden:
		return ErrForbidden
	}
	return ErrUnavailable
}

// Config says where the decision point is.
type Config struct {
	// URL of the decision point, https, without a path.
	URL string
	// TLS has the certificate of the system and the root of the house.
	TLS *tls.Config
	// Socket of the agent, instead of URL and TLS.
	Socket string
	// Token gives an access token that is bound to the certificate of TLS; nil: the
	// certificate alone. It is called for each question.
	Token func(ctx context.Context) (string, error)
	// Timeout of a question, with everything that is tried for it; 0: 3 seconds.
	Timeout time.Duration
	// Attempts at most; 0: 3.
	Attempts int
}

// Limits.
const (
	defaultTimeout  = 3 * time.Second
	defaultAttempts = 3
	firstPause      = 50 * time.Millisecond
	maxAnswer       = 8 << 20
	maxMessage      = 4 << 10
	maxConnections  = 128
)

// Client asks one decision point and keeps its connections.
type Client struct {
	http     *http.Client
	base     string
	token    func(context.Context) (string, error)
	timeout  time.Duration
	attempts int
}

// New checks the configuration; it asks nothing yet.
func New(cfg Config) (*Client, error) {
	t := &http.Transport{
		TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: maxConnections, MaxConnsPerHost: maxConnections, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	}
	c := &Client{http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, token: cfg.Token, timeout: cfg.Timeout, attempts: cfg.Attempts}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.attempts == 0 {
		c.attempts = defaultAttempts
	}
	if c.timeout < 0 || c.attempts < 0 {
		return nil, fmt.Errorf("%w: timeout and attempts", ErrConfig)
	}
	if cfg.Socket != "" {
		if cfg.URL != "" || cfg.TLS != nil || cfg.Token != nil {
			return nil, fmt.Errorf("%w: a socket, or URL and TLS", ErrConfig)
		}
		c.base = "http://agent"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", cfg.Socket)
		}
		return c, nil
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%w: the URL has to be https://host[:port]", ErrConfig)
	}
	if cfg.TLS == nil || len(cfg.TLS.Certificates) == 0 && cfg.TLS.GetClientCertificate == nil || cfg.TLS.InsecureSkipVerify {
		return nil, fmt.Errorf("%w: TLS with a client certificate is required, and verifies the server", ErrConfig)
	}
	c.base = "https://" + u.Host
	return c, nil
}

// Close closes connections that nothing is asked on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ask posts in and decodes a 200 into out.
func (c *Client) ask(ctx context.Context, path, requestID string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	pause := firstPause
	for attempt := 1; ; attempt++ {
		after, err := c.once(ctx, path, requestID, raw, out)
		if err == nil || after < 0 || attempt >= c.attempts {
			return err
		}
		wait := time.NewTimer(max(after, pause))
		select {
		case <-ctx.Done():
			wait.Stop()
			return errors.Join(err, ctx.Err())
		case <-wait.C:
		}
		pause *= 2
	}
}

// once returns with an error when another attempt is safe, and after how long at
// least; never: a negative time.
func (c *Client) once(ctx context.Context, path, requestID string, body []byte, out any) (after time.Duration, err error) {
	const never = -1
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return never, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if requestID != "" {
		req.Header.Set("X-Request-ID", requestID)
	}
	if c.token != nil {
		token, err := c.token(ctx)
		if err != nil {
			return never, fmt.Errorf("%w: token: %w", ErrUnauthenticated, err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" && ctx.Err() == nil {
			return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return never, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refused(resp)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return never, fmt.Errorf("%w: the answer is not JSON", ErrUnavailable)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(raw) > maxAnswer {
		return never, fmt.Errorf("%w: the answer does not end: %w", ErrUnavailable, err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return never, fmt.Errorf("%w: the answer does not read: %w", ErrUnavailable, err)
	}
	return 0, nil
}

// refused: 429 and 503 say that nothing was decided.
func (c *Client) refused(resp *http.Response) (time.Duration, error) {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if err != nil {
		raw = nil
	}
	e := &Error{Status: resp.StatusCode, Message: strings.TrimSpace(string(raw))}
	var said Error
	if json.Unmarshal(raw, &said) == nil && said.Message != "" {
		e.Message = said.Message
	}
	if resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusTooManyRequests {
		return -1, e
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 60 {
		seconds = 0
	}
	return time.Duration(seconds) * time.Second, e
}
