package app

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/api"
	"github.com/yinxin-gov/yinxin/internal/api/oauth"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// openTokens builds the service of access tokens. Its keys are made when the
// first token is asked for.
func (h *House) openTokens() (err error) {
	h.Tokens, err = token.New(token.Config{
		Store: h.rooms.Tokens, Keyring: tokenKeys{h.custody}, Register: tokenRegister{h}, Issuer: "https://" + h.cfg.Public,
		Now: h.cfg.Now, NewID: newID, Actor: h.service(),
	})
	return err
}

// bearer looks at the access tokens of requests.
func (h *House) bearer(r api.Refusals) func(http.Handler) http.Handler {
	return api.Bearer(api.BearerConfig{
		Tokens: h.Tokens, Refusals: r, Scope: tokenScope, Metadata: h.Tokens.Issuer() + oauth.PathResource, Words: h.words, Log: h.cfg.Log,
	})
}

// tokenScope is what a path needs of a token. The paths that ACME, the step-ca
// API and the console have take none.
func tokenScope(path string) (string, bool) {
	switch {
	case strings.HasPrefix(path, "/access/"), strings.HasPrefix(path, wire.PathData):
		return token.ScopeDecide, true
	case strings.HasPrefix(path, "/api/"):
		return token.ScopeExchange, true
	}
	return "", false
}

func (h *House) mountTokens(r chi.Router) error {
	end, err := oauth.New(oauth.Config{Tokens: h.Tokens, Client: h.tokenClient, Log: h.cfg.Log})
	if err != nil {
		return err
	}
	for _, p := range oauth.Paths() {
		r.Handle(p, end)
	}
	return nil
}

// tokenClient is the system behind a connection over TLS. A caller over TLCP has
// no certificate that RFC 8705 could bind a token to.
func (h *House) tokenClient(r *http.Request) (token.Client, error) {
	chain := api.PeerChain(r.Context())
	if len(chain) < 2 {
		return token.Client{}, oauth.ErrClient
	}
	a, err := api.Peer(r.Context(), h.peers())
	if errors.Is(err, api.ErrPeer) || errors.Is(err, api.ErrNoPeer) {
		return token.Client{}, fmt.Errorf("%w: %w", oauth.ErrClient, err)
	}
	if err != nil {
		return token.Client{}, err
	}
	if guest, err := h.guest(r.Context(), a.ID); err != nil || guest {
		return token.Client{}, errors.Join(err, oauth.ErrGuest)
	}
	return token.Client{
		System: a.ID, Unit: a.Unit, Issuer: profile.IssuerID(chain[1].RawSubject, chain[1].RawSubjectPublicKeyInfo), Serial: a.Certificate,
		Thumbprint: sha256.Sum256(chain[0].Raw),
	}, nil
}

// tokenKeys keeps the keys of tokens in custody.
type tokenKeys struct{ custody *custody }

func (k tokenKeys) Make(ctx context.Context, id, algorithm string) (*ecdsa.PublicKey, error) {
	spec := keys.Spec{ID: id, Algorithm: keys.ECDSAP256, Purpose: keys.PurposeSign, Owner: "token"}
	if algorithm == token.SM2 {
		spec.Algorithm = keys.SM2
	}
	if _, err := k.custody.dir.Create(ctx, spec); err != nil && !errors.Is(err, keys.ErrExists) {
		return nil, err
	}
	return k.custody.public(ctx, id)
}

func (k tokenKeys) Signer(ctx context.Context, id string) (crypto.Signer, error) {
	return k.custody.opened(ctx, id)
}

// tokenRegister is the register of systems and certificates, for tokens.
type tokenRegister struct{ h *House }

func (r tokenRegister) System(ctx context.Context, id string) (bool, error) {
	_, err := r.h.rooms.Identity.System(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (r tokenRegister) Stands(ctx context.Context, system, issuer, serial string) (bool, error) {
	c, err := r.h.CA.Status(ctx, issuer, serial)
	if errors.Is(err, ca.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now := r.h.cfg.Now()
	if c.System != system || c.State != ca.StateGood || now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return false, nil
	}
	return r.System(ctx, system)
}
