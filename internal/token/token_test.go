package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/internal/token/tokentest"
)

var bg = context.Background()

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStoreInMemoryConforms(t *testing.T) {
	tokentest.Run(t, func(*testing.T) token.Store { return tokentest.NewStore() })
}

func TestRevocationReachesAnotherNode(t *testing.T) {
	s := tokentest.NewStore()
	tokentest.RunTwo(t, s, s)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// parts of a token, decoded.
func parts(t testing.TB, raw string) (head, body map[string]any, sig []byte) {
	t.Helper()
	p := strings.Split(raw, ".")
	if len(p) != 3 {
		t.Fatalf("%d parts", len(p))
	}
	for i, into := range []*map[string]any{&head, &body} {
		b, err := base64.RawURLEncoding.DecodeString(p[i])
		ok(t, err)
		ok(t, json.Unmarshal(b, into))
	}
	sig, err := base64.RawURLEncoding.DecodeString(p[2])
	ok(t, err)
	return head, body, sig
}

// signed is a token with any header and claims, signed by a key of the house.
func signed(t testing.TB, key crypto.Signer, head, body map[string]any) string {
	t.Helper()
	h, err := json.Marshal(head)
	ok(t, err)
	b, err := json.Marshal(body)
	ok(t, err)
	text := b64(h) + "." + b64(b)
	var der []byte
	if key.Public().(*ecdsa.PublicKey).Curve == sm2.P256() {
		der, err = key.Sign(rand.Reader, []byte(text), sm2.DefaultSM2SignerOpts)
	} else {
		sum := sha256.Sum256([]byte(text))
		der, err = key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	ok(t, err)
	return text + "." + b64(flat(t, der))
}

// flat is a DER signature as r‖s.
func flat(t testing.TB, der []byte) []byte {
	t.Helper()
	in, r, s := cryptobyte.String(der), new(big.Int), new(big.Int)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) {
		t.Fatal("no signature")
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// RFC 9068 2, RFC 8705 3.1: header and claims, and the ledger before the token.
func TestTokenHasTheFormOfRFC9068(t *testing.T) {
	store := tokentest.NewStore()
	h := tokentest.NewHouse(t, store)
	raw, g, err := h.Service.Issue(bg, h.Client, token.Order{Scope: []string{token.ScopeDecide}})
	ok(t, err)
	head, body, _ := parts(t, raw)
	thumb := sha256.Sum256(h.Cert)
	for name, want := range map[string]any{"iss": tokentest.Issuer, "sub": "civil-a", "client_id": "civil-a", "jti": g.ID, "scope": "decide"} {
		if body[name] != want {
			t.Errorf("%s is %v", name, body[name])
		}
	}
	if head["alg"] != "ES256" || head["typ"] != "at+jwt" || len(head) != 3 || body["cnf"].(map[string]any)["x5t#S256"] != b64(thumb[:]) {
		t.Errorf("header %v, claims %v", head, body)
	}
	if life := body["exp"].(float64) - body["iat"].(float64); life != token.DefaultLife.Seconds() {
		t.Errorf("lives %v s", life)
	}
	last := store.Events[len(store.Events)-1]
	if last.Type != "token.access.issued" || last.Object.ID != g.ID || last.Actor.Certificate != "5a" || strings.Contains(string(mustEncode(t, last)), raw) {
		t.Errorf("%+v", last)
	}
	got, err := h.Service.Judge(bg, raw, h.Cert, token.ScopeDecide)
	if err != nil || got.ID != g.ID || got.System != "civil-a" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := h.Service.Judge(bg, raw, h.Cert, token.ScopeExchange); !errors.Is(err, token.ErrScope) {
		t.Errorf("another scope: %v", err)
	}
}

func mustEncode(t *testing.T, e ledger.Event) []byte {
	t.Helper()
	b, err := ledger.Encode(e)
	ok(t, err)
	return b
}

func TestOrdersThatAreRefused(t *testing.T) {
	h := tokentest.NewHouse(t, tokentest.NewStore())
	for name, c := range map[string]struct {
		order token.Order
		want  error
	}{
		"an algorithm that there is not": {token.Order{Algorithm: "HS256"}, token.ErrRequest},
		"no algorithm (RFC 8725 3.2)":    {token.Order{Algorithm: "none"}, token.ErrRequest},
		"a life over the limit":          {token.Order{Life: token.MaxLife + time.Second}, token.ErrRequest},
		"a life under the limit":         {token.Order{Life: time.Second}, token.ErrRequest},
		"a scope that there is not":      {token.Order{Scope: []string{"admin"}}, token.ErrScope},
		"another system's scope":         {token.Order{Audience: token.SystemAudience("civil-b"), Scope: []string{"decide"}}, token.ErrScope},
		"an unknown system":              {token.Order{Audience: token.SystemAudience("nobody")}, token.ErrAudience},
		"no audience of ours":            {token.Order{Audience: "https://elsewhere.example"}, token.ErrAudience},
	} {
		if _, _, err := h.Service.Issue(bg, h.Client, c.order); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	h.Break(errors.New("away"))
	if _, _, err := h.Service.Issue(bg, h.Client, token.Order{Audience: token.SystemAudience("civil-b")}); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("a register that is away: %v", err)
	}
}

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

// X14-29: what cannot be looked up is refused.
func TestStoreThatIsAwayRefuses(t *testing.T) {
	store := tokentest.NewStore()
	h := tokentest.NewHouse(t, store)
	raw, _, err := h.Service.Issue(bg, h.Client, token.Order{})
	ok(t, err)
	_, err = h.Service.Judge(bg, raw, h.Cert, "")
	ok(t, err)
	h.Pass(time.Second)
	store.Fail = errors.New("away")
	if _, err := h.Service.Judge(bg, raw, h.Cert, ""); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("err = %v", err)
	}
	store.Fail = nil
	h.Pass(token.DefaultLife)
	if _, err := h.Service.Judge(bg, raw, h.Cert, ""); err != nil {
		t.Errorf("within the leeway of its end: %v", err)
	}
	h.Pass(5 * time.Second)
	if _, err := h.Service.Judge(bg, raw, h.Cert, ""); !errors.Is(err, token.ErrToken) {
		t.Errorf("after its end: %v", err)
	}
}

// RFC 7662, RFC 7009: who may ask and who may revoke.
func TestReceiversAskAndClientsRevoke(t *testing.T) {
	h := tokentest.NewHouse(t, tokentest.NewStore())
	b, c := token.Client{System: "civil-b"}, token.Client{System: "civil-c"}
	issue := func() string {
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Audience: token.SystemAudience("civil-b")})
		ok(t, err)
		return raw
	}
	active := func(who token.Client, raw string) bool {
		g, thumb, err := h.Service.Introspect(bg, who, raw)
		if err != nil && !errors.Is(err, token.ErrToken) {
			t.Fatal(err)
		}
		if err == nil && (g.System != "civil-a" || thumb == "") {
			t.Errorf("%+v %q", g, thumb)
		}
		return err == nil
	}
	raw := issue()
	if !active(b, raw) || !active(h.Client, raw) || active(c, raw) || active(b, "x.y.z") {
		t.Error("receiver and client see the token, nobody else")
	}
	if _, err := h.Service.Judge(bg, raw, h.Cert, ""); !errors.Is(err, token.ErrToken) {
		t.Errorf("a token for another system at the house: %v", err)
	}
	if err := h.Service.Revoke(bg, b, raw); !errors.Is(err, token.ErrOwner) {
		t.Errorf("revoked by its receiver: %v", err)
	}
	ok(t, h.Service.Revoke(bg, h.Client, raw))
	ok(t, h.Service.Revoke(bg, h.Client, raw))
	ok(t, h.Service.Revoke(bg, h.Client, "nothing"))
	if active(b, raw) {
		t.Error("active after its revocation")
	}
	raw = issue()
	h.Stop("5a") // held or revoked: at once
	if active(b, raw) {
		t.Error("active with a certificate that does not stand")
	}
	raw = issue()
	h.Break(errors.New("away"))
	if _, _, err := h.Service.Introspect(bg, b, raw); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("register away: %v", err)
	}
}

// A new key is published an hour before it signs, and the old one until its last
// token has ended.
func TestKeysRollOver(t *testing.T) {
	h := tokentest.NewHouse(t, tokentest.NewStore())
	count := func() int {
		set, err := h.Service.KeySet(bg)
		ok(t, err)
		return len(set.Keys)
	}
	kidOf := func() (string, any) {
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Life: token.MaxLife})
		ok(t, err)
		head, _, _ := parts(t, raw)
		return raw, head["kid"]
	}
	if count() != 0 {
		t.Error("a key before anybody asked for a token")
	}
	_, first := kidOf()
	ok(t, h.Service.Round(bg))
	h.Pass(time.Second)
	if count() != 1 {
		t.Error("a second key too early")
	}
	h.Pass(91 * 24 * time.Hour)
	ok(t, h.Service.Round(bg))
	ok(t, h.Service.Round(bg))
	raw, still := kidOf()
	if count() != 2 || still != first {
		t.Errorf("%d keys, signed by %v", count(), still)
	}
	h.Pass(time.Hour - time.Minute)
	last, still := kidOf()
	h.Pass(time.Minute)
	if _, second := kidOf(); still != first || second == first {
		t.Error("the new key signs at another time")
	}
	if _, err := h.Service.Judge(bg, last, h.Cert, ""); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	if _, err := h.Service.Judge(bg, raw, h.Cert, ""); !errors.Is(err, token.ErrToken) {
		t.Errorf("an ended one: %v", err)
	}
	h.Pass(token.MaxLife + 6*time.Second)
	if count() != 1 {
		t.Error("the old key is published for ever")
	}
}

// Both algorithms as a stranger checks them: the key from the published set, the
// signature by OpenSSL, which knows nothing of us. SM2 with the default user id
// 1234567812345678 (GM/T 0009).
func TestOpenSSLVerifiesTokens(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	h := tokentest.NewHouse(t, tokentest.NewStore())
	for alg, how := range map[string][]string{
		token.ES256: {"-digest", "sha256"},
		token.SM2:   {"-digest", "sm3", "-pkeyopt", "distid:1234567812345678"},
	} {
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Algorithm: alg})
		ok(t, err)
		set, err := h.Service.KeySet(bg)
		ok(t, err)
		keys, prefix := set.Keys, "3059301306072a8648ce3d020106082a8648ce3d030107034200" // SubjectPublicKeyInfo of P-256
		if alg == token.SM2 {
			keys, prefix = set.SM2, "3059301306072a8648ce3d020106082a811ccf5501822d034200"
		}
		head, _, sig := parts(t, raw)
		if len(keys) != 1 || head["kid"] != keys[0].Kid || head["alg"] != alg || len(sig) != 64 {
			t.Fatalf("%s: %+v, %v", alg, keys, head)
		}
		spki, err := hex.DecodeString(prefix)
		ok(t, err)
		spki = append(spki, 4)
		for _, c := range []string{keys[0].X, keys[0].Y} {
			b, err := base64.RawURLEncoding.DecodeString(c)
			ok(t, err)
			spki = append(spki, b...)
		}
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(new(big.Int).SetBytes(sig[:32]))
			b.AddASN1BigInt(new(big.Int).SetBytes(sig[32:]))
		})
		dir := t.TempDir()
		file := func(name string, data []byte) string {
			path := filepath.Join(dir, name)
			ok(t, os.WriteFile(path, data, 0o600))
			return path
		}
		text := raw[:strings.LastIndex(raw, ".")]
		args := []string{"pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), "-sigfile", file("sig", b.BytesOrPanic())}
		args = append(args, how...)
		if out, err := exec.Command(tool, append(args, "-in", file("text", []byte(text)))...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", alg, err, out)
		}
		if out, err := exec.Command(tool, append(args, "-in", file("other", []byte(text+"x")))...).CombinedOutput(); err == nil {
			t.Errorf("%s: another text verifies: %s", alg, out)
		}
	}
}

// FuzzJudge: no text panics or is taken that was not issued.
func FuzzJudge(f *testing.F) {
	h := tokentest.NewHouse(f, tokentest.NewStore())
	good := map[string]bool{}
	for _, alg := range []string{token.ES256, token.SM2} {
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Algorithm: alg})
		ok(f, err)
		good[raw[:strings.LastIndex(raw, ".")]] = true
		f.Add(raw)
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := h.Service.Judge(bg, raw, h.Cert, "")
		if err == nil && !good[raw[:strings.LastIndex(raw, ".")]] {
			t.Errorf("taken: %q", raw)
		}
		if err != nil && !errors.Is(err, token.ErrToken) {
			t.Errorf("err = %v", err)
		}
	})
}
