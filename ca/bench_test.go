package ca_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
)

// BenchmarkDualCertificate measures what EnrolSM2 does from token to pair, on
// the memory registry. of-primitives is the share of it that the bare
// cryptography of a pair needs, timed in turn with it, so that a busy machine
// slows both: 1 would be a service that costs nothing.
func BenchmarkDualCertificate(b *testing.B) {
	h := newHouse(b)
	key := sm2Key(b)
	request := csr(b, key, host)
	var bare time.Duration
	for b.Loop() {
		b.StopTimer()
		token := h.token()
		start := time.Now()
		primitives(b, key, request)
		bare += time.Since(start)
		b.StartTimer()
		if _, err := h.svc.EnrolSM2(context.Background(), token, request); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
	b.ReportMetric(bare.Seconds()/b.Elapsed().Seconds(), "of-primitives")
}

// primitives is one pair: the signature of a CSR, one key and its envelope, two
// signatures and their checks.
func primitives(b *testing.B, key *sm2.PrivateKey, request []byte) {
	parsed, err := smx509.ParseCertificateRequest(request)
	if err != nil {
		b.Fatal(err)
	}
	if err := parsed.CheckSignature(); err != nil {
		b.Fatal(err)
	}
	if _, err := sm2.MarshalEnvelopedPrivateKey(rand.Reader, &key.PublicKey, sm2Key(b)); err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, 700) // about the size of a to-be-signed certificate
	for range 2 {
		signature, err := key.SignWithSM2(rand.Reader, nil, msg)
		if err != nil || !sm2.VerifyASN1WithSM2(&key.PublicKey, nil, msg, signature) {
			b.Fatal(err)
		}
	}
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
