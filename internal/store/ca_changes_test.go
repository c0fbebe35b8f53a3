package store_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// Two nodes on one database. One revokes; the other, which watches, is asked all
// the time: no answer that began more than a second after the revocation was
// committed says good. (The bound is kept by what a node believes, not by how
// fast it is: a slow machine reads rows.)
func TestRevocationShowsOnTheOtherNodeWithinASecond(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			h := statustest.New(t, open(t, url).Rooms(nil).CA)
			a := h.Authorities[profile.ECDSAIssuing]
			issuer, err := x509.ParseCertificate(a.Cert.Raw)
			ok(t, err)
			other := *h
			other.Store = open(t, url).Rooms(nil).CA
			node := other.Service(func(c *status.Config) { c.Now = time.Now })
			watching(t, node)
			for range 3 {
				cert, _ := h.Issue(profile.ECDSALeaf, profile.ECDSAIssuing)
				std, err := x509.ParseCertificate(cert.Raw)
				ok(t, err)
				request, err := ocsp.CreateRequest(std, issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
				ok(t, err)
				said := func() int {
					r, err := ocsp.ParseResponse(node.Answer(bg, request), issuer)
					ok(t, err)
					return r.Status
				}
				for range 100 {
					if said() != ocsp.Good {
						t.Fatal("not good before it was revoked")
					}
				}
				h.Set(profile.ECDSAIssuing, cert.SerialNumber, ca.StateRevoked, 1)
				committed := time.Now()
				for {
					began := time.Now()
					if said() == ocsp.Revoked {
						break
					}
					if began.Sub(committed) > time.Second {
						t.Fatalf("good %s after the revocation", began.Sub(committed))
					}
				}
			}
		})
	}
}

// watching runs a service until the test ends.
func watching(tb testing.TB, s *status.Service) {
	ctx, stop := context.WithCancel(bg)
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	tb.Cleanup(func() {
		stop()
		running.Wait()
	})
}
