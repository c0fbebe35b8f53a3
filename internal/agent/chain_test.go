package agent

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// The chain is what the house sends: with two certificates from one that has had
// one root, with more from one that has had others, never without an end.
func TestAskTLS_TakesTheWholeChain(t *testing.T) {
	h := newHouse(t)
	leaf, mid, more := certPEM(h.ecdsa(&h.ecMid, "civil-a", false, nil).der), certPEM(h.ecMid.der), certPEM(h.ecRoot.der)
	for name, c := range map[string]struct {
		chain []string
		want  int // 0: refused
	}{
		"without a chain":          {nil, 2},
		"one root":                 {[]string{leaf, mid}, 2},
		"a bridge to another root": {[]string{leaf, mid, more}, 3},
		"of another certificate":   {[]string{mid, leaf}, 0},
		"the certificate alone":    {[]string{leaf}, 0},
		"without an end":           {slices.Concat([]string{leaf}, slices.Repeat([]string{mid}, maxChain)), 0},
		"no certificate":           {[]string{leaf, "x"}, 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h.must(json.NewEncoder(w).Encode(map[string]any{"crt": leaf, "ca": mid, "certChain": c.chain}))
		}))
		got, err := askTLS(t.Context(), srv.Client(), srv.URL, nil)
		srv.Close()
		if len(got) != c.want || c.want == 0 && !errors.Is(err, ErrEnvelope) || c.want > 0 && err != nil {
			t.Errorf("%s: %d certificates, %v", name, len(got), err)
		}
	}
}
