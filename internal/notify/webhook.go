package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const maxHeaders = 16 << 10 // of an answer

// secretPrefix marks a secret as the libraries of Standard Webhooks read it.
const secretPrefix = "whsec_"

// refusedError: the receiver answered, and not with 2xx.
type refusedError struct{ code int }

func (e *refusedError) Error() string { return "notify: the receiver answered " + strconv.Itoa(e.code) }

// ours says that the fault is the notice's: later ones may be taken.
func (e *refusedError) ours() bool {
	return e.code >= 400 && e.code < 500 && e.code != http.StatusRequestTimeout && e.code != http.StatusTooEarly && e.code != http.StatusTooManyRequests
}

// sign is a signature of Standard Webhooks, version 1: HMAC-SHA-256 over id,
// time and body. The receiver needs a shared secret and a library that every
// language has; a signature of SM2 would need our chain and a library that few do.
func sign(secret []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// post sends one notice to a webhook. Each attempt has a connection of its own:
// the address of every one is checked.
func (s *Service) post(ctx context.Context, c Channel, d Delivery, body []byte) error {
	u, err := endpoint(Webhook, c.Address)
	if err != nil {
		return err
	}
	roots, err := pool(c.Roots)
	if err != nil {
		return err
	}
	secret, err := s.cfg.Wrapper.Unwrap(ctx, c.Secret, boundTo(c))
	if err != nil {
		return fmt.Errorf("notify: open the secret: %w", err)
	}
	defer clear(secret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: address", ErrInvalid)
	}
	now := s.cfg.Now()
	for k, v := range map[string]string{
		"Content-Type": "application/cloudevents+json; charset=utf-8", "User-Agent": "yinxin",
		"Webhook-Id": d.id(), "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10), "Webhook-Signature": sign(secret, d.id(), now, body),
	} {
		req.Header.Set(k, v)
	}
	way := s.transport(roots)
	defer way.CloseIdleConnections()
	client := &http.Client{
		Transport:     way,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("notify: send: %w", cause(err))
	}
	// What else the receiver says nobody reads: its status is the answer.
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &refusedError{res.StatusCode}
	}
	return nil
}

// transport uses no proxy of the environment: it would resolve names itself.
func (s *Service) transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext: s.guard.dialer().DialContext, TLSClientConfig: s.tls(roots), DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: maxHeaders,
	}
}

func (s *Service) tls(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Time: s.cfg.Now}
}

// cause leaves out the address, which url.Error repeats.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
