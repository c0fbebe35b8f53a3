package store_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"runtime"
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
	node := other.Service(func(c *status.Config) {
		c.CacheSize, c.Now = -1, time.Now
		for n := range c.Authorities {
			c.Authorities[n].Signer = c.Authorities[n].Signer.(*statustest.Key).Signer // one that remembers nothing
		}
	})
	watching(b, node)
	return pairOfNodes{b, h, a, node, issuer}
}

// revoke is the median time of the act, and the one from its start to the answer
// of the other node, which had said good before, that says so.
func (p pairOfNodes) revoke() (act, visible time.Duration, request []byte) {
	acts, shows := make([]time.Duration, 11), make([]time.Duration, 11)
	for n := range acts {
		cert, _ := p.h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
		std, err := x509.ParseCertificate(cert.Raw)
		ok(p.b, err)
		request, err = ocsp.CreateRequest(std, p.issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
		ok(p.b, err)
		if p.says(request) != ocsp.Good {
			p.b.Fatal("not good")
		}
		start := time.Now()
		p.h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1)
		acts[n] = time.Since(start)
		for p.says(request) != ocsp.Revoked {
			time.Sleep(time.Millisecond)
		}
		shows[n] = time.Since(start)
	}
	slices.Sort(acts)
	slices.Sort(shows)
	return acts[len(acts)/2], shows[len(shows)-1], request
}

func (p pairOfNodes) says(request []byte) int {
	r, err := ocsp.ParseResponse(p.node.Answer(bg, request), p.issuer)
	ok(p.b, err)
	return r.Status
}

// rates are, on one core, answers that are signed each time, and signatures of
// the same key over as many bytes; by the second of processor time, whatever else
// the machine does.
func (p pairOfNodes) rates(request []byte) (answers, raw float64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	msg := make([]byte, 300)
	rate := func(do func()) float64 {
		start, used, n := time.Now(), processorTime(), 0
		for ; time.Since(start) < 200*time.Millisecond; n++ {
			do()
		}
		return float64(n) / (processorTime() - used).Seconds()
	}
	answers = rate(func() { p.node.Answer(bg, request) })
	raw = rate(func() {
		_, err := crypto.SignMessage(p.a.Key.Signer, rand.Reader, msg, crypto.SHA256)
		ok(p.b, err)
	})
	return answers, raw
}

// BenchmarkRevokeToVisible is design §10: a revocation is visible on every node
// within a second, and costs the same with 0 and with 200,000 revoked (the ratio
// should be 1); OCSP on one core, floor 6,000/s. Medians of five interleaved
// rounds; of the times to visible, the longest of each round. It also prints how
// long the lists take, which no revocation waits for.
func BenchmarkRevokeToVisible(b *testing.B) {
	const rounds, many = 5, 200_000
	for name, address := range engines {
		b.Run(name, func(b *testing.B) {
			none, full := newPair(b, migrated(b, address(b)), 0), newPair(b, migrated(b, address(b)), many)
			for b.Loop() {
				m := map[string][]float64{}
				add := func(unit string, v float64) { m[unit] = append(m[unit], v) }
				for range rounds {
					base, _, _ := none.revoke()
					act, visible, request := full.revoke()
					answers, raw := full.rates(request)
					add("200k:0", float64(act)/float64(base))
					add("ms-revoke", float64(act.Microseconds())/1000)
					add("ms-to-visible-max", float64(visible.Microseconds())/1000)
					add("answers/s", answers)
					add("answers:floor", answers/6000)
					add("answers:raw", answers/raw)
				}
				for unit, s := range m {
					slices.Sort(s)
					b.ReportMetric(s[rounds/2], unit)
				}
			}
			for _, delta := range []bool{false, true} {
				start := time.Now()
				ok(b, full.node.Publish(bg, full.a.ID, delta))
				b.ReportMetric(float64(time.Since(start).Milliseconds()), fmt.Sprintf("ms-list-delta-%t", delta))
			}
		})
	}
}
