package agent

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Bounds of a call: the largest document takes minutes on a slow line.
const (
	callTimeout = 3 * time.Minute
	maxAnswer   = 8 << 20
	maxEnvelope = 96 << 20
	maxShown    = 400 // of an answer's text in an error
)

// ProblemError is an RFC 9457 answer, one of the token endpoint, or any other that
// is not 2xx: then only Status and Title are set.
type ProblemError struct{ wire.Problem }

// Error shows status, code and detail, in bounded length.
func (e *ProblemError) Error() string {
	return fmt.Sprintf("%v: %d %.*s: %.*s", ErrRefused, e.Status, maxShown, e.Code, maxShown, e.Detail)
}

func (e *ProblemError) Unwrap() error { return ErrRefused }

// call sends in as JSON and decodes a 2xx answer into out.
func call(ctx context.Context, c *http.Client, method, target string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("agent: encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	raw, err := do(c, req, maxAnswer)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%w: answer: %w", ErrServer, err)
	}
	return nil
}

// unreachable tells a server that is away from one whose certificate has ended
// by this machine's clock, which is more often the clock's fault.
func unreachable(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: %w: %w", ErrServer, ErrClock, err)
	}
	return fmt.Errorf("%w: %w", ErrServer, err)
}

// do reads at most limit bytes and turns a non-2xx answer into a ProblemError.
func do(c *http.Client, req *http.Request, limit int64) ([]byte, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer resp.Body.Close()
	good := resp.StatusCode/100 == 2
	if !good {
		limit = maxAnswer
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: read answer: %w", ErrServer, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: answer is larger than %d bytes", ErrServer, limit)
	}
	if good {
		return raw, nil
	}
	p := &ProblemError{}
	if json.Unmarshal(raw, &p.Problem) != nil || p.Code == "" {
		p.Problem = wire.Problem{Code: "http"}
		var oauth wire.TokenError
		if json.Unmarshal(raw, &oauth) == nil && oauth.Code != "" {
			p.Problem = wire.Problem{Code: "oauth." + oauth.Code, Detail: oauth.Why}
		}
	}
	// What was answered counts, not what the body says of it.
	p.Status, p.Title = resp.StatusCode, http.StatusText(resp.StatusCode)
	if p.Detail == "" {
		p.Detail = p.Title
	}
	return nil, p
}
