package token_test

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/yinxin-gov/yinxin/internal/token"
	"github.com/yinxin-gov/yinxin/internal/token/tokentest"
)

// Another JOSE library takes the published set and the token as they are: RFC 7517 5
// lets it ignore the member with the SM2 keys, and it verifies nothing else with them.
func TestAnotherLibraryVerifiesTokens(t *testing.T) {
	h := tokentest.NewHouse(t, tokentest.NewStore())
	verify := func(alg string) error {
		t.Helper()
		raw, _, err := h.Service.Issue(bg, h.Client, token.Order{Algorithm: alg})
		ok(t, err)
		published, err := h.Service.KeySet(bg)
		ok(t, err)
		wire, err := json.Marshal(published)
		ok(t, err)
		var set jose.JSONWebKeySet
		ok(t, json.Unmarshal(wire, &set))
		jws, err := jose.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return err
		}
		keys := set.Key(jws.Signatures[0].Header.KeyID)
		if len(keys) != 1 || !keys[0].Valid() || keys[0].Algorithm != "ES256" || keys[0].Use != "sig" {
			t.Fatalf("%+v", keys)
		}
		body, err := jws.Verify(keys[0])
		ok(t, err)
		var claims struct{ Iss, Sub, Jti string }
		if err := json.Unmarshal(body, &claims); err != nil || claims.Iss != tokentest.Issuer || claims.Sub != "civil-a" || claims.Jti == "" {
			t.Errorf("%s %v", body, err)
		}
		return nil
	}
	ok(t, verify(token.ES256))
	if verify(token.SM2) == nil {
		t.Error("a library without SM2 takes an SM2 token")
	}
}
