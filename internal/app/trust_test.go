package app

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// The house vouches for both of its tracks, as internal authorities, and knows of
// revocations on both: a PAdES signature with a certificate of the ECDSA track and
// a time-stamp of its own service. It is no seal.
func TestTrustOfBothTracks(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	at := time.Now()
	cfg.Now = func() time.Time { return at }
	_, err := Init(bg, cfg, three)
	ok(t, err)
	h, err := Open(bg, cfg)
	ok(t, err)
	defer func() { ok(t, h.Close()) }()
	server, err := h.StepCA.ServerCertificate(bg, cfg.Names)
	ok(t, err)
	cert, err := server.GetCertificate(&tls.ClientHelloInfo{ServerName: cfg.Names[0]})
	ok(t, err)
	sign := func(by signer.Stamper) []byte {
		out, err := signer.SignPDF(bg, pdftest.Letter(pdftest.Options{}), signer.PDFSignature{CertDER: cert.Leaf.Raw, Time: h.now(), Stamper: by}, cert.PrivateKey.(crypto.Signer))
		ok(t, err)
		return out
	}
	bare, stamped := sign(nil), sign(h.stamps.ecdsa)
	expect := func(doc []byte, want verify.Verdict) verify.Signature {
		t.Helper()
		rep, err := h.Verify(bg, doc)
		ok(t, err)
		if rep.Verdict != want {
			t.Errorf("%s, want %s: %+v", rep.Verdict, want, rep.Signatures[0].Checks)
		}
		for _, w := range rep.Warnings {
			if w.Code == verify.WarnNoRevocation {
				t.Error("nobody knows of revocations")
			}
		}
		return rep.Signatures[0]
	}
	if s := expect(stamped, verify.Valid); s.Kind != "pdf" || s.TrustedTime == "" {
		t.Errorf("%+v", s)
	}
	expect(bare, verify.Valid)
	r, _, err := h.Report(bg, ReportRequest{Document: stamped, Level: report.Detailed})
	ok(t, err)
	if s := r.Signatures[0]; s.Effect != report.EffectTechnical || s.Detail.Accreditation.Status != report.AccreditationSelf {
		t.Errorf("%s %+v", s.Effect, s.Detail.Accreditation)
	}
	wantErr(t, sealed{h.Verify}.CheckSealed(bg, stamped), exchange.ErrDocument)

	// Who verifies with the anchors of the house comes to the same.
	dir := t.TempDir()
	ok(t, h.CopyAnchors(dir))
	trust, err := verify.ReadTrust(dir)
	ok(t, err)
	for _, der := range [][]byte{h.anchors.sm2Root.Raw, h.anchors.sm2Issuing.Raw, h.anchors.ecdsaRoot.Raw, h.anchors.ecdsaIssuing.Raw} {
		if l := trust.Licences(der); len(l) != 1 || !l[0].Internal {
			t.Errorf("%+v", l)
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, fileECDSARoot)); err != nil || !bytes.Equal(raw, ca.PEM(h.anchors.ecdsaRoot.Raw)) {
		t.Error(err)
	}

	at = at.Add(time.Minute)
	ok(t, h.CA.Revoke(bg, h.service(), ecdsaID(h.anchors.ecdsaIssuing), ca.FormatSerial(cert.Leaf.SerialNumber), ca.ReasonSuperseded))
	expect(stamped, verify.Valid) // proven to be older
	expect(bare, verify.Indeterminate)
}
