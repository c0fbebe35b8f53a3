package stepca_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/yinxin-gov/yinxin/ca"
)

// RFC 7519 and the step-ca API: what stands in a token.
func TestTokenClaims(t *testing.T) {
	h := newHouse(t)
	r := h.request(t, ca.RequestApproved)
	var c jwt.MapClaims
	tok, _, err := jwt.NewParser().ParseUnverified(h.token(t, r), &c)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Method.Alg() != "ES256" || tok.Header["kid"] == "" {
		t.Errorf("header %v", tok.Header)
	}
	aud, _ := c.GetAudience()
	if c["iss"] != "yinxin-ra" || c["sub"] != system || len(aud) != 1 || aud[0] != "https://"+h.cfg.Address+"/1.0/sign" || c["request"] != r.ID {
		t.Errorf("claims %v", c)
	}
	iat, _ := c.GetIssuedAt()
	exp, _ := c.GetExpirationTime()
	if d := exp.Sub(iat.Time); d > 5*time.Minute || d <= 0 {
		t.Errorf("lives %s", d)
	}
}

// A token works once, whoever is first: 50 rounds of 8 concurrent callers.
func TestTokenIsUsedOnce(t *testing.T) {
	h := newHouse(t)
	c := h.client(nil)
	key := newKey(t)
	request := csr(t, key, system, host)
	const rounds, callers = 50, 8
	for round := range rounds {
		tok := h.token(t, h.request(t, ca.RequestApproved))
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range callers {
			wg.Go(func() {
				<-start
				a, err := h.tryPost(c, "/1.0/sign", map[string]any{"csr": request, "ott": tok})
				switch {
				case err != nil:
					t.Error(err)
				case a.Status == 201:
					won.Add(1)
				case a.Status == 401 && a.Chain == nil:
					lost.Add(1)
				default:
					t.Errorf("status %d %s", a.Status, a.Message)
				}
			})
		}
		close(start)
		wg.Wait()
		if won.Load() != 1 || lost.Load() != callers-1 {
			t.Fatalf("round %d: %d accepted, %d refused", round, won.Load(), lost.Load())
		}
	}
	if n := len(h.rows()); n != rounds {
		t.Errorf("%d certificates for %d tokens", n, rounds)
	}
	if n := len(h.people.recorded("ca.token.refused")); n != rounds*(callers-1) {
		t.Errorf("%d replays recorded", n)
	}
	if log := h.log.String(); !strings.Contains(log, "token already used") || strings.Contains(log, "eyJ") {
		t.Errorf("log: %.400s", log)
	}
}
