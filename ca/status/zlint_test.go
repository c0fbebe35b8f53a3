package status_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint/rfc"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// Full and delta lists of both tracks, complete and of a partition, empty and
// with every kind of entry. zlint knows no SM2, and needs none for a list.
func TestZlintFindsNoErrorOfRFCSources(t *testing.T) {
	onTracks(t, func(t *testing.T, h *statustest.House, issuing, leaf profile.Name) {
		h.Site.Shards = 2
		s, id, l := h.Service(), h.Authorities[issuing].ID, rfc.New()
		publish := func(delta bool) {
			t.Helper()
			h.Clock.Advance(time.Second)
			if err := s.Publish(bg, id, delta); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range []string{"", "-1of2", "-2of2"} {
				if delta {
					suffix += "-delta"
				}
				findings, err := l.List(fetch(t, h, s, issuing, suffix).DER)
				if err != nil {
					t.Fatal(err)
				}
				passed := 0
				for _, f := range findings {
					switch f.Outcome {
					case rfc.Failure:
						t.Errorf("list %q: %s: %s", suffix, f.ID, f.Detail)
					case rfc.Pass:
						passed++
					}
				}
				if passed < 5 {
					t.Errorf("list %q: %d checks applied only", suffix, passed)
				}
			}
		}
		publish(false)
		var serials []*big.Int
		for range 4 {
			cert, _ := h.Issue(leaf, issuing)
			serials = append(serials, cert.SerialNumber)
		}
		h.Set(issuing, serials[0], ca.StateRevoked, ca.ReasonUnspecified)
		h.Set(issuing, serials[1], ca.StateRevoked, ca.ReasonKeyCompromise)
		h.Invalidate(issuing, serials[1], h.Clock.Now().Add(-time.Hour))
		h.Set(issuing, serials[2], ca.StateHold, 6)
		publish(true)
		publish(false)
		h.Set(issuing, serials[2], ca.StateGood, 0)
		publish(true)
	})
}
