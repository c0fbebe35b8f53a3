package ca_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca"
)

// BenchmarkDualCertificate measures what EnrolSM2 does from token to pair, on
// the memory registry, and prints the share of it that is bare cryptography:
// one CSR check, one key, its envelope, two signatures and their checks.
func BenchmarkDualCertificate(b *testing.B) {
	h := newHouse(b)
	key := sm2Key(b)
	request := csr(b, key, host)
	tokens := make([]string, 0, b.N)
	for b.Loop() {
		b.StopTimer()
		tokens = append(tokens[:0], h.token())
		b.StartTimer()
		if _, err := h.svc.EnrolSM2(context.Background(), tokens[0], request); err != nil {
			b.Fatal(err)
		}
	}
	perPair := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(1e9/perPair, "pairs/s")
	b.ReportMetric(primitives(b, key, request)/perPair, "of-primitives")
}

// primitives is the time of one pair's cryptography alone, in nanoseconds.
func primitives(b *testing.B, key *sm2.PrivateKey, request []byte) float64 {
	const rounds = 200
	msg := make([]byte, 700) // about the size of a to-be-signed certificate
	parsed, err := ca.ParseCSR(request)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for range rounds {
		if err := parsed.CheckSignature(); err != nil {
			b.Fatal(err)
		}
		enc := sm2Key(b)
		if _, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, &key.PublicKey, enc); err != nil {
			b.Fatal(err)
		}
		for range 2 {
			signature, err := key.SignWithSM2(rand.Reader, nil, msg)
			if err != nil || !sm2.VerifyASN1WithSM2(&key.PublicKey, nil, msg, signature) {
				b.Fatal(err)
			}
		}
	}
	return float64(time.Since(start).Nanoseconds()) / rounds
}

// BenchmarkCSR measures parsing and checking an SM2 request.
func BenchmarkCSR(b *testing.B) {
	request := csr(b, sm2Key(b), host)
	for b.Loop() {
		if _, err := ca.ParseCSR(request); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "csr/s")
}
