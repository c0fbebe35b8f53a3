package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// begin makes the keys and the request, which are on the disk before the token
// is sent: a lost answer is asked for again.
func begin(dir, token string) (p pending, err error) {
	sign, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return p, fmt.Errorf("agent: make signing key: %w", err)
	}
	tlsKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, fmt.Errorf("agent: make TLS key: %w", err)
	}
	if p.CSR, err = requestSM2(sign); err != nil {
		return p, err
	}
	p.Token = tokenDigest(token)
	if p.Sign, err = packKey(sign); err != nil {
		return p, err
	}
	if p.TLS, err = packKey(tlsKey); err != nil {
		return p, err
	}
	return p, p.save(dir, fileEnrolment)
}

// finish asks for what is not there yet. The one-time token of an earlier run may
// have ended: then the house is asked for another.
func (p *pending) finish(ctx context.Context, cfg Config, c *http.Client, base *url.URL, token string) (m material, err error) {
	before := p.Answer != nil
	if !before {
		if err := p.ask(ctx, cfg.Dir, c, base, token); err != nil {
			return m, err
		}
	}
	m, err = p.complete(ctx, cfg, c)
	if !before || p.CSR == nil || !errors.Is(err, ErrHalf) {
		return m, err
	}
	if err := p.ask(ctx, cfg.Dir, c, base, token); err != nil {
		if resumable(err) {
			return m, err
		}
		return m, fmt.Errorf("%w: %w", ErrHalf, err)
	}
	return p.complete(ctx, cfg, c)
}

// ask spends the token: the encryption key comes from the key management centre.
func (p *pending) ask(ctx context.Context, dir string, c *http.Client, base *url.URL, token string) error {
	var ans wire.EnrolAnswer
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { p.asked = true }})
	if err := call(ctx, c, http.MethodPost, base.JoinPath(wire.PathEnrol).String(), wire.EnrolRequest{Token: token, SM2CSR: p.CSR}, &ans); err != nil {
		return err
	}
	p.Answer = &ans
	return p.keep(dir)
}

// requestSM2 leaves the subject empty: it is what was approved, not what the
// request says.
func requestSM2(key *sm2.PrivateKey) ([]byte, error) {
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3}, key)
	if err != nil {
		return nil, fmt.Errorf("agent: make request: %w", err)
	}
	return csr, nil
}
