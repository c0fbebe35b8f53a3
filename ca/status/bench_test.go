package status_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/status/statustest"
)

// BenchmarkOCSPOneCore is the budget of design §10 (floor 6,000/s, aim 10,000/s)
// on each track, through the HTTP handler: with a nonce, so that each answer is
// signed, and kept. The ratio is to raw signatures by the same key; both are
// medians of five interleaved rounds.
func BenchmarkOCSPOneCore(b *testing.B) {
	const rounds, slice = 5, 200 * time.Millisecond
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for issuing, leaf := range tracks {
		b.Run(string(issuing), func(b *testing.B) {
			h := statustest.New(b, catest.New())
			cert, _ := h.Issue(leaf, issuing)
			cfg, a := h.Config(), h.Authorities[issuing]
			for n := range cfg.Authorities {
				cfg.Authorities[n].Signer = cfg.Authorities[n].Signer.(*statustest.Key).Signer // one that remembers nothing
			}
			s := must(status.New(cfg))
			handler, id := s.Handler(), withSM3(a.Cert, cert.SerialNumber)
			post := func(der []byte) func() {
				return func() {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, status.PathOCSP, bytes.NewReader(der)))
					if w.Body.Len() < 100 {
						b.Fatal("refused")
					}
				}
			}
			var opts crypto.SignerOpts = crypto.SHA256
			if issuing == profile.SM2Issuing {
				opts = sm2.DefaultSM2SignerOpts
			}
			msg := make([]byte, 300)
			work := map[string]func(){
				"signed": post(requestOf([]extension{nonce(16)}, id)), "kept": post(requestOf(nil, id)),
				"raw": func() { must(crypto.SignMessage(a.Key.Signer, rand.Reader, msg, opts)) },
			}
			for b.Loop() {
				rates := map[string][]float64{}
				for range rounds {
					for name, do := range work {
						n, start := 0, time.Now()
						for time.Since(start) < slice {
							do()
							n++
						}
						rates[name] = append(rates[name], float64(n)/time.Since(start).Seconds())
					}
				}
				for name := range work {
					slices.Sort(rates[name])
					b.ReportMetric(rates[name][rounds/2], name+"/s")
				}
				b.ReportMetric(rates["signed"][rounds/2]/rates["raw"][rounds/2], "signed:raw")
				b.ReportMetric(rates["signed"][rounds/2]/6000, "signed:floor")
			}
		})
	}
}
