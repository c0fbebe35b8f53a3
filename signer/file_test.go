package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// draft is an empty file of the test.
func draft(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "draft"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

type party struct {
	key  crypto.Signer
	cert []byte
}

func signerSM2(t testing.TB) (crypto.Signer, []byte) {
	t.Helper()
	h := newHouse(t)
	cert := h.Key(t, "file", "样例区大数据管理局")
	return h.Keys["file"], cert
}

func parties(t testing.TB) map[string]party {
	t.Helper()
	gm, gmCert := signerSM2(t)
	ec, ecCert := signerEC(t)
	return map[string]party{"SM2": {gm, gmCert}, "ECDSA": {ec, ecCert}}
}

// Any file, also the empty one, on both tracks, detached and enveloping: what is
// written verifies, and names the SM3 of what was signed and of itself.
func TestSignFile(t *testing.T) {
	for track, p := range parties(t) {
		for _, enveloping := range []bool{false, true} {
			for _, content := range [][]byte{{}, []byte("任意文件"), bytes.Repeat([]byte("x"), 200_000)} {
				out := draft(t)
				got, err := signer.SignFile(context.Background(), out, bytes.NewReader(content), int64(len(content)),
					signer.FileSignature{CertDER: p.cert, Time: now, Enveloping: enveloping, SM3: signer.Digest(content)}, p.key)
				if err != nil {
					t.Fatalf("%s, enveloping %v, %d bytes: %v", track, enveloping, len(content), err)
				}
				der, err := os.ReadFile(out.Name())
				if err != nil || got.Document != signer.Digest(content) || got.Sealed != signer.Digest(der) {
					t.Errorf("%s: %+v %v", track, got, err)
				}
				opt := verify.Options{Trust: verify.NewTrust(p.cert), Now: func() time.Time { return now }}
				if !enveloping {
					opt.Content, opt.ContentSize = bytes.NewReader(content), int64(len(content))
				}
				rep, err := verify.Document(context.Background(), der, opt)
				if err != nil || rep.Verdict != verify.Valid || rep.Integrity != verify.Intact {
					t.Errorf("%s: %+v %v", track, rep, err)
				}
				if enveloping && len(content) > 0 && !bytes.Contains(der, content) {
					t.Error("the content does not stand in one piece")
				}
			}
		}
	}
}

// OpenSSL, which knows nothing of this house, verifies what the ECDSA track
// writes, as CAdES too, and gives the content back (RFC 5652; EN 319 122-1).
func TestSignFileForOpenSSL(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	key, cert := signerEC(t)
	content := bytes.Repeat([]byte("content\r\n"), 9000)
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"content": content, "other": append([]byte("x"), content...), "empty": {},
		"ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sign := func(name string, content []byte, enveloping bool) {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s := signer.FileSignature{CertDER: cert, Time: now, Enveloping: enveloping}
		if _, err := signer.SignFile(context.Background(), f, bytes.NewReader(content), int64(len(content)), s, key); err != nil {
			t.Fatal(err)
		}
	}
	sign("content.p7s", content, false)
	sign("content.p7m", content, true)
	sign("empty.p7m", nil, true)
	verified := func(args ...string) (string, bool) {
		args = append([]string{"cms", "-verify", "-binary", "-inform", "DER", "-CAfile", "ca.pem", "-out", "got"}, args...)
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	for _, args := range [][]string{
		{"-in", "content.p7s", "-content", "content"}, {"-in", "content.p7s", "-content", "content", "-cades"}, {"-in", "content.p7m"}, {"-in", "content.p7m", "-cades"},
	} {
		out, ok := verified(args...)
		got, err := os.ReadFile(filepath.Join(dir, "got"))
		if !ok || err != nil || !bytes.Equal(got, content) {
			t.Errorf("%v: %s %v", args, out, err)
		}
	}
	if out, ok := verified("-in", "empty.p7m"); !ok {
		t.Errorf("empty: %s", out)
	}
	if out, ok := verified("-in", "content.p7s", "-content", "other"); ok {
		t.Errorf("other content: %s", out)
	}
}

// restless is a content that is another after the first reading.
type restless struct {
	io.ReaderAt
	size int64
	mu   sync.Mutex
	read int64
}

func (r *restless) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, at)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read >= r.size && n > 0 {
		p[0] ^= 1
	}
	r.read += int64(n)
	return n, err
}

// Bad input and bad parts: an error that says which, and no message that would
// pass for one.
func TestSignFileRefuses(t *testing.T) {
	key, cert := signerSM2(t)
	other, _ := signerSM2(t)
	ca := &smx509.Certificate{
		SerialNumber: big.NewInt(4), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageCertSign,
	}
	authority, err := smx509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("content")
	cancelled, stop := context.WithCancel(context.Background())
	stop()
	for name, c := range map[string]struct {
		ctx     context.Context
		content io.ReaderAt
		size    int64
		s       signer.FileSignature
		key     crypto.Signer
		want    error
	}{
		"another key":        {key: other, want: signer.ErrCertificate},
		"no certificate":     {s: signer.FileSignature{CertDER: []byte("x"), Time: now}, want: signer.ErrCertificate},
		"an authority":       {s: signer.FileSignature{CertDER: authority, Time: now}, want: signer.ErrCertificate},
		"outside its period": {s: signer.FileSignature{CertDER: cert, Time: now.AddDate(-5, 0, 0)}, want: signer.ErrCertificate},
		"not the approved":   {s: signer.FileSignature{CertDER: cert, Time: now, SM3: signer.Digest([]byte("other"))}, want: signer.ErrChanged},
		"grew":               {size: 3, want: signer.ErrChanged},
		"shrank":             {size: 9, want: signer.ErrChanged},
		"changes, detached":  {content: &restless{ReaderAt: bytes.NewReader(content), size: 7}, want: signer.ErrSelfCheck},
		"changes, enveloping": {content: &restless{ReaderAt: bytes.NewReader(content), size: 7},
			s: signer.FileSignature{CertDER: cert, Time: now, Enveloping: true}, want: signer.ErrSelfCheck},
		"no time-stamp": {s: signer.FileSignature{CertDER: cert, Time: now, Stamper: silent{}}, want: signer.ErrStamp},
		"cancelled":     {ctx: cancelled, want: context.Canceled},
	} {
		if c.ctx == nil {
			c.ctx = context.Background()
		}
		if c.content == nil {
			c.content = bytes.NewReader(content)
		}
		if c.size == 0 {
			c.size = int64(len(content))
		}
		if c.s.CertDER == nil {
			c.s = signer.FileSignature{CertDER: cert, Time: now}
		}
		if c.key == nil {
			c.key = key
		}
		if got, err := signer.SignFile(c.ctx, draft(t), c.content, c.size, c.s, c.key); !errors.Is(err, c.want) || got != (signer.FileSigned{}) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

type silent struct{}

func (silent) Stamp(context.Context, []byte) ([]byte, error) { return nil, errors.New("no answer") }

// A file of 64 MB, or 2 GB with YINXIN_SOAK=1, is signed and verified within a
// few megabytes, detached and enveloping.
func TestSignFileInConstantMemory(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("YINXIN_SOAK") != "" {
		size = 2 << 30
	}
	content := draft(t)
	if err := content.Truncate(size); err != nil { // sparse
		t.Fatal(err)
	}
	ec, cert := signerEC(t)
	gm, gmCert := signerSM2(t)
	for name, s := range map[string]signer.FileSignature{
		"SM2 detached":     {CertDER: gmCert, Time: now},
		"ECDSA enveloping": {CertDER: cert, Time: now, Enveloping: true},
	} {
		key := crypto.Signer(ec)
		if !s.Enveloping {
			key = gm
		}
		out := draft(t)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		from := time.Now()
		_, err := signer.SignFile(context.Background(), out, content, size, s, key)
		took := time.Since(from)
		runtime.ReadMemStats(&after)
		used := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d MB in %v, %.1f MB allocated in all", name, size>>20, took.Round(time.Millisecond), float64(used)/(1<<20))
		if err != nil || used > 4<<20 {
			t.Errorf("%s: %v, %d bytes allocated", name, err, used)
		}
		if err := os.Remove(out.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// The manifest says which bytes stand under which name, and nothing else has its
// digest.
func TestManifest(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string]string{"b.txt": "b", "a/z.bin": "", "a.txt": "a", "甲.txt": "x", "line\n0  0  b.txt": "n", `q"uote`: "q"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{outside, "a.txt", "a"} {
		if err := os.Symlink(to, filepath.Join(dir, "link-"+filepath.Base(to))); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	m, err := signer.List(context.Background(), os.DirFS(dir), func(string) { seen++ })
	if err != nil || seen != 6 || len(m) != 6 {
		t.Fatalf("%d, %v", seen, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(m.Text()), "\n"), "\n")
	want := []string{
		signer.Digest([]byte("a")) + "  1  a.txt", signer.Digest(nil) + "  0  a/z.bin", signer.Digest([]byte("b")) + "  1  b.txt",
		signer.Digest([]byte("n")) + `  1  "line\n0  0  b.txt"`, signer.Digest([]byte("q")) + `  1  "q\"uote"`, signer.Digest([]byte("x")) + "  1  甲.txt",
	}
	if strings.Join(lines, "|") != strings.Join(want, "|") || m.Digest() != signer.Digest(m.Text()) {
		t.Errorf("%q\n%q", lines, want)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := signer.List(ctx, os.DirFS(dir), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkSignFile prints what signing costs in raw SM2 signatures (small files)
// and how fast a large file streams against raw SM3 over the same bytes.
func BenchmarkSignFile(b *testing.B) {
	key, cert := signerSM2(b)
	for _, c := range []struct {
		name       string
		size       int64
		enveloping bool
	}{{"detached 1 kB", 1 << 10, false}, {"detached 64 MB", 64 << 20, false}, {"enveloping 64 MB", 64 << 20, true}} {
		b.Run(c.name, func(b *testing.B) {
			content := bytes.Repeat([]byte{7}, int(c.size))
			f := draft(b)
			b.ReportAllocs()
			var raw, took time.Duration // in turns, so that both see the same machine
			for b.Loop() {
				if err := f.Truncate(0); err != nil {
					b.Fatal(err)
				}
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					b.Fatal(err)
				}
				from := time.Now()
				s := signer.FileSignature{CertDER: cert, Time: now, Enveloping: c.enveloping}
				if _, err := signer.SignFile(context.Background(), f, bytes.NewReader(content), c.size, s, key); err != nil {
					b.Fatal(err)
				}
				took += time.Since(from)
				from = time.Now()
				if c.size > 1<<20 {
					sm3.Sum(content)
				} else if _, err := key.Sign(rand.Reader, content, sm2.DefaultSM2SignerOpts); err != nil {
					b.Fatal(err)
				}
				raw += time.Since(from)
			}
			b.ReportMetric(float64(c.size)*float64(b.N)/1e6/took.Seconds(), "MB/s")
			b.ReportMetric(raw.Seconds()/took.Seconds(), "of-raw")
		})
	}
}
