package stepca

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/api/render"
	"go.step.sm/crypto/jose"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// keyChange replaces the key of an account (RFC 8555 7.3.5): the outer
// signature is by the old key, the inner one by the new.
func (s *acmeServer) keyChange(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	k, err := s.signed(ctx, r)
	if err != nil {
		return err
	}
	if err := s.acceptKey(ctx, k); err != nil {
		return err
	}
	s.linker.LinkAccount(ctx, k.account)
	w.Header().Set("Location", k.account.GetLocation())
	render.JSON(w, r, k.account)
	return nil
}

// acceptKey checks the inner signature and stores the new key.
func (s *acmeServer) acceptKey(ctx context.Context, k keyed) error {
	acc := k.account
	inner, head, err := parseJWS(string(k.payload))
	if err != nil {
		return err
	}
	next := head.JSONWebKey
	if next == nil || !next.Valid() || !next.IsPublic() || head.KeyID != "" || head.Nonce != "" || head.ExtraHeaders["url"] != k.here {
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
