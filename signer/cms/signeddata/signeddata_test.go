package signeddata_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
)

var now = time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC)

func signer(t testing.TB, gm bool) (crypto.Signer, []byte) {
	t.Helper()
	var key crypto.Signer
	var err error
	if gm {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "signer"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func sign(t testing.TB, gm bool, content []byte) (msg, digest, cert []byte) {
	t.Helper()
	key, cert := signer(t, gm)
	d, err := signeddata.DigestFor(cert)
	if err != nil {
		t.Fatal(err)
	}
	digest = d.Of(content)
	if msg, err = signeddata.Sign(signeddata.Spec{Digest: digest, Time: now, CertDER: cert}, key); err != nil {
		t.Fatal(err)
	}
	return msg, digest, cert
}

// Every byte of a message matters, but for the head that announces what stands
// again in the signer's part (RFC 5652, 5.1).
func TestVerifyRFC5652(t *testing.T) {
	for _, gm := range []bool{true, false} {
		msg, digest, cert := sign(t, gm, []byte("content"))
		m, err := signeddata.Parse(msg)
		if err != nil || m.Verify(digest) != nil || m.GM != gm || !bytes.Equal(m.CertDER, cert) || !m.Time.Equal(now) {
			t.Fatalf("%+v, %v", m, err)
		}
		head := bytes.Index(msg, cert) - 4
		for i := range msg {
			bad := bytes.Clone(msg)
			bad[i] ^= 1
			if m, err := signeddata.Parse(bad); err == nil && m.Verify(digest) == nil && i > head {
				t.Errorf("GM %v: byte %d of %d does not matter", gm, i, len(msg))
			}
		}
	}
}

// What is signed with SM2 here is SignedData of GB/T 35275 for the stricter reader.
func TestReadByCMS(t *testing.T) {
	msg, _, _ := sign(t, true, []byte("content"))
	if _, err := cms.VerifyDetached(msg, []byte("content")); err != nil {
		t.Error(err)
	}
}

func TestOpenSSLVerifies(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	msg, _, cert := sign(t, false, []byte("content"))
	for name, b := range map[string][]byte{
		"m": msg, "ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), "content": []byte("content"), "other": []byte("contenT"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(file string) (string, error) {
		cmd := exec.Command(tool, "cms", "-verify", "-binary", "-cades", "-inform", "DER", "-in", "m", "-content", file,
			"-CAfile", "ca.pem", "-out", os.DevNull, "-attime", "1780279300")
		cmd.Dir = dir
		b, err := cmd.CombinedOutput()
		return string(b), err
	}
	if out, err := verify("content"); err != nil || !strings.Contains(strings.ToLower(out), "verification successful") {
		t.Errorf("%v %s", err, out)
	}
	if out, err := verify("other"); err == nil {
		t.Errorf("other content: %s", out)
	}
}

func TestSignRefuses(t *testing.T) {
	key, cert := signer(t, false)
	other, _ := signer(t, false)
	digest := make([]byte, 32)
	for name, c := range map[string]struct {
		spec signeddata.Spec
		key  crypto.Signer
		want error
	}{
		"no certificate": {signeddata.Spec{Digest: digest}, key, signeddata.ErrCertificate},
		"another key":    {signeddata.Spec{Digest: digest, CertDER: cert}, other, signeddata.ErrCertificate},
		"short digest":   {signeddata.Spec{Digest: digest[:20], CertDER: cert}, key, signeddata.ErrFormat},
		"far future":     {signeddata.Spec{Digest: digest, CertDER: cert, Time: now.AddDate(100, 0, 0)}, key, signeddata.ErrUnsupported},
	} {
		if _, err := signeddata.Sign(c.spec, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, gm := range []bool{true, false} {
		msg, _, _ := sign(f, gm, []byte("content"))
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if m, err := signeddata.Parse(der); err == nil {
			_ = m.VerifyValue() // must not panic
		}
	})
}
