package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

var (
	now    = time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC)
	policy = asn1.ObjectIdentifier{1, 2, 3, 4, 1}
)

// ledger is a recorder that may fail.
type ledger struct {
	issued []tsa.Issued
	err    error
}

func (l *ledger) RecordTimeStamp(_ context.Context, i tsa.Issued) error {
	if l.err == nil {
		l.issued = append(l.issued, i)
	}
	return l.err
}

// track is an authority with a service's certificate.
type track struct {
	key        crypto.Signer
	cert, root []byte
}

func newTrack(t testing.TB, gm bool, change func(*smx509.Certificate)) track {
	t.Helper()
	generate := func() crypto.Signer {
		var k crypto.Signer
		var err error
		if gm {
			k, err = sm2.GenerateKey(rand.Reader)
		} else {
			k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rootKey, key := generate(), generate()
	root := &smx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign,
	}
	leaf := &smx509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Time"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature, ExtKeyUsage: []smx509.ExtKeyUsage{smx509.ExtKeyUsageTimeStamping},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}},
	}
	if change != nil {
		change(leaf)
	}
	rootDER, err := smx509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	der, err := smx509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return track{key, der, rootDER}
}

func (k track) config(l *ledger) tsa.Config {
	return tsa.Config{
		Key: k.key, CertDER: k.cert, Policy: policy, Now: func() time.Time { return now },
		Synchronised: func() error { return nil }, Rand: rand.Reader, Recorder: l,
	}
}

func service(t testing.TB, c tsa.Config) *tsa.Service {
	t.Helper()
	s, err := tsa.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Client and service over HTTP, on both tracks (RFC 3161, 3.4; GM/T 0033).
func TestStampRFC3161(t *testing.T) {
	for name, gm := range map[string]bool{"SM2": true, "ECDSA": false} {
		k, l := newTrack(t, gm, nil), &ledger{}
		srv := httptest.NewServer(service(t, k.config(l)))
		defer srv.Close()
		d, err := signeddata.DigestFor(k.cert)
		if err != nil {
			t.Fatal(err)
		}
		token, err := tsa.Client{URL: srv.URL, HTTP: srv.Client(), Digest: d}.Stamp(context.Background(), []byte("value"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := tsp.ParseToken(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Verify([]byte("value")); err != nil || !got.Time.Equal(now) || got.Accuracy != time.Second || !got.Policy.Equal(policy) {
			t.Errorf("%s: %+v, %v", name, got.Info, err)
		}
		if err := got.Verify([]byte("other")); !errors.Is(err, tsp.ErrImprint) {
			t.Errorf("%s: other value: %v", name, err)
		}
		if len(l.issued) != 1 || l.issued[0].Serial != got.Serial.String() || got.Serial.BitLen() > 127 {
			t.Errorf("%s: recorded %+v", name, l.issued)
		}
		// No changed byte of a token verifies.
		for i := range token {
			bad := bytes.Clone(token)
			bad[i] ^= 1
			if p, err := tsp.ParseToken(bad); err == nil && p.Verify([]byte("value")) == nil && !inert(token, bad) {
				t.Errorf("%s: byte %d of %d does not matter", name, i, len(token))
			}
		}
	}
}

// inert: only the versions and the list of digests at the head are unsigned and
// say nothing; what they announce stands again in the signer's part.
func inert(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] {
			return i < 64
		}
	}
	return true
}

// OpenSSL makes the request and verifies the answer.
func TestOpenSSLVerifies(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	run := func(args ...string) (string, error) {
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		b, err := cmd.CombinedOutput()
		return string(b), err
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := newTrack(t, false, nil)
	write("root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.root}))
	write("tsa.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.cert}))
	write("data", []byte("document"))
	write("other", []byte("documenT"))
	s := service(t, k.config(&ledger{}))
	for _, c := range []struct{ query, verify []string }{
		{[]string{"-sha256", "-cert"}, nil},
		{[]string{"-sha512", "-no_nonce", "-cert"}, nil},
		{[]string{"-sha256"}, []string{"-untrusted", "tsa.pem"}},
	} {
		if out, err := run(append([]string{"ts", "-query", "-data", "data", "-out", "q"}, c.query...)...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		q, err := os.ReadFile(filepath.Join(dir, "q"))
		if err != nil {
			t.Fatal(err)
		}
		reply, err := s.Respond(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		write("r", reply)
		at := []string{"-attime", "1780279300"} // a minute after now
		args := append(append([]string{"ts", "-verify", "-in", "r", "-CAfile", "root.pem"}, at...), c.verify...)
		if out, err := run(append(args, "-queryfile", "q")...); err != nil || !strings.Contains(out, "Verification: OK") {
			t.Errorf("%v: %v %s", c.query, err, out)
		}
		if out, err := run(append(args, "-data", "other")...); err == nil {
			t.Errorf("%v: another document: %s", c.query, out)
		}
	}
}

func TestRespondRefuses(t *testing.T) {
	k := newTrack(t, true, nil)
	d, err := signeddata.DigestFor(k.cert)
	if err != nil {
		t.Fatal(err)
	}
	good := tsp.Request{Imprint: tsp.Over(d, []byte("x")), Certs: true}
	der := func(r tsp.Request) []byte {
		b, err := r.DER()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sha1 := bytes.Replace(der(good), []byte{6, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11}, []byte{6, 8, 0x2b, 0x0e, 3, 2, 0x1a, 0, 0, 0}, 1)
	for name, c := range map[string]struct {
		req    []byte
		change func(*tsa.Config)
		want   tsp.Failure
	}{
		"junk":             {[]byte("junk"), nil, tsp.BadDataFormat},
		"unknown digest":   {sha1, nil, tsp.BadAlgorithm},
		"other policy":     {der(tsp.Request{Imprint: good.Imprint, Policy: asn1.ObjectIdentifier{1, 2, 3}}), nil, tsp.UnacceptedPolicy},
		"short imprint":    {der(tsp.Request{Imprint: tsp.Imprint{Digest: d, Value: []byte{1}}}), nil, tsp.BadDataFormat},
		"clock is off":     {der(good), func(c *tsa.Config) { c.Synchronised = func() error { return errors.New("off") } }, tsp.TimeNotAvailable},
		"not recorded":     {der(good), func(c *tsa.Config) { c.Recorder = &ledger{err: errors.New("full")} }, tsp.SystemFailure},
		"a huge request":   {make([]byte, tsp.MaxRequest+1), nil, tsp.BadDataFormat},
		"trailing rubbish": {append(der(good), 0), nil, tsp.BadDataFormat},
	} {
		cfg := k.config(&ledger{})
		if c.change != nil {
			c.change(&cfg)
		}
		reply, err := service(t, cfg).Respond(context.Background(), c.req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tsp.ParseResponse(reply)
		var r *tsp.Refusal
		if !errors.As(err, &r) || !errors.Is(err, tsp.ErrRefused) || r.Failure != c.want {
			t.Errorf("%s: %v, want failure %d", name, err, c.want)
		}
	}
}

func TestHTTPRefuses(t *testing.T) {
	s := service(t, newTrack(t, true, nil).config(&ledger{}))
	for name, c := range map[string]struct {
		method, kind string
		size, want   int
	}{
		"GET":        {http.MethodGet, "", 0, http.StatusMethodNotAllowed},
		"other type": {http.MethodPost, "text/plain", 10, http.StatusUnsupportedMediaType},
		"too large":  {http.MethodPost, tsa.TypeQuery, tsp.MaxRequest + 1, http.StatusRequestEntityTooLarge},
		"junk":       {http.MethodPost, tsa.TypeQuery, 10, http.StatusOK}, // a refusal is an answer
	} {
		r := httptest.NewRequest(c.method, "/", bytes.NewReader(make([]byte, c.size)))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// A certificate that may do anything else is not one of a time-stamp service
// (RFC 3161, 2.3).
func TestCertificateRFC3161(t *testing.T) {
	for name, change := range map[string]func(*smx509.Certificate){
		"not critical": func(c *smx509.Certificate) { c.ExtraExtensions = nil },
		"two purposes": func(c *smx509.Certificate) {
			c.ExtraExtensions[0].Value = []byte{0x30, 20, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1}
		},
		"none":    func(c *smx509.Certificate) { c.ExtraExtensions, c.ExtKeyUsage = nil, nil },
		"expired": func(c *smx509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) },
	} {
		for _, gm := range []bool{true, false} {
			if _, err := tsa.New(newTrack(t, gm, change).config(&ledger{})); !errors.Is(err, tsp.ErrUsage) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, gm := range []bool{true, false} {
		k := newTrack(f, gm, nil)
		s := service(f, k.config(&ledger{}))
		d, err := signeddata.DigestFor(k.cert)
		if err != nil {
			f.Fatal(err)
		}
		q, err := tsp.Request{Imprint: tsp.Over(d, []byte("x")), Nonce: big.NewInt(7), Certs: true}.DER()
		if err != nil {
			f.Fatal(err)
		}
		reply, err := s.Respond(context.Background(), q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(q)
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if r, err := tsp.ParseRequest(der); err == nil {
			if _, err := r.DER(); err != nil {
				t.Fatal(err)
			}
		}
		token, err := tsp.ParseResponse(der)
		if err != nil {
			token = der
		}
		if tok, err := tsp.ParseToken(token); err == nil {
			_ = tok.Verify([]byte("y")) // must not panic; "y" was never stamped
		}
	})
}
