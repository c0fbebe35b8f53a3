package stepca_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/ca"
)

// BenchmarkSign is one certificate through the sign handler on the registry in
// memory, token minted beforehand; "of-raw" is its rate against
// x509.CreateCertificate alone with the same key type.
func BenchmarkSign(b *testing.B) {
	h := newHouse(b)
	routes := h.Routes()
	key := newKey(b)
	request := csr(b, key, system, host)
	r := h.request(b, ca.RequestApproved)
	raw := rawRate(b, h)
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i], _ = json.Marshal(map[string]string{"csr": request, "ott": h.token(b, r)})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/1.0/sign", bytes.NewReader(bodies[i])))
		if w.Code != http.StatusCreated {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "certs/s")
	b.ReportMetric(rate/raw, "of-raw")
}

// rawRate is how many certificates a second the standard library makes.
func rawRate(b *testing.B, h *house) float64 {
	b.Helper()
	_, leaf := h.enrol(b)
	key := newKey(b)
	parent := *h.cfg.Issuing
	parent.PublicKey = key.Public()
	n, start := 0, time.Now()
	for time.Since(start) < 300*time.Millisecond {
		if _, err := x509.CreateCertificate(rand.Reader, leaf, &parent, leaf.PublicKey, key); err != nil {
			b.Fatal(err)
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkACMEOrder is one whole order over TLS on loopback with the store in
// memory: order, authorization, http-01 with its probe, finalize, download. The
// client signs and checks on the same cores. "of-raw" is against
// x509.CreateCertificate alone.
func BenchmarkACMEOrder(b *testing.B) {
	o := newOffice(b)
	raw := rawRate(b, o.house)
	clients := make(chan *acme.Client, 8)
	for range cap(clients) {
		clients <- o.registered(b)
	}
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c := <-clients
		defer func() { clients <- c }()
		for pb.Next() {
			if _, _, err := o.obtain(b, c, "http-01", host); err != nil {
				b.Error(err)
				return
			}
		}
	})
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "orders/s")
	b.ReportMetric(rate/raw, "of-raw")
}
