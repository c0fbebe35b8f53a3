package signer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// A PDF goes the same way as an OFD: request, approval, seal (design §2 law 4).
func TestSealPDF(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := pdftest.Letter(pdftest.Options{Pages: 2})
	u := h.approve(t, doc)
	got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := verify.Document(context.Background(), got.Document, verify.Options{
		Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now },
	})
	if err != nil || rep.Verdict != verify.Valid || rep.Signatures[0].SealID != sealID || !bytes.HasPrefix(got.Document, doc) {
		t.Errorf("%+v, %v", rep, err)
	}
	if _, _, err := h.RequestUse(context.Background(), clerk, signer.UseRequest{Seal: sealID, Document: doc[:len(doc)-40], Title: "cut"}); !errors.Is(err, signer.ErrDocument) {
		t.Errorf("broken document: %v", err)
	}
}

func signerEC(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "Data Bureau"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0), KeyUsage: smx509.KeyUsageDigitalSignature,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

// poppler's pdfsig, which knows nothing of this house, verifies the signature,
// sees that it covers the whole document, and sees a change (ETSI EN 319 142-1).
func TestPAdESWithPdfsig(t *testing.T) {
	tool, err := exec.LookPath("pdfsig")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pdfsig is missing: make servers")
		}
		t.Skip("pdfsig (poppler-utils) is not installed")
	}
	key, cert := signerEC(t)
	for name, o := range map[string]pdftest.Options{
		"table": {}, "stream": {Style: pdftest.Stream, Form: true}, "hybrid": {Style: pdftest.Hybrid},
	} {
		for _, old := range []bool{false, true} {
			out, err := signer.SignPDF(context.Background(), pdftest.Letter(o),
				signer.PDFSignature{CertDER: cert, Time: now, Name: "Data Bureau", PKCS7: old}, key)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			says := pdfsig(t, tool, out)
			for _, want := range []string{"Signature is Valid.", "Total document signed", "SHA-256", "Data Bureau"} {
				if !strings.Contains(says, want) {
					t.Errorf("%s, PKCS7 %v: no %q in\n%s", name, old, want, says)
				}
			}
			says = pdfsig(t, tool, bytes.Replace(out, []byte("(Letter, page 1)"), []byte("(Lottery page 1)"), 1))
			if !strings.Contains(says, "Digest Mismatch") {
				t.Errorf("%s: changed, and pdfsig says\n%s", name, says)
			}
		}
	}
}

func pdfsig(t *testing.T, tool string, doc []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, file)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+t.TempDir())
	b, err := cmd.CombinedOutput()
	if len(b) == 0 {
		t.Fatalf("pdfsig: %v", err)
	}
	return string(b)
}

func TestSignPDFRefuses(t *testing.T) {
	key, cert := signerEC(t)
	other, _ := signerEC(t)
	ctx := context.Background()
	letter := pdftest.Letter(pdftest.Options{})
	for name, c := range map[string]struct {
		doc []byte
		s   signer.PDFSignature
		key *ecdsa.PrivateKey
	}{
		"no document":        {[]byte("text"), signer.PDFSignature{CertDER: cert, Time: now}, key},
		"no certificate":     {letter, signer.PDFSignature{Time: now}, key},
		"another key":        {letter, signer.PDFSignature{CertDER: cert, Time: now}, other},
		"outside its period": {letter, signer.PDFSignature{CertDER: cert, Time: now.AddDate(-2, 0, 0)}, key},
	} {
		if out, err := signer.SignPDF(ctx, c.doc, c.s, c.key); err == nil || out != nil {
			t.Errorf("%s: signed, %v", name, err)
		}
	}
}
