package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Judge reads a token that came to the house over a connection whose certificate
// has this DER. The caller has found the certificate good just now, so that only
// the token is looked up; that it stands is remembered for a second. It returns
// ErrToken, ErrScope, or ErrUnknown, with which the call must be refused too.
func (s *Service) Judge(ctx context.Context, raw string, certDER []byte, scope string) (Grant, error) {
	c, err := s.read(ctx, raw)
	if err != nil {
		return Grant{}, err
	}
	if c.Audience[0] != s.cfg.Issuer {
		return Grant{}, refused("another audience", nil)
	}
	if !c.boundTo(certDER) {
		return Grant{}, refused("bound to another certificate", nil)
	}
	g := c.grant()
	if err := s.standing(ctx, g); err != nil {
		return Grant{}, err
	}
	if !g.covers(scope) {
		return Grant{}, ErrScope
	}
	return g, nil
}

// refused is ErrToken with a reason that repeats nothing of the token.
func refused(why string, err error) error {
	if err == nil {
		return fmt.Errorf("%w: %s", ErrToken, why)
	}
	return fmt.Errorf("%w: %s: %w", ErrToken, why, err)
}

// read verifies form, signature, issuer and times.
func (s *Service) read(ctx context.Context, raw string) (claims, error) {
	if len(raw) > MaxSize {
		return claims{}, refused("too large", nil)
	}
	all, err := s.keysNow(ctx)
	if err != nil {
		return claims{}, err
	}
	var c claims
	keys := published(all, s.now())
	if _, err := s.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) { return keyFor(t, keys) }); err != nil {
		return claims{}, refused("parse", err)
	}
	if err := c.complete(); err != nil {
		return claims{}, err
	}
	return c, nil
}

var errHeader = errors.New("token: header")

// keyFor finds the key of a header. Nothing in a header brings a key along or
// chooses an algorithm: kid names one of ours, and the key says the algorithm
// (RFC 8725 3.1, 3.10, 3.11).
func keyFor(t *jwt.Token, keys []Key) (any, error) {
	if len(t.Header) != 3 || t.Header["typ"] != headerType {
		return nil, errHeader
	}
	id, _ := t.Header["kid"].(string)
	for _, k := range keys {
		if k.KID == id && k.Algorithm == t.Header["alg"] {
			return k.public()
		}
	}
	return nil, errHeader
}

// complete refuses what RFC 9068 requires and golang-jwt does not look at.
func (c claims) complete() error {
	switch {
	case c.ID == "" || c.Subject == "" || c.Subject != c.ClientID:
		return refused("incomplete", nil)
	case len(c.Audience) != 1:
		return refused("not for one audience", nil)
	case c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxLife:
		return refused("lives too long", nil)
	}
	return nil
}

// boundTo compares the thumbprint of RFC 8705 3.1 in constant time.
func (c claims) boundTo(certDER []byte) bool {
	want, err := base64.RawURLEncoding.Strict().DecodeString(c.Confirm.X5T)
	if err != nil || len(certDER) == 0 {
		return false
	}
	got := sha256.Sum256(certDER)
	return subtle.ConstantTimeCompare(want, got[:]) == 1
}

func (c claims) grant() Grant {
	return Grant{
		ID: c.ID, System: c.Subject, Audience: c.Audience[0], Scope: strings.Fields(c.Scope),
		IssuedAt: c.IssuedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	}
}

// standing looks whether a token is on record and not revoked.
func (s *Service) standing(ctx context.Context, g Grant) error {
	now := s.now()
	s.mu.Lock()
	seen, ok := s.known[g.ID]
	s.mu.Unlock()
	if since := now.Sub(seen); ok && since >= 0 && since < remember {
		return nil
	}
	if _, err := s.recorded(ctx, g); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[g.ID] = now
	return nil
}

// recorded is the row of a token that was not revoked.
func (s *Service) recorded(ctx context.Context, g Grant) (Grant, error) {
	row, err := s.cfg.Store.Grant(ctx, g.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return Grant{}, refused("not on record", nil)
	case err != nil:
		return Grant{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	case !row.RevokedAt.IsZero():
		return Grant{}, refused("revoked", nil)
	case row.System != g.System || row.Audience != g.Audience:
		return Grant{}, refused("not as recorded", nil)
	}
	return row, nil
}

// Introspect tells a system about a token that is for it, or that it was issued
// (RFC 7662): the grant, and the thumbprint that the presenter's certificate must
// have. Everything else is ErrToken. Here the certificate that the token is bound
// to is looked up as well, since the asker does not know our registry.
func (s *Service) Introspect(ctx context.Context, c Client, raw string) (Grant, string, error) {
	read, err := s.read(ctx, raw)
	if err != nil {
		return Grant{}, "", err
	}
	if read.Audience[0] != wire.SystemAudience(c.System) && read.Subject != c.System {
		return Grant{}, "", refused("of no concern to the asker", nil)
	}
	row, err := s.recorded(ctx, read.grant())
	if err != nil {
		return Grant{}, "", err
	}
	switch stands, err := s.cfg.Register.Stands(ctx, row.System, row.Issuer, row.Serial); {
	case err != nil:
		return Grant{}, "", fmt.Errorf("%w: %w", ErrUnknown, err)
	case !stands:
		return Grant{}, "", refused("its certificate does not stand", nil)
	}
	return row, read.Confirm.X5T, nil
}

// Revoke ends a token of c (RFC 7009). One that is over, unknown or no token at
// all is no error; another's is ErrOwner.
func (s *Service) Revoke(ctx context.Context, c Client, raw string) error {
	read, err := s.read(ctx, raw)
	if errors.Is(err, ErrToken) {
		return nil
	}
	if err != nil {
		return err
	}
	if read.Subject != c.System {
		return ErrOwner
	}
	ev := s.event("token.access.revoked", c.actor(""), ledger.Object{Kind: "token", ID: read.ID})
	_, err = s.cfg.Store.RevokeGrant(ctx, read.ID, s.now(), ev)
	s.mu.Lock()
	delete(s.known, read.ID)
	s.mu.Unlock()
	if errors.Is(err, ErrRevoked) || errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("token: revoke: %w", err)
	}
	return nil
}

// RevokeAll ends every token of a system at once, by an officer's word: on every node
// within a second. It can draw others while its certificate is good.
func (s *Service) RevokeAll(ctx context.Context, actor ledger.Actor, system, reason string) (ledger.Receipt, error) {
	switch known, err := s.cfg.Register.System(ctx, system); {
	case err != nil:
		return ledger.Receipt{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	case !known:
		return ledger.Receipt{}, fmt.Errorf("%w: system %q", ErrNotFound, system)
	}
	ev := s.event("token.system.revoked", actor, ledger.Object{Kind: "system", ID: system})
	ev.Details["reason"] = reason
	rc, err := s.cfg.Store.RevokeGrants(ctx, system, s.now(), ev)
	s.mu.Lock()
	clear(s.known)
	s.mu.Unlock()
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("token: revoke all: %w", err)
	}
	return rc, nil
}
