package tsa

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// maxReply bounds what a service may answer: a token with a long chain.
const maxReply = 64 << 10

// defaultTimeout is how long a service may take, from dialling to the last byte.
const defaultTimeout = 20 * time.Second

// Outcomes of a client.
var (
	// ErrService: the service did not answer as RFC 3161 wants it.
	ErrService = errors.New("tsa: no usable answer of the time-stamp service")
	// ErrAddress: no http or https address.
	ErrAddress = errors.New("tsa: not an http or https address")
	// ErrPassword: the address holds a name or password, where others read it.
	ErrPassword = errors.New("tsa: the address holds a name or password")
	// ErrRedirect: the service sends its callers somewhere else.
	ErrRedirect = errors.New("tsa: redirect to another host refused")
)

// Client asks a time-stamp service. NewClient makes one that is safe to point at
// a stranger; with a literal the caller vouches for HTTP.
type Client struct {
	URL    string
	HTTP   *http.Client      // its timeout and trust are the caller's; required
	Digest signeddata.Digest // of the imprint

	user, password string // basic authentication, when user is set
}

// ClientConfig of a client. URL and Digest are required.
type ClientConfig struct {
	URL            string
	Digest         signeddata.Digest
	Roots          *x509.CertPool // of the service's TLS; nil: those of the machine
	User, Password string         // basic authentication, over https only; empty: none
	Timeout        time.Duration  // 0: 20 seconds
}

// NewClient makes a client that tries once, follows no redirect to another host
// and gives a password to nobody but an https service.
func NewClient(cfg ClientConfig) (Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return Client{}, ErrAddress // the parser's words would repeat a password
	case u.User != nil:
		return Client{}, ErrPassword
	case cfg.User != "" && u.Scheme != "https":
		return Client{}, fmt.Errorf("%w: a password goes over https only", ErrAddress)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: 16 << 10, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	return Client{
		URL: cfg.URL, Digest: cfg.Digest, user: cfg.User, password: cfg.Password,
		HTTP: &http.Client{Timeout: cfg.Timeout, Transport: transport, CheckRedirect: sameHost},
	}, nil
}

// sameHost lets a service move within itself only: the imprint, and a password,
// were meant for nobody else.
func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > 2 || r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
		return ErrRedirect
	}
	return nil
}

// Stamp returns a token over value, after checking that it is over this value and
// this request, and that the signature holds. Whether the service is trusted is
// for whoever verifies the document.
func (c Client) Stamp(ctx context.Context, value []byte) ([]byte, error) {
	return c.StampImprint(ctx, tsp.Over(c.Digest, value))
}

// StampImprint is Stamp of content of which the digest is known.
func (c Client) StampImprint(ctx context.Context, i tsp.Imprint) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("tsa: nonce: %w", err)
	}
	der, err := tsp.Request{Imprint: i, Nonce: nonce, Certs: true}.DER()
	if err != nil {
		return nil, err
	}
	reply, err := c.post(ctx, der)
	if err != nil {
		return nil, err
	}
	token, err := tsp.ParseResponse(reply)
	if err != nil {
		return nil, err
	}
	t, err := tsp.ParseToken(token)
	if err != nil {
		return nil, err
	}
	if t.Nonce == nil || t.Nonce.Cmp(nonce) != 0 || !t.Imprint.Digest.OID.Equal(i.Digest.OID) {
		return nil, fmt.Errorf("%w: a token for another request", ErrService)
	}
	if err := t.VerifyDigest(i.Value); err != nil {
		return nil, err
	}
	return token, nil
}

// post sends one request, once.
func (c Client) post(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, ErrAddress
	}
	req.Header.Set("Content-Type", TypeQuery)
	req.Header.Set("Accept", TypeReply)
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrService, err)
	}
	defer resp.Body.Close()
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.StatusCode != http.StatusOK || err != nil || kind != TypeReply {
		return nil, fmt.Errorf("%w: status %d, type %.80q", ErrService, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil || len(b) > maxReply {
		return nil, fmt.Errorf("%w: reply cut off or too large", ErrService)
	}
	return b, nil
}
