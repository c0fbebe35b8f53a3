package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Times of a signing key.
const (
	keyLife = 90 * 24 * time.Hour
	// keyLead is how long a new key is published before it signs: whoever keeps the
	// key set has fetched it again by then (KeySetAge).
	keyLead = time.Hour
	// KeySetAge is how long the key set may be kept.
	KeySetAge = 5 * time.Minute
)

// JWK is a public key (RFC 7517).
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
}

// KeySet is what /.well-known/jwks.json holds. SM2 keys stand in a member of their
// own, which RFC 7517 section 5 lets a client ignore: many libraries refuse a
// whole set for one curve that they do not know.
type KeySet struct {
	Keys []JWK `json:"keys"`
	SM2  []JWK `json:"x_yinxin_sm2_keys,omitempty"`
}

// curveName is "crv": P-256 of RFC 7518, sm2p256v1 of GM/T 0125.1.
func curveName(alg string) string {
	if alg == SM2 {
		return "sm2p256v1"
	}
	return "P-256"
}

func (k Key) jwk() JWK {
	b64 := base64.RawURLEncoding.EncodeToString
	return JWK{Kty: "EC", Crv: curveName(k.Algorithm), X: b64(k.Public[1 : 1+half]), Y: b64(k.Public[1+half:]), Kid: k.KID, Use: "sig", Alg: k.Algorithm}
}

// kid is the thumbprint of RFC 7638; for SM2 with the same members.
func kid(j JWK) string {
	sum := sha256.Sum256([]byte(`{"crv":"` + j.Crv + `","kty":"` + j.Kty + `","x":"` + j.X + `","y":"` + j.Y + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (k Key) public() (*ecdsa.PublicKey, error) {
	if k.Algorithm == SM2 {
		return sm2.NewPublicKey(k.Public)
	}
	return ecdsa.ParseUncompressedPublicKey(curveOf(k.Algorithm), k.Public)
}

// KeySet is every key that tokens in force may be signed with, and the next one.
func (s *Service) KeySet(ctx context.Context) (KeySet, error) {
	all, err := s.keysNow(ctx)
	if err != nil {
		return KeySet{}, err
	}
	out := KeySet{Keys: []JWK{}}
	for _, k := range published(all, s.now()) {
		if k.Algorithm == SM2 {
			out.SM2 = append(out.SM2, k.jwk())
		} else {
			out.Keys = append(out.Keys, k.jwk())
		}
	}
	return out, nil
}

// keysNow are the keys as they were at most a moment ago.
func (s *Service) keysNow(ctx context.Context) ([]Key, error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.looked); s.keys != nil && since >= 0 && since < remember {
		return s.keys, nil
	}
	all, err := s.cfg.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: keys: %w", ErrUnknown, err)
	}
	s.keys, s.looked = all, now
	return all, nil
}

// published leaves out what was followed by another key so long ago that none of
// its tokens is in force. all is oldest first.
func published(all []Key, now time.Time) (out []Key) {
	for i, k := range all {
		over := false
		for _, next := range all[i+1:] {
			over = over || next.Algorithm == k.Algorithm && now.After(next.CreatedAt.Add(keyLead+MaxLife+leeway))
		}
		if !over {
			out = append(out, k)
		}
	}
	return out
}

// signing is the key to sign with: the newest that has been published long
// enough, or the first of all.
func signing(all []Key, alg string, now time.Time) (best Key, ok bool) {
	for _, k := range all {
		if k.Algorithm == alg && (!ok || !now.Before(k.CreatedAt.Add(keyLead))) {
			best, ok = k, true
		}
	}
	return best, ok
}

// signer is the key in force of an algorithm; the first one is made when it is
// asked for.
func (s *Service) signer(ctx context.Context, alg string) (Key, crypto.Signer, error) {
	all, err := s.keysNow(ctx)
	if err != nil {
		return Key{}, nil, err
	}
	k, ok := signing(all, alg, s.now())
	if !ok {
		if k, err = s.make(ctx, alg, 0); err != nil {
			return Key{}, nil, err
		}
	}
	signer, err := s.cfg.Keyring.Signer(ctx, k.Custody)
	if err != nil {
		return Key{}, nil, fmt.Errorf("token: signing key %s: %w", k.Custody, err)
	}
	return k, signer, nil
}

// make makes the key after number have, or finds the one that another node made.
func (s *Service) make(ctx context.Context, alg string, have int) (Key, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if k, ok, err := s.numbered(ctx, alg, have+1); ok || err != nil {
		return k, err
	}
	id := map[string]string{ES256: "token-es256-", SM2: "token-sm2-"}[alg] + strconv.Itoa(have+1)
	pub, err := s.cfg.Keyring.Make(ctx, id, alg)
	if err != nil {
		return Key{}, fmt.Errorf("token: make signing key %s: %w", id, err)
	}
	spki, err := smx509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return Key{}, fmt.Errorf("token: signing key %s: %w", id, err)
	}
	point := spki[len(spki)-1-2*half:] // both curves; the form that public reads again
	k := Key{Number: have + 1, Algorithm: alg, Custody: id, Public: point, CreatedAt: s.now().Truncate(time.Microsecond)}
	k.KID = kid(k.jwk())
	ev := s.event("token.key.made", s.cfg.Actor, ledger.Object{Kind: "key", ID: id})
	ev.Class = ledger.ClassAdmin
	ev.Details["kid"], ev.Details["algorithm"] = k.KID, alg
	if _, err = s.cfg.Store.AddKey(ctx, k, ev); err != nil && !errors.Is(err, ErrExists) {
		return Key{}, fmt.Errorf("token: record signing key %s: %w", id, err)
	}
	k, ok, err := s.numbered(ctx, alg, have+1)
	if err == nil && !ok {
		err = fmt.Errorf("%w: signing key %s", ErrNotFound, id)
	}
	return k, err
}

// numbered reads past what is remembered.
func (s *Service) numbered(ctx context.Context, alg string, n int) (Key, bool, error) {
	s.mu.Lock()
	s.keys = nil
	s.mu.Unlock()
	all, err := s.keysNow(ctx)
	if err != nil {
		return Key{}, false, err
	}
	for _, k := range all {
		if k.Algorithm == alg && k.Number == n {
			return k, true, nil
		}
	}
	return Key{}, false, nil
}

// Round makes the next key of each algorithm that is in use once the newest one
// is old, and forgets tokens that have ended.
func (s *Service) Round(ctx context.Context) error {
	all, err := s.keysNow(ctx)
	if err != nil {
		return err
	}
	newest := map[string]Key{}
	for _, k := range all {
		newest[k.Algorithm] = k
	}
	for alg, k := range newest {
		if s.now().Before(k.CreatedAt.Add(keyLife)) {
			continue
		}
		if _, err := s.make(ctx, alg, k.Number); err != nil {
			return err
		}
	}
	if err := s.cfg.Store.ForgetGrants(ctx, s.now().Add(-24*time.Hour)); err != nil {
		return fmt.Errorf("token: forget ended tokens: %w", err)
	}
	return nil
}
