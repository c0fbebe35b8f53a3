package tsa_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// BenchmarkRespond is one answer on the SM2 track, on one core and without the
// ledger, beside what nobody can do without: one SM2 signature over the
// attributes, and the verification of what a key in custody returned.
func BenchmarkRespond(b *testing.B) {
	k := newTrack(b, true, nil)
	s := service(b, k.config(&ledger{}))
	d, err := signeddata.DigestFor(k.cert)
	if err != nil {
		b.Fatal(err)
	}
	q, err := tsp.Request{Imprint: tsp.Over(d, []byte("value")), Certs: true}.DER()
	if err != nil {
		b.Fatal(err)
	}
	priv := k.key.(*sm2.PrivateKey)
	attrs := make([]byte, 300)
	b.ReportAllocs()
	var whole, sign, verify time.Duration
	n := 0
	for b.Loop() { // interleaved: all see the same load of the machine
		t0 := time.Now()
		if _, err := s.Respond(context.Background(), q); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		sig, err := priv.SignWithSM2(rand.Reader, nil, attrs)
		if err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		if !sm2.VerifyASN1WithSM2(&priv.PublicKey, nil, attrs, sig) {
			b.Fatal("verify")
		}
		whole, sign, verify, n = whole+t1.Sub(t0), sign+t2.Sub(t1), verify+time.Since(t2), n+1
	}
	b.ReportMetric(float64(n)/whole.Seconds(), "tokens/s")
	b.ReportMetric(sign.Seconds()/whole.Seconds(), "of-raw-sign")
	b.ReportMetric((sign+verify).Seconds()/whole.Seconds(), "of-primitives")
}
