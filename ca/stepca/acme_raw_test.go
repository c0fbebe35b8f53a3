package stepca_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/acme"
)

// The requests here are put together by hand: no client would send them.

var b64 = base64.RawURLEncoding.EncodeToString

// jwk is the public key of an account.
func jwk(t *testing.T, key *ecdsa.PrivateKey) map[string]any {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// jws signs a payload under a protected header (RFC 7515, ES256).
func jws(t *testing.T, key *ecdsa.PrivateKey, header map[string]any, payload string) string {
	t.Helper()
	if header["alg"] == nil {
		header["alg"] = "ES256"
	}
	raw, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(b64(raw) + "." + b64([]byte(payload))))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	out, err := json.Marshal(map[string]string{"protected": b64(raw), "payload": b64([]byte(payload)), "signature": b64(sig)})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func (o *office) nonce(t *testing.T, c *http.Client) string {
	t.Helper()
	res, err := c.Head(o.url + "/acme/acme/new-nonce")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Replay-Nonce")
}

// send posts a JWS and returns the last part of the problem type, or "".
func (o *office) send(t *testing.T, c *http.Client, path, body string) string {
	t.Helper()
	res, err := c.Post(o.url+path, "application/jose+json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return "no answer"
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	var p struct{ Type string }
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Errorf("%d %s", res.StatusCode, raw)
	}
	return p.Type[strings.LastIndex(p.Type, ":")+1:]
}

// RFC 8555 6.5: the same request eight times at once is served once.
func TestACMERequestIsServedOnce(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	web, path := o.client(nil), "/acme/acme/new-order"
	order := func(nonce string) string {
		header := map[string]any{"kid": string(c.KID), "url": o.url + path}
		if nonce != "" {
			header["nonce"] = nonce
		}
		return jws(t, c.Key.(*ecdsa.PrivateKey), header, `{"identifiers":[{"type":"dns","value":"`+host+`"}]}`)
	}
	for range 50 {
		body := order(o.nonce(t, web))
		var served, replayed atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch o.send(t, web, path, body) {
				case "":
					served.Add(1)
				case "badNonce":
					replayed.Add(1)
				}
			})
		}
		wg.Wait()
		if served.Load() != 1 || replayed.Load() != 7 {
			t.Fatalf("served %d, refused %d", served.Load(), replayed.Load())
		}
	}
	for _, nonce := range []string{"", "made-up"} {
		if got := o.send(t, web, path, order(nonce)); got != "badNonce" {
			t.Errorf("nonce %q: %s", nonce, got)
		}
	}
}

// RFC 8555 7.3.5: every part of a key change is checked.
func TestACMEKeyChangeRefuses(t *testing.T) {
	o := newOffice(t)
	c, web, path := o.registered(t), o.client(nil), "/acme/acme/key-change"
	own, next, stranger := c.Key.(*ecdsa.PrivateKey), newKey(t), newKey(t)
	here, account := o.url+path, string(c.KID)
	type parts struct {
		outerKey, innerKey *ecdsa.PrivateKey
		outer, inner       map[string]any
		change             map[string]any
	}
	send := func(change func(*parts)) string {
		p := parts{
			outerKey: own, innerKey: next,
			outer:  map[string]any{"kid": account, "url": here, "nonce": o.nonce(t, web)},
			inner:  map[string]any{"jwk": jwk(t, next), "url": here},
			change: map[string]any{"account": account, "oldKey": jwk(t, own)},
		}
		change(&p)
		raw, err := json.Marshal(p.change)
		if err != nil {
			t.Fatal(err)
		}
		return o.send(t, web, path, jws(t, p.outerKey, p.outer, jws(t, p.innerKey, p.inner, string(raw))))
	}
	other := o.registered(t)
	for name, tc := range map[string]struct {
		change func(*parts)
		want   string
	}{
		"outer signature by a stranger":      {func(p *parts) { p.outerKey = stranger }, "malformed"},
		"inner signature by a stranger":      {func(p *parts) { p.innerKey = stranger }, "malformed"},
		"another old key":                    {func(p *parts) { p.change["oldKey"] = jwk(t, stranger) }, "malformed"},
		"no old key":                         {func(p *parts) { delete(p.change, "oldKey") }, "malformed"},
		"another account inside":             {func(p *parts) { p.change["account"] = string(other.KID) }, "malformed"},
		"another account outside":            {func(p *parts) { p.outer["kid"] = string(other.KID) }, "malformed"},
		"an account that nobody has":         {func(p *parts) { p.outer["kid"] = account + "x" }, "accountDoesNotExist"},
		"the account under another location": {func(p *parts) { p.outer["kid"] = strings.Replace(account, "https", "http", 1) }, "unauthorized"},
		"another url outside":                {func(p *parts) { p.outer["url"] = o.url + "/acme/acme/new-order" }, "unauthorized"},
		"another url inside":                 {func(p *parts) { p.inner["url"] = o.url + "/acme/acme/new-order" }, "malformed"},
		"a nonce inside":                     {func(p *parts) { p.inner["nonce"] = "n" }, "malformed"},
		"no key inside":                      {func(p *parts) { delete(p.inner, "jwk") }, "malformed"},
		"no nonce":                           {func(p *parts) { delete(p.outer, "nonce") }, "badNonce"},
		"an HMAC outside":                    {func(p *parts) { p.outer["alg"] = "HS256" }, "badSignatureAlgorithm"},
		"an HMAC inside":                     {func(p *parts) { p.inner["alg"] = "HS256" }, "badSignatureAlgorithm"},
	} {
		if got := send(tc.change); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if _, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host)); err != nil {
		t.Errorf("the account has lost its key: %v", err)
	}
	if got := send(func(*parts) {}); got != "" {
		t.Errorf("a right key change: %q", got)
	}
}
