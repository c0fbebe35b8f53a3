package stepca

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
)

const secretSize = 32

// Wrapper is a key-encryption key in custody: a store never holds a MAC key that
// could bind an account. Associated data is bound.
type Wrapper interface {
	Wrap(ctx context.Context, key, associated []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, associated []byte) ([]byte, error)
}

// EAB is what an agency types into its ACME client, once. It is never kept in
// the clear.
type EAB struct {
	KID          string
	HMAC         string // base64url; binds one account
	TextPassword string // of KID as a user, for setting TXT records (dns-01)
	Expires      time.Time
}

// CreateEAB makes the external account key (外部账户绑定密钥) of the system of an
// approved request. It binds one account, within Config.KeyLife. A new key
// replaces one that was not bound yet; a request gives one key, ever
// (ca.ErrKeyGiven). Only the id of r is used, the rest is read from the registry.
// by is who draws it; zero: the system itself, by its token. It refuses as
// MintToken does.
func (a *Authority) CreateEAB(ctx context.Context, r ca.Request, by ledger.Actor) (EAB, error) {
	s := a.acme
	if s == nil {
		return EAB{}, fmt.Errorf("%w: ACME is not served", ErrConfig)
	}
	if err := a.life.Err(); err != nil {
		return EAB{}, fmt.Errorf("stepca: closed: %w", err)
	}
	r, err := a.approved(ctx, r.ID)
	if err == nil {
		_, _, err = a.admit(ctx, r, r.Hosts)
	}
	if by == (ledger.Actor{}) {
		by = systemActor(r)
	}
	if err != nil {
		return EAB{}, a.noKey(ctx, r, by, err)
	}
	kid, err := s.newID()
	if err != nil {
		return EAB{}, err
	}
	key, secret, err := drawSecret(a.rand)
	if err != nil {
		return EAB{}, err
	}
	_, password, err := drawSecret(a.rand)
	if err != nil {
		return EAB{}, err
	}
	wrapped, err := s.wrapper.Wrap(ctx, key, boundTo(kid))
	if err != nil {
		return EAB{}, fmt.Errorf("stepca: wrap external account key: %w", err)
	}
	now := a.now().UTC().Truncate(time.Microsecond)
	ev, err := newEvent(a.rand, now, "ca.acme_key.created", by, ledger.Object{Kind: "acme_key", ID: kid})
	if err != nil {
		return EAB{}, err
	}
	ev.Details["certificate_request"], ev.Details["approval"], ev.Details["system"] = r.ID, r.Approval, r.System
	out := EAB{KID: kid, HMAC: secret, TextPassword: password, Expires: now.Add(s.keyLife)}
	_, err = s.store.AddKey(ctx, acmestore.Key{
		ID: kid, System: r.System, Agency: r.Agency, Request: r.ID, HMAC: wrapped, TextHash: textHash(password), State: acmestore.KeyOpen,
		CreatedAt: now, ExpiresAt: out.Expires,
	}, ev)
	if errors.Is(err, acmestore.ErrExists) {
		return EAB{}, a.noKey(ctx, r, by, ca.ErrKeyGiven)
	}
	if err != nil {
		return EAB{}, fmt.Errorf("stepca: record external account key: %w", err)
	}
	return out, nil
}

// noKey records that a request which is there gave no key.
func (a *Authority) noKey(ctx context.Context, r ca.Request, by ledger.Actor, cause error) error {
	if r.ID == "" {
		return cause
	}
	return a.refused(ctx, "ca.acme_key.refused", by, ledger.Object{Kind: "certificate_request", ID: r.ID}, cause)
}

// boundTo is what a wrapped key is bound to.
func boundTo(kid string) []byte { return fmt.Appendf(nil, "yinxin acme key v1\n%s\n", kid) }

// drawSecret draws a key whose text does not begin with a dash: people type it
// on the command line of their client, which would take it for an option.
func drawSecret(rand io.Reader) (key []byte, text string, err error) {
	key = make([]byte, secretSize)
	for range 64 {
		if _, err := io.ReadFull(rand, key); err != nil {
			return nil, "", fmt.Errorf("stepca: draw secret: %w", err)
		}
		if text = base64.RawURLEncoding.EncodeToString(key); text[0] != '-' {
			return key, text, nil
		}
	}
	return nil, "", errors.New("stepca: draw secret: the source is not random")
}

// textHash is what is kept of a password; 256 random bits need no salt.
func textHash(password string) string {
	sum := sm3.Sum([]byte(password))
	return hex.EncodeToString(sum[:])
}

// textUser is the key whose holder knows the password, while its request is
// approved and its account, if it has one, is active.
func (s *acmeServer) textUser(ctx context.Context, kid, password string) (acmestore.Key, ca.Request, error) {
	k, err := s.store.Key(ctx, kid)
	if err != nil && !errors.Is(err, acmestore.ErrNotFound) {
		return k, ca.Request{}, err
	}
	if subtle.ConstantTimeCompare([]byte(textHash(password)), []byte(k.TextHash)) != 1 {
		return k, ca.Request{}, errPassword
	}
	switch k.State {
	case acmestore.KeyOpen:
		if !s.a.now().Before(k.ExpiresAt) {
			return k, ca.Request{}, errPassword
		}
	case acmestore.KeyBound:
		account, err := s.store.Account(ctx, k.Account)
		if err != nil {
			return k, ca.Request{}, err
		}
		if account.Status != acmestore.Valid {
			return k, ca.Request{}, errPassword
		}
	default:
		return k, ca.Request{}, errPassword
	}
	r, err := s.a.approved(ctx, k.Request)
	return k, r, err
}
