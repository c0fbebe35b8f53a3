package stepca

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"

	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/api/render"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// keyChange replaces the key of an account (RFC 8555 7.3.5): the outer
// signature is by the old key, the inner one by the new. smallstep has no such
// handler and keeps the parts of its others to itself.
func (s *acmeServer) keyChange(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	nonce, err := acmeDB{s}.CreateNonce(ctx)
	if err != nil {
		render.Error(w, r, err)
		return
	}
	w.Header().Set("Replay-Nonce", nonce.String())
	acc, err := s.rollOver(ctx, r)
	if err != nil {
		render.Error(w, r, problem(err))
		return
	}
	s.linker.LinkAccount(ctx, acc)
	w.Header().Set("Location", acc.GetLocation())
	render.JSON(w, r, acc)
}

func (s *acmeServer) rollOver(ctx context.Context, r *http.Request) (*acme.Account, error) {
	if r.Header.Get("Content-Type") != "application/jose+json" {
		return nil, malformed("content type must be application/jose+json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, malformed("the request is too large or broken off")
	}
	outer, head, err := parseJWS(string(body))
	if err != nil {
		return nil, err
	}
	if err := (acmeDB{s}).DeleteNonce(ctx, acme.Nonce(head.Nonce)); err != nil {
		return nil, err
	}
	here := (&url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path}).String()
	if head.ExtraHeaders["url"] != here || head.JSONWebKey != nil || head.KeyID == "" {
		return nil, malformed("the outer signature must name this url and the account")
	}
	acc, err := acmeDB{s}.GetAccount(ctx, path.Base(head.KeyID))
	if acme.IsErrNotFound(err) {
		return nil, acme.NewError(acme.ErrorAccountDoesNotExistType, "no such account")
	}
	if err != nil {
		return nil, err
	}
	if !acc.IsValid() || acc.GetLocation() != head.KeyID {
		return nil, acme.NewError(acme.ErrorUnauthorizedType, "account is not active, or named otherwise")
	}
	payload, err := outer.Verify(acc.Key)
	if err != nil {
		return nil, malformed("the outer signature is wrong")
	}
	return acc, s.acceptKey(ctx, acc, here, payload)
}

// acceptKey checks the inner signature and stores the new key.
func (s *acmeServer) acceptKey(ctx context.Context, acc *acme.Account, here string, payload []byte) error {
	inner, head, err := parseJWS(string(payload))
	if err != nil {
		return err
	}
	next := head.JSONWebKey
	if next == nil || !next.Valid() || !next.IsPublic() || head.KeyID != "" || head.Nonce != "" || head.ExtraHeaders["url"] != here {
		return malformed("the inner signature must name the same url and the new key")
	}
	claim, err := inner.Verify(next)
	if err != nil {
		return malformed("the inner signature is wrong")
	}
	var change struct {
		Account string           `json:"account"`
		OldKey  *jose.JSONWebKey `json:"oldKey"`
	}
	if err := json.Unmarshal(claim, &change); err != nil || change.OldKey == nil || !change.OldKey.Valid() {
		return malformed("the inner payload is not a key change")
	}
	v := visitOf(ctx)
	was, err := acme.KeyToID(change.OldKey)
	if err != nil {
		return err
	}
	if change.Account != acc.GetLocation() || was != v.owner.Thumbprint {
		return malformed("the key change is about another account or key")
	}
	thumbprint, err := acme.KeyToID(next)
	if err != nil {
		return err
	}
	next.KeyID = thumbprint
	jwk, err := json.Marshal(next)
	if err != nil {
		return err
	}
	ev, err := s.event(v, "ca.acme_account.key_changed", v.actor(), ledger.Object{Kind: "acme_account", ID: acc.ID}, v.owner.Request)
	if err != nil {
		return err
	}
	_, err = s.store.RollAccount(ctx, acc.ID, was, thumbprint, jwk, ev)
	switch {
	case errors.Is(err, acmestore.ErrExists):
		e := acme.NewDetailedError(acme.ErrorMalformedType, "the new key is already registered")
		e.Status = http.StatusConflict
		return e
	case errors.Is(err, acmestore.ErrState):
		return acme.NewError(acme.ErrorUnauthorizedType, "account is not active, or has another key by now")
	}
	return err
}

// parseJWS reads a JWS with one signature by a public key algorithm that we
// take for accounts.
func parseJWS(text string) (*jose.JSONWebSignature, jose.Header, error) {
	jws, err := jose.ParseJWS(text)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, jose.Header{}, malformed("not a JWS with one signature")
	}
	head := jws.Signatures[0].Protected
	switch head.Algorithm {
	case jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
		return jws, head, nil
	}
	return nil, head, acme.NewError(acme.ErrorBadSignatureAlgorithmType, "unsuitable algorithm")
}

func malformed(text string) error {
	return acme.NewDetailedError(acme.ErrorMalformedType, "%s", text)
}
