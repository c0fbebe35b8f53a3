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

// pairOfNodes is one database with so many revoked certificates, a node that
// revokes and another that answers.
type pairOfNodes struct {
	b      *testing.B
	h      *statustest.House
	a      *statustest.Authority
	node   *status.Service
	issuer *x509.Certificate
}

func newPair(b *testing.B, url string, revoked int) pairOfNodes {
	s := open(b, url)
	h := statustest.New(b, s.Rooms(nil).CA)
	a := h.Authorities[profile.ECDSAIssuing]
	if revoked > 0 {
		ok(b, s.Exec(bg, fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO ca_certificate (issuer, serial, kind, pair, agency, system, person, request, subject, tbs_sm3, state, reason, not_after, revoked_at)
			SELECT '%s', CAST(1000000 + i AS TEXT), 'ecdsa', '', 'x', 's', '', '', 'CN=x', 'aa', 'revoked', 1, '2099-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00' FROM c`, revoked, a.ID)))
	}
	issuer, err := x509.ParseCertificate(a.Cert.Raw)
	ok(b, err)
	other := *h
	other.Store = open(b, url).Rooms(nil).CA
	return pairOfNodes{b, h, a, other.Service(func(c *status.Config) { c.CacheSize = -1 }), issuer}
}

// visible is the median time from the call that revokes on one node to the
// answer of the other that says so.
func (p pairOfNodes) visible() (median time.Duration, request []byte) {
	times := make([]time.Duration, 21)
	for n := range times {
		cert, _ := p.h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
		std, err := x509.ParseCertificate(cert.Raw)
		ok(p.b, err)
		request, err = ocsp.CreateRequest(std, p.issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
		ok(p.b, err)
		start := time.Now()
		p.h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1)
		r, err := ocsp.ParseResponse(p.node.Answer(bg, request), p.issuer)
		times[n] = time.Since(start)
		if err != nil || r.Status != ocsp.Revoked {
			p.b.Fatalf("not seen: %+v, %v", r, err)
		}
	}
	slices.Sort(times)
	return times[len(times)/2], request
}

func (p pairOfNodes) answers(request []byte) float64 {
	start, n := time.Now(), 0
	for ; time.Since(start) < 200*time.Millisecond; n++ {
		p.node.Answer(bg, request)
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkRevokeToVisible is design §10: visible within a second, at a cost
// that is flat from 0 to 200,000 revoked: the ratio should be 1. Medians of five
// interleaved rounds. It also prints signed answers from the store, and how long
// the lists take, which no revocation waits for.
func BenchmarkRevokeToVisible(b *testing.B) {
	const rounds, many = 5, 200_000
	for name, address := range engines {
		b.Run(name, func(b *testing.B) {
			none, full := newPair(b, migrated(b, address(b)), 0), newPair(b, migrated(b, address(b)), many)
			for b.Loop() {
				var ratios, ms, rates []float64
				for range rounds {
					base, _ := none.visible()
					loaded, request := full.visible()
					ratios = append(ratios, float64(loaded)/float64(base))
					ms = append(ms, float64(loaded.Microseconds())/1000)
					rates = append(rates, full.answers(request))
				}
				for _, s := range [][]float64{ratios, ms, rates} {
					slices.Sort(s)
				}
				b.ReportMetric(ratios[rounds/2], "200k:0")
				b.ReportMetric(ms[rounds/2], "ms-to-visible")
				b.ReportMetric(rates[rounds/2], "answers/s")
			}
			for _, delta := range []bool{false, true} {
				start := time.Now()
				ok(b, full.node.Publish(bg, full.a.ID, delta))
				b.ReportMetric(float64(time.Since(start).Milliseconds()), fmt.Sprintf("ms-list-delta-%t", delta))
			}
		})
	}
}
