package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
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
	"github.com/yinxin-gov/yinxin/internal/api/wire"
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
		"another system's scope":         {token.Order{Audience: wire.SystemAudience("civil-b"), Scope: []string{"decide"}}, token.ErrScope},
		"an unknown system":              {token.Order{Audience: wire.SystemAudience("nobody")}, token.ErrAudience},
		"no audience of ours":            {token.Order{Audience: "https://elsewhere.example"}, token.ErrAudience},
	} {
		if _, _, err := h.Service.Issue(bg, h.Client, c.order); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	h.Break(errors.New("away"))
	if _, _, err := h.Service.Issue(bg, h.Client, token.Order{Audience: wire.SystemAudience("civil-b")}); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("a register that is away: %v", err)
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
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Audience: wire.SystemAudience("civil-b")})
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
