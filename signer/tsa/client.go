package tsa

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// maxReply bounds what a service may answer: a token with a long chain.
const maxReply = 64 << 10

// ErrService: the service did not answer as RFC 3161 wants it.
var ErrService = errors.New("tsa: no usable answer of the time-stamp service")

// Client asks a time-stamp service.
type Client struct {
	URL    string
	HTTP   *http.Client      // its timeout and trust are the caller's; required
	Digest signeddata.Digest // of the imprint
}

// Stamp returns a token over value, after checking that it is over this value and
// this request, and that the signature holds. Whether the service is trusted is
// for whoever verifies the document.
func (c Client) Stamp(ctx context.Context, value []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("tsa: nonce: %w", err)
	}
	der, err := tsp.Request{Imprint: tsp.Over(c.Digest, value), Nonce: nonce, Certs: true}.DER()
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
	if t.Nonce == nil || t.Nonce.Cmp(nonce) != 0 || !t.Imprint.Digest.OID.Equal(c.Digest.OID) {
		return nil, fmt.Errorf("%w: a token for another request", ErrService)
	}
	if err := t.Verify(value); err != nil {
		return nil, err
	}
	return token, nil
}

func (c Client) post(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrService, err)
	}
	req.Header.Set("Content-Type", TypeQuery)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrService, err)
	}
	defer resp.Body.Close()
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.StatusCode != http.StatusOK || err != nil || kind != TypeReply {
		return nil, fmt.Errorf("%w: status %d, type %q", ErrService, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil || len(b) > maxReply {
		return nil, fmt.Errorf("%w: reply cut off or too large", ErrService)
	}
	return b, nil
}
