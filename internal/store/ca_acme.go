package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

// ACME is what the ACME server of the agency CA remembers.
type ACME struct{ acts }

var _ acmestore.Store = (*ACME)(nil)

// acmeKeyRow: OpenSystem is the system while the key is open and NULL
// afterwards, so that its unique index allows one open key a system.
type acmeKeyRow struct {
	bun.BaseModel `bun:"table:acme_key"`

	ID         string         `bun:"id,pk"`
	System     string         `bun:"system"`
	Agency     string         `bun:"agency"`
	Request    string         `bun:"request"`
	HMAC       []byte         `bun:"hmac"`
	State      string         `bun:"state"`
	OpenSystem sql.NullString `bun:"open_system"`
	Account    string         `bun:"account"`
	CreatedAt  bun.NullTime   `bun:"created_at"`
	ExpiresAt  bun.NullTime   `bun:"expires_at"`
	BoundAt    bun.NullTime   `bun:"bound_at"`
}

func (r acmeKeyRow) key() acmestore.Key {
	return acmestore.Key{
		ID: r.ID, System: r.System, Agency: r.Agency, Request: r.Request, HMAC: r.HMAC, State: acmestore.KeyState(r.State),
		Account: r.Account, CreatedAt: utc(r.CreatedAt), ExpiresAt: utc(r.ExpiresAt), BoundAt: utc(r.BoundAt),
	}
}

type acmeAccountRow struct {
	bun.BaseModel `bun:"table:acme_account"`

	ID         string           `bun:"id,pk"`
	Thumbprint string           `bun:"thumbprint"`
	JWK        []byte           `bun:"jwk"`
	Contact    nested[[]string] `bun:"contact"`
	Status     string           `bun:"status"`
	Location   string           `bun:"location"`
	KeyID      string           `bun:"key_id"`
	System     string           `bun:"system"`
	Agency     string           `bun:"agency"`
	Request    string           `bun:"request"`
	CreatedAt  bun.NullTime     `bun:"created_at"`
}

func (r acmeAccountRow) account() acmestore.Account {
	return acmestore.Account{
		ID: r.ID, Thumbprint: r.Thumbprint, JWK: r.JWK, Contact: r.Contact.V, Status: acmestore.Status(r.Status),
		Location: r.Location, Key: r.KeyID, System: r.System, Agency: r.Agency, Request: r.Request, CreatedAt: utc(r.CreatedAt),
	}
}

type acmeNonceRow struct {
	bun.BaseModel `bun:"table:acme_nonce"`

	ID        string `bun:"id,pk"`
	ExpiresUS int64  `bun:"expires_us"`
}

// AddKey implements acmestore.Keys. Of two callers for one system at once, the
// unique index lets one through.
func (a *ACME) AddKey(ctx context.Context, k acmestore.Key, ev ledger.Event) (ledger.Receipt, error) {
	if k.State != acmestore.KeyOpen || len(k.HMAC) == 0 || k.Account != "" || k.System == "" || k.Request == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: key %q is not a new one", acmestore.ErrState, k.ID)
	}
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		_, err := changed(ctx, tx, "UPDATE acme_key SET state = ?, hmac = NULL, open_system = NULL WHERE open_system = ?",
			string(acmestore.KeyReplaced), k.System)
		if err != nil {
			return fmt.Errorf("replacing the open key of %q: %w", k.System, err)
		}
		err = insert(ctx, tx, &acmeKeyRow{
			ID: k.ID, System: k.System, Agency: k.Agency, Request: k.Request, HMAC: k.HMAC, State: string(k.State),
			OpenSystem: optional(k.System), CreatedAt: at(k.CreatedAt), ExpiresAt: at(k.ExpiresAt),
		}, acmestore.ErrExists, acmestore.ErrNotFound, "external account key", k.ID)
		if err != nil || k.TextHash == "" {
			return err
		}
		return insert(ctx, tx, &acmeTextSecretRow{Key: k.ID, Hash: k.TextHash},
			acmestore.ErrExists, acmestore.ErrNotFound, "text secret of key", k.ID)
	})
}

// Key implements acmestore.Keys.
func (a *ACME) Key(ctx context.Context, id string) (acmestore.Key, error) {
	r, err := one[acmeKeyRow](ctx, a.s.r, "id = ?", id)
	if err != nil {
		return acmestore.Key{}, found(err, acmestore.ErrNotFound, "external account key", id)
	}
	k := r.key()
	secret, err := one[acmeTextSecretRow](ctx, a.s.r, "key_id = ?", id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return acmestore.Key{}, fmt.Errorf("reading the text secret of key %q: %w", id, err)
	}
	k.TextHash = secret.Hash
	return k, nil
}

// Bind implements acmestore.Accounts: the guarded update decides who bound it.
func (a *ACME) Bind(ctx context.Context, c acmestore.Account, now time.Time, ev ledger.Event) (ledger.Receipt, error) {
	if c.Status != acmestore.Valid {
		return ledger.Receipt{}, fmt.Errorf("%w: account %q starts as %q", acmestore.ErrState, c.ID, c.Status)
	}
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, `UPDATE acme_key SET state = ?, hmac = NULL, open_system = NULL, account = ?, bound_at = ?
			WHERE id = ? AND state = ?`,
			string(acmestore.KeyBound), c.ID, at(now), c.Key, string(acmestore.KeyOpen))
		if err != nil {
			return fmt.Errorf("binding a key: %w", err)
		}
		if n != 1 {
			return fmt.Errorf("%w: %q", acmestore.ErrKey, c.Key)
		}
		k, err := one[acmeKeyRow](ctx, tx, "id = ?", c.Key)
		if err != nil {
			return found(err, acmestore.ErrKey, "external account key", c.Key)
		}
		if !now.Before(utc(k.ExpiresAt)) || k.System != c.System || k.Agency != c.Agency || k.Request != c.Request {
			return fmt.Errorf("%w: %q is expired or another system's", acmestore.ErrKey, c.Key)
		}
		return insert(ctx, tx, &acmeAccountRow{
			ID: c.ID, Thumbprint: c.Thumbprint, JWK: c.JWK, Contact: nested[[]string]{c.Contact}, Status: string(c.Status),
			Location: c.Location, KeyID: c.Key, System: c.System, Agency: c.Agency, Request: c.Request, CreatedAt: at(c.CreatedAt),
		}, acmestore.ErrExists, acmestore.ErrKey, "account", c.ID)
	})
}

// Account implements acmestore.Accounts.
func (a *ACME) Account(ctx context.Context, id string) (acmestore.Account, error) {
	r, err := one[acmeAccountRow](ctx, a.s.r, "id = ?", id)
	return r.account(), found(err, acmestore.ErrNotFound, "account", id)
}

// AccountByThumbprint implements acmestore.Accounts.
func (a *ACME) AccountByThumbprint(ctx context.Context, thumbprint string) (acmestore.Account, error) {
	r, err := one[acmeAccountRow](ctx, a.s.r, "thumbprint = ?", thumbprint)
	return r.account(), found(err, acmestore.ErrNotFound, "account of key", thumbprint)
}

// UpdateAccount implements acmestore.Accounts.
func (a *ACME) UpdateAccount(ctx context.Context, c acmestore.Account, ev ledger.Event) (ledger.Receipt, error) {
	if c.Status != acmestore.Valid && c.Status != acmestore.Deactivated {
		return ledger.Receipt{}, fmt.Errorf("%w: no account becomes %q", acmestore.ErrState, c.Status)
	}
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE acme_account SET contact = ?, status = ? WHERE id = ? AND status = ?",
			nested[[]string]{c.Contact}, string(c.Status), c.ID, string(acmestore.Valid))
		return a.guarded(n, err, "account", c.ID)
	})
}

// RollAccount implements acmestore.Accounts.
func (a *ACME) RollAccount(ctx context.Context, id, was, thumbprint string, jwk []byte, ev ledger.Event) (ledger.Receipt, error) {
	return a.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE acme_account SET thumbprint = ?, jwk = ? WHERE id = ? AND thumbprint = ? AND status = ?",
			thumbprint, jwk, id, was, string(acmestore.Valid))
		if isDuplicate(err) {
			return fmt.Errorf("%w: the new key of account %q", acmestore.ErrExists, id)
		}
		return a.guarded(n, err, "account", id)
	})
}

// guarded turns the outcome of a guarded update into this room's.
func (*ACME) guarded(n int64, err error, what, id string) error {
	switch {
	case err != nil:
		return fmt.Errorf("changing %s %q: %w", what, id, err)
	case n != 1:
		return fmt.Errorf("%w: %s %q", acmestore.ErrState, what, id)
	}
	return nil
}

// AddNonce implements acmestore.Nonces.
func (a *ACME) AddNonce(ctx context.Context, id string, expires time.Time) error {
	return retried(ctx, func() error {
		_, err := a.s.w.NewInsert().Model(&acmeNonceRow{ID: id, ExpiresUS: expires.UnixMicro()}).Exec(ctx)
		return err
	})
}

// UseNonce implements acmestore.Nonces: who deletes the row has used it.
func (a *ACME) UseNonce(ctx context.Context, id string, now time.Time) (bool, error) {
	var n int64
	err := retried(ctx, func() (err error) {
		n, err = changed(ctx, a.s.w, "DELETE FROM acme_nonce WHERE id = ? AND expires_us > ?", id, now.UnixMicro())
		return err
	})
	if err != nil {
		return false, fmt.Errorf("using a nonce: %w", err)
	}
	return n == 1, nil
}

// DropNonces implements acmestore.Nonces.
func (a *ACME) DropNonces(ctx context.Context, before time.Time) error {
	return retried(ctx, func() error {
		_, err := changed(ctx, a.s.w, "DELETE FROM acme_nonce WHERE expires_us < ?", before.UnixMicro())
		return err
	})
}
