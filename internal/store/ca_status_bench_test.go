package store_test

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// BenchmarkRevokeToVisible is design §10: from the call that revokes to an OCSP
// answer that says so, on another node of the same database, with nothing and
// with 200,000 others revoked. It also prints what an answer from the store
// costs, and how long the full list takes, which no revocation waits for.
func BenchmarkRevokeToVisible(b *testing.B) {
	for name, address := range engines {
		for _, revoked := range []int{0, 200_000} {
			b.Run(fmt.Sprintf("%s/%d revoked", name, revoked), func(b *testing.B) {
				url := migrated(b, address(b))
				s := open(b, url)
				h := statustest.New(b, s.Rooms(nil).CA)
				a := h.Authorities[profile.ECDSAIssuing]
				if revoked > 0 {
					ok(b, s.Exec(bg, fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
						INSERT INTO ca_certificate (issuer, serial, kind, pair, agency, system, person, request, subject, tbs_sm3, state, reason, not_after, revoked_at)
						SELECT '%s', CAST(1000000 + i AS TEXT), 'ecdsa', '', 'x', 's', '', '', 'CN=x', 'aa', 'revoked', 1, '2099-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00' FROM c`, revoked, a.ID)))
				}
				other := *h
				other.Store = open(b, url).Rooms(nil).CA
				node := other.Service(func(c *status.Config) { c.CacheSize = -1 })
				issuer, err := x509.ParseCertificate(a.Cert.Raw)
				ok(b, err)
				const samples = 60
				var visible []time.Duration
				var der []byte
				for b.Loop() {
					visible = visible[:0]
					for range samples {
						cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
						std, err := x509.ParseCertificate(cert.Raw)
						ok(b, err)
						der, err = ocsp.CreateRequest(std, issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
						ok(b, err)
						start := time.Now()
						h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1)
						r, err := ocsp.ParseResponse(node.Answer(bg, der), issuer)
						visible = append(visible, time.Since(start))
						if err != nil || r.Status != ocsp.Revoked {
							b.Fatalf("not seen: %+v, %v", r, err)
						}
					}
				}
				slices.Sort(visible)
				b.ReportMetric(float64(visible[samples/2].Microseconds()), "µs-to-visible")
				start, n := time.Now(), 0
				for ; time.Since(start) < 500*time.Millisecond; n++ {
					node.Answer(bg, der)
				}
				b.ReportMetric(float64(n)/time.Since(start).Seconds(), "answers/s")
				start = time.Now()
				ok(b, node.Publish(bg, a.ID, false))
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-full-list")
				start = time.Now()
				ok(b, node.Publish(bg, a.ID, true))
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-delta-list")
			})
		}
	}
}
