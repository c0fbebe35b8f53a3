package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/internal/token/tokentest"
)

// The attacks of RFC 8725 section 2 and 3, each on a token that would be good
// without it, of either algorithm.
func TestAttacksOnTokensAreRefused(t *testing.T) {
	type made struct{ head, body map[string]any }
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	point, err := stranger.PublicKey.Bytes()
	ok(t, err)
	own := map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	attacks := map[string]func(m made, key crypto.Signer, raw string) string{
		"2.1 alg none, no signature": func(m made, _ crypto.Signer, raw string) string {
			m.head["alg"] = "none"
			h, _ := json.Marshal(m.head)
			return b64(h) + "." + strings.Split(raw, ".")[1] + "."
		},
		"2.1 HS256 with the public key": func(m made, key crypto.Signer, raw string) string {
			m.head["alg"] = "HS256"
			h, _ := json.Marshal(m.head)
			text := b64(h) + "." + strings.Split(raw, ".")[1]
			pub, _ := key.Public().(*ecdsa.PublicKey).Bytes()
			mac := hmac.New(sha256.New, pub)
			mac.Write([]byte(text))
			return text + "." + b64(mac.Sum(nil))
		},
		"2.1 the algorithm of the other curve": func(m made, key crypto.Signer, _ string) string {
			m.head["alg"] = map[any]string{"ES256": token.SM2, token.SM2: "ES256"}[m.head["alg"]]
			return signed(t, key, m.head, m.body)
		},
		"2.1 ES256K": func(m made, key crypto.Signer, _ string) string {
			m.head["alg"] = "ES256K"
			return signed(t, key, m.head, m.body)
		},
		"2.1 lower case": func(m made, key crypto.Signer, _ string) string {
			m.head["alg"] = "es256"
			return signed(t, key, m.head, m.body)
		},
		"2.2 another key": func(m made, _ crypto.Signer, _ string) string { return signed(t, stranger, m.head, m.body) },
		"2.2 a signature of zeros": func(_ made, _ crypto.Signer, raw string) string {
			return raw[:strings.LastIndex(raw, ".")+1] + b64(make([]byte, 64))
		},
		"2.2 no signature": func(_ made, _ crypto.Signer, raw string) string { return raw[:strings.LastIndex(raw, ".")+1] },
		"2.2 a changed claim": func(m made, _ crypto.Signer, raw string) string {
			m.body["sub"] = "civil-b"
			b, _ := json.Marshal(m.body)
			p := strings.Split(raw, ".")
			return p[0] + "." + b64(b) + "." + p[2]
		},
		"2.3 JWE in five parts": func(_ made, _ crypto.Signer, raw string) string { return raw + ".a.b" },
		"2.4 padding":           func(_ made, _ crypto.Signer, raw string) string { return raw + "==" },
		"2.6 a part more":       func(_ made, _ crypto.Signer, raw string) string { return raw + "." },
		"2.7 another audience": func(m made, k crypto.Signer, _ string) string {
			m.body["aud"] = "https://b"
			return signed(t, k, m.head, m.body)
		},
		"2.7 two audiences": func(m made, k crypto.Signer, _ string) string {
			m.body["aud"] = []string{tokentest.Issuer, "b"}
			return signed(t, k, m.head, m.body)
		},
		"2.7 no audience": func(m made, k crypto.Signer, _ string) string {
			delete(m.body, "aud")
			return signed(t, k, m.head, m.body)
		},
		"2.8 an ID token": func(m made, k crypto.Signer, _ string) string {
			m.head["typ"] = "JWT"
			return signed(t, k, m.head, m.body)
		},
		"2.8 no type": func(m made, k crypto.Signer, _ string) string {
			delete(m.head, "typ")
			return signed(t, k, m.head, m.body)
		},
		"3.8 another issuer": func(m made, k crypto.Signer, _ string) string {
			m.body["iss"] = "https://evil"
			return signed(t, k, m.head, m.body)
		},
		"3.8 another subject": func(m made, k crypto.Signer, _ string) string {
			m.body["sub"] = "civil-b"
			return signed(t, k, m.head, m.body)
		},
		"3.10 kid of nobody": func(m made, k crypto.Signer, _ string) string {
			m.head["kid"] = "../../dev/null"
			return signed(t, k, m.head, m.body)
		},
		"3.10 kid with SQL": func(m made, k crypto.Signer, _ string) string {
			m.head["kid"] = "x' OR '1'='1"
			return signed(t, k, m.head, m.body)
		},
		"3.10 jwk": func(m made, _ crypto.Signer, _ string) string {
			m.head["jwk"] = own
			return signed(t, stranger, m.head, m.body)
		},
		"3.10 jku": func(m made, _ crypto.Signer, _ string) string {
			m.head["jku"] = "https://evil/jwks"
			return signed(t, stranger, m.head, m.body)
		},
		"3.10 x5u": func(m made, _ crypto.Signer, _ string) string {
			m.head["x5u"] = "https://evil/c"
			return signed(t, stranger, m.head, m.body)
		},
		"3.10 jwk on a good token": func(m made, k crypto.Signer, _ string) string {
			m.head["jwk"] = own
			return signed(t, k, m.head, m.body)
		},
		"crit (RFC 7515 4.1.11)": func(m made, k crypto.Signer, _ string) string {
			m.head["crit"] = []string{"exp"}
			return signed(t, k, m.head, m.body)
		},
		"ended": func(m made, k crypto.Signer, _ string) string {
			m.body["exp"] = now.Add(-6 * time.Second).Unix()
			return signed(t, k, m.head, m.body)
		},
		"no end": func(m made, k crypto.Signer, _ string) string {
			delete(m.body, "exp")
			return signed(t, k, m.head, m.body)
		},
		"an end that is a text": func(m made, k crypto.Signer, _ string) string {
			m.body["exp"] = "never"
			return signed(t, k, m.head, m.body)
		},
		"not yet": func(m made, k crypto.Signer, _ string) string {
			m.body["nbf"] = now.Add(6 * time.Second).Unix()
			return signed(t, k, m.head, m.body)
		},
		"issued tomorrow": func(m made, k crypto.Signer, _ string) string {
			m.body["iat"] = now.Add(24 * time.Hour).Unix()
			return signed(t, k, m.head, m.body)
		},
		"lives for a day": func(m made, k crypto.Signer, _ string) string {
			m.body["exp"] = now.Add(24 * time.Hour).Unix()
			return signed(t, k, m.head, m.body)
		},
		"never issued": func(m made, k crypto.Signer, _ string) string {
			m.body["jti"] = "other"
			return signed(t, k, m.head, m.body)
		},
		"not bound (RFC 8705 3)": func(m made, k crypto.Signer, _ string) string {
			delete(m.body, "cnf")
			return signed(t, k, m.head, m.body)
		},
		"bound to another certificate": func(m made, k crypto.Signer, _ string) string {
			m.body["cnf"] = map[string]string{"x5t#S256": b64(make([]byte, 32))}
			return signed(t, k, m.head, m.body)
		},
		"another client": func(m made, k crypto.Signer, _ string) string {
			m.body["client_id"] = "civil-b"
			return signed(t, k, m.head, m.body)
		},
		"over the size":    func(_ made, _ crypto.Signer, raw string) string { return raw + strings.Repeat("A", token.MaxSize) },
		"empty":            func(made, crypto.Signer, string) string { return "" },
		"JSON, no compact": func(m made, _ crypto.Signer, _ string) string { b, _ := json.Marshal(m.body); return string(b) },
	}
	for alg, custody := range map[string]string{token.ES256: "token-es256-1", token.SM2: "token-sm2-1"} {
		h := tokentest.NewHouse(t, tokentest.NewStore())
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Algorithm: alg})
		ok(t, err)
		_, _, err = h.Service.Issue(bg, h.Client, token.Order{Algorithm: map[string]string{token.ES256: token.SM2, token.SM2: token.ES256}[alg]})
		ok(t, err)
		key := h.Key(custody)
		head, body, _ := parts(t, raw)
		if _, err := h.Service.Judge(bg, signed(t, key, head, body), h.Cert, ""); err != nil {
			t.Fatalf("%s: what the attacks start from is refused: %v", alg, err)
		}
		for name, attack := range attacks {
			head, body, _ := parts(t, raw)
			if _, err := h.Service.Judge(bg, attack(made{head, body}, key, raw), h.Cert, ""); !errors.Is(err, token.ErrToken) {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
		}
		if _, err := h.Service.Judge(bg, raw, []byte("a stolen token's thief"), ""); !errors.Is(err, token.ErrToken) {
			t.Errorf("%s: over another connection: %v", alg, err)
		}
		if _, err := h.Service.Judge(bg, raw, nil, ""); !errors.Is(err, token.ErrToken) {
			t.Errorf("%s: without a certificate: %v", alg, err)
		}
	}
}

// RFC 8725 2.1, 3.1: golang-jwt by itself verifies ES256 with a key on the SM2
// curve. The algorithm is that of the key, whatever a header says, also for one
// who holds the key.
func TestKeyOfOneAlgorithmVerifiesNoOther(t *testing.T) {
	h := tokentest.NewHouse(t, tokentest.NewStore())
	store := tokentest.NewStore()
	far := h.Another(t, store)
	key, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	point := append([]byte{4}, append(key.X.FillBytes(make([]byte, 32)), key.Y.FillBytes(make([]byte, 32))...)...)
	ev := ledger.Event{ID: "e-1", Type: "test.key.made", Class: ledger.ClassAdmin, Time: h.Now(), Actor: ledger.Actor{Kind: "service", ID: "test"}, Object: ledger.Object{Kind: "key", ID: "k"}, Outcome: ledger.Success}
	_, err = store.AddKey(bg, token.Key{KID: "k", Number: 1, Algorithm: token.SM2, Custody: "c", Public: point, CreatedAt: h.Now()}, ev)
	ok(t, err)
	_, err = store.AddGrant(bg, token.Grant{ID: "t-1", System: "civil-a", Audience: tokentest.Issuer, Scope: token.Scopes()}, ev)
	ok(t, err)
	thumb := sha256.Sum256(h.Cert)
	now := h.Now().Unix()
	body, err := json.Marshal(map[string]any{
		"iss": tokentest.Issuer, "sub": "civil-a", "client_id": "civil-a", "aud": tokentest.Issuer, "jti": "t-1", "iat": now, "nbf": now, "exp": now + 60,
		"cnf": map[string]string{"x5t#S256": b64(thumb[:])},
	})
	ok(t, err)
	for alg, want := range map[string]error{token.SM2: nil, token.ES256: token.ErrToken} {
		text := b64([]byte(`{"alg":"`+alg+`","kid":"k","typ":"at+jwt"}`)) + "." + b64(body)
		sum := sha256.Sum256([]byte(text))
		der, err := ecdsa.SignASN1(rand.Reader, &key.PrivateKey, sum[:])
		if alg == token.SM2 {
			der, err = key.SignWithSM2(rand.Reader, nil, []byte(text))
		}
		ok(t, err)
		if _, err := far.Judge(bg, text+"."+b64(flat(t, der)), h.Cert, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", alg, err, want)
		}
	}
}
