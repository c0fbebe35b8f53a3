package agent

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

// Delivery is an opened envelope.
type Delivery struct {
	Header   wire.Header
	Document []byte
}

// Fetch gets the envelope of a transfer over mTLS, checks the house's
// signature, the addressee and the digest, and decrypts.
func (a *Agent) Fetch(ctx context.Context, transfer string) (Delivery, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base.JoinPath(wire.PathTransfers, url.PathEscape(transfer), "envelope").String(), nil)
	if err != nil {
		return Delivery{}, fmt.Errorf("agent: %w", err)
	}
	raw, err := do(a.http, req, maxEnvelope)
	if err != nil {
		return Delivery{}, err
	}
	return a.open(ctx, raw, transfer)
}

func (a *Agent) open(ctx context.Context, raw []byte, transfer string) (Delivery, error) {
	headerRaw, inner, signerDER, err := cms.OpenEnvelope(raw)
	if err != nil {
		return Delivery{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if err := a.vouched(ctx, signerDER); err != nil {
		return Delivery{}, fmt.Errorf("%w: signer: %w", ErrEnvelope, err)
	}
	h, err := wire.ParseHeader(headerRaw)
	if err != nil {
		return Delivery{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if h.Transfer != transfer || h.System != a.cfg.System {
		return Delivery{}, fmt.Errorf("%w: it is for transfer %.80q of %.80q", ErrEnvelope, h.Transfer, h.System)
	}
	var doc []byte
	for _, e := range a.encs { // the pair in force first
		if doc, err = cms.Decrypt(inner, e.cert.Raw, e.key); !errors.Is(err, cms.ErrRecipient) {
			break
		}
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if subtle.ConstantTimeCompare([]byte(sm3Hex(doc)), []byte(h.Document)) != 1 {
		return Delivery{}, fmt.Errorf("%w: the document is not the one in the header", ErrEnvelope)
	}
	return Delivery{Header: h, Document: doc}, nil
}

// Confirm signs the receipt of a delivery and hands it in (收讫确认, 电子签名法 art. 10).
func (a *Agent) Confirm(ctx context.Context, d Delivery) (wire.Transfer, error) {
	sig, err := a.m.sign.SignWithSM2(rand.Reader, nil, wire.ReceiptPayload(d.Header.Transfer, d.Header.Document))
	if err != nil {
		return wire.Transfer{}, fmt.Errorf("agent: sign receipt: %w", err)
	}
	var t wire.Transfer
	return t, call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathTransfers, url.PathEscape(d.Header.Transfer), "receipt").String(), wire.ReceiptRequest{Signature: sig}, &t)
}

func sm3Hex(b []byte) string {
	sum := sm3.Sum(b)
	return hex.EncodeToString(sum[:])
}
