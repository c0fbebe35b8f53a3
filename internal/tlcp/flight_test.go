package tlcp_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/tlcp"
)

// FuzzFirstFlight: whatever a stranger sends, the server answers with an error
// and is done with it when the stranger is.
func FuzzFirstFlight(f *testing.F) {
	p := newPKI(f)
	pair := p.server()
	hello := append([]byte{22, 1, 1, 0, 45, 1, 0, 0, 41, 1, 1}, make([]byte, 32)...)
	hello = append(hello, 0, 0, 2, 0xe0, 0x13, 1, 0)
	f.Add(hello)
	f.Add(append(bytes.Clone(hello), 22, 1, 1, 0, 7, 11, 0, 0, 3, 0, 0, 0))
	f.Add(append(bytes.Clone(hello), 22, 1, 1, 0, 5, 16, 0, 0, 1, 0))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0xa0, 0, 0})
	f.Add([]byte{21, 1, 1, 0, 2, 1, 0})
	f.Fuzz(func(t *testing.T, sent []byte) {
		here, there := net.Pipe()
		_ = here.SetDeadline(time.Now().Add(10 * time.Second))
		done := make(chan error, 1)
		go func() {
			done <- tlcp.Serve(t.Context(), there, pair, p.trust())
			_ = there.Close()
		}()
		go func() {
			_, _ = here.Write(sent)
			_ = here.Close()
		}()
		drain := make([]byte, 4096)
		for {
			if _, err := here.Read(drain); err != nil {
				break
			}
		}
		if err := <-done; err == nil {
			t.Error("a handshake without a key")
		}
	})
}

// BenchmarkHandshake is both ends on one machine: mutual authentication, and one
// request over each new connection.
func BenchmarkHandshake(b *testing.B) {
	h := newHouse(b, tlcp.Limits{Rate: 1e9, RatePer: 1e9})
	client := tlcp.Client{Pair: h.pair("system", nil), Trust: h.trust()}
	for b.Loop() {
		c, err := client.Dial(b.Context(), h.address)
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
}
