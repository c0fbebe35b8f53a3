package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/token"
)

// Tokens keeps access tokens, by id and never the token itself, and the public
// side of the keys that sign them.
type Tokens struct{ acts }

var _ token.Store = (*Tokens)(nil)

type tokenKeyRow struct {
	bun.BaseModel `bun:"table:token_key"`

	KID       string       `bun:"kid,pk"`
	Algorithm string       `bun:"algorithm"`
	Number    int64        `bun:"number"`
	Custody   string       `bun:"custody"`
	Public    []byte       `bun:"public"`
	CreatedAt bun.NullTime `bun:"created_at"`
}

func (r tokenKeyRow) key() token.Key {
	return token.Key{KID: r.KID, Algorithm: r.Algorithm, Number: int(r.Number), Custody: r.Custody, Public: r.Public, CreatedAt: utc(r.CreatedAt)}
}

// AddKey implements token.Store. Of two nodes that make one number the index
// refuses the second.
func (s *Tokens) AddKey(ctx context.Context, k token.Key, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &tokenKeyRow{
			KID: k.KID, Algorithm: k.Algorithm, Number: int64(k.Number), Custody: k.Custody, Public: k.Public, CreatedAt: at(k.CreatedAt),
		}, token.ErrExists, token.ErrNotFound, "token key", k.KID)
	})
}

// Keys implements token.Store.
func (s *Tokens) Keys(ctx context.Context) ([]token.Key, error) {
	out, err := list(ctx, s.s.r, tokenKeyRow.key, "created_at, algorithm, number", "1 = 1")
	if err != nil {
		return nil, fmt.Errorf("reading token keys: %w", err)
	}
	return out, nil
}

type tokenGrantRow struct {
	bun.BaseModel `bun:"table:token_grant"`

	ID        string       `bun:"id,pk"`
	System    string       `bun:"system"`
	Unit      string       `bun:"unit"`
	Audience  string       `bun:"audience"`
	Scope     string       `bun:"scope"`
	Issuer    string       `bun:"issuer"`
	Serial    string       `bun:"serial"`
	KID       string       `bun:"kid"`
	IssuedAt  bun.NullTime `bun:"issued_at"`
	ExpiresAt bun.NullTime `bun:"expires_at"`
	RevokedAt bun.NullTime `bun:"revoked_at"`
}

func (r tokenGrantRow) grant() token.Grant {
	return token.Grant{
		ID: r.ID, System: r.System, Unit: r.Unit, Audience: r.Audience, Scope: strings.Fields(r.Scope), Issuer: r.Issuer, Serial: r.Serial, KID: r.KID,
		IssuedAt: utc(r.IssuedAt), ExpiresAt: utc(r.ExpiresAt), RevokedAt: utc(r.RevokedAt),
	}
}

// AddGrant implements token.Store.
func (s *Tokens) AddGrant(ctx context.Context, g token.Grant, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &tokenGrantRow{
			ID: g.ID, System: g.System, Unit: g.Unit, Audience: g.Audience, Scope: strings.Join(g.Scope, " "), Issuer: g.Issuer, Serial: g.Serial, KID: g.KID,
			IssuedAt: at(g.IssuedAt), ExpiresAt: at(g.ExpiresAt), RevokedAt: at(g.RevokedAt),
		}, token.ErrExists, token.ErrNotFound, "token", g.ID)
	})
}

// Grant implements token.Store.
func (s *Tokens) Grant(ctx context.Context, id string) (token.Grant, error) {
	r, err := one[tokenGrantRow](ctx, s.s.r, "id = ?", id)
	return r.grant(), found(err, token.ErrNotFound, "token", id)
}

// RevokeGrant implements token.Store: the guarded update decides who did it.
func (s *Tokens) RevokeGrant(ctx context.Context, id string, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE token_grant SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", at(when), id)
		if err != nil {
			return fmt.Errorf("revoking token %q: %w", id, err)
		}
		if n == 1 {
			return nil
		}
		if _, err := one[tokenGrantRow](ctx, tx, "id = ?", id); err != nil {
			return found(err, token.ErrNotFound, "token", id)
		}
		return fmt.Errorf("%w: %q", token.ErrRevoked, id)
	})
}

// ForgetGrants implements token.Store.
func (s *Tokens) ForgetGrants(ctx context.Context, before time.Time) error {
	err := retried(ctx, func() error {
		_, err := changed(ctx, s.s.w, "DELETE FROM token_grant WHERE expires_at < ?", at(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting ended tokens: %w", err)
	}
	return nil
}
