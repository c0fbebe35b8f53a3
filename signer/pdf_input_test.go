package signer_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
	"github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest"
	"github.com/yinxin-gov/yinxin/signer/signertest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// rewritten is a file as qpdf writes it.
func rewritten(t *testing.T, doc []byte, args ...string) []byte {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	if err := os.WriteFile(in, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(stranger(t, "qpdf"), append(args, in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("qpdf %v: %v\n%s", args, err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// printed is a page as Chromium prints it.
func printed(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	page, out := filepath.Join(dir, "x.html"), filepath.Join(dir, "x.pdf")
	if err := os.WriteFile(page, []byte(`<meta charset=utf-8><h1>关于样例工作的通知</h1><p style="break-after:page">正文</p><p>样例区数据局`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(stranger(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--print-to-pdf="+out, page)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every kind of file that the world's writers make is sealed, verified, found
// sound by qpdf, and shows its seal where it was put.
func TestSealPDFOfEveryKind(t *testing.T) {
	t.Parallel() // pictures are slow under the race detector
	h := newHouse(t)
	e := h.makeSeal(t)
	ctx := context.Background()
	v := pdfviewtest.New(t, pdfview.Config{})
	letter := pdftest.Letter(pdftest.Options{Pages: 2})
	content := "0 0 1 rg 300 400 9 9 re f"
	for name, doc := range map[string][]byte{
		"linearized (F.3)":                  rewritten(t, letter, "--linearize"),
		"linearized with streams":           rewritten(t, letter, "--linearize", "--object-streams=generate"),
		"object streams (7.5.7)":            rewritten(t, letter, "--object-streams=generate"),
		"hybrid (7.5.8.4)":                  pdftest.Letter(pdftest.Options{Pages: 2, Style: pdftest.Hybrid}),
		"printed by Chromium":               printed(t),
		"updated by others":                 pdftest.Revise(pdftest.Revise(letter, "7 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj"), "20 0 obj\n(x)\nendobj"),
		"form and lists of annotations":     pdftest.Letter(pdftest.Options{Pages: 2, Form: true}),
		"crop box off the origin (14.11.2)": pdftest.Sheet("/CropBox [100 200 500 800]", content),
		"crop box, turned":                  pdftest.Sheet("/CropBox [100 200 500 800] /Rotate 90", content),
		"negative media box":                pdftest.Sheet("/MediaBox [-300 -400 295 442]", content),
		"corners the other way round":       pdftest.Sheet("/MediaBox [595 842 0 0]", content),
		"turned by -90":                     pdftest.Sheet("/Rotate -90", content),
		"no line end":                       pdftest.Letter(pdftest.Options{Pages: 2, NoEOL: true}),
	} {
		job := signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now}
		last, err := signer.PageCount(doc)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if last > 1 {
			job.Also = []signer.Placement{{Ride: signer.EdgeRight}}
		}
		p, err := signer.Prepare(doc, job, h.keys["unit"].Public())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := p.Sign(ctx, h.keys["unit"])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sound(t, out)
		rep := judged(t, h, out)
		if rep.Verdict != verify.Valid {
			t.Errorf("%s: %+v", name, rep)
		}
		if last > 1 { // the others are about where the seal lands
			continue
		}
		r, err := signer.Preview(ctx, out, rep, last-1, signer.PreviewOptions{Painter: v})
		if n := bytes.Count(r.SVG, []byte(`<g class="stamp valid"`)); err != nil || n != 1 || slices.Contains(codes(r.Warnings), svg.WarnStamp) {
			t.Errorf("%s: %d stamps, %v, %v", name, n, r.Warnings, err)
		}
	}
}

// What must not be sealed is refused with its reason, and nothing is written.
func TestSealPDFRefusesKinds(t *testing.T) {
	h := newHouse(t)
	e := h.makeSeal(t)
	letter := pdftest.Letter(pdftest.Options{})
	for name, c := range map[string]struct {
		doc  []byte
		want error
	}{
		"encrypted, empty password": {rewritten(t, letter, "--encrypt", "", "owner", "256", "--"), pdf.ErrEncrypted},
		"encrypted":                 {rewritten(t, letter, "--encrypt", "user", "owner", "256", "--"), pdf.ErrEncrypted},
		"certified with P 1": {pdftest.Letter(pdftest.Options{
			Extra: " /Perms <</DocMDP <</Type /Sig /Reference [<</TransformMethod /DocMDP /TransformParams <</P 1>>>>]>>>>"}), pdf.ErrLocked},
		"XFA form": {pdftest.Letter(pdftest.Options{Extra: " /AcroForm <</Fields [] /XFA []>>"}), pdf.ErrUnsupported},
	} {
		job := signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now}
		if _, err := signer.Prepare(c.doc, job, h.keys["unit"].Public()); !errors.Is(err, signer.ErrDocument) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A unit of user space may be more than a point (UserUnit, 14.11): the seal keeps
// its millimetres.
func TestSealPDFUserUnit(t *testing.T) {
	h := newHouse(t)
	e := h.makeSeal(t)
	doc := pdftest.Sheet("/UserUnit 2 /MediaBox [0 0 298 421]", "")
	p, err := signer.Prepare(doc, signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now, Placement: signer.Placement{X: 100, Y: 50}}, h.keys["unit"].Public())
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Sign(context.Background(), h.keys["unit"])
	if err != nil {
		t.Fatal(err)
	}
	d, err := pdf.OpenBytes(out)
	if err != nil {
		t.Fatal(err)
	}
	sigs, err := d.Signatures()
	if err != nil || len(sigs) != 1 || len(sigs[0].Places) != 1 {
		t.Fatalf("%+v, %v", sigs, err)
	}
	at := sigs[0].Places[0]
	for i, d := range []float64{at.X - 100, at.Y - 50, at.W - 42, at.H - 42} {
		if math.Abs(d) > 0.01 {
			t.Errorf("measure %d is %f away: %+v", i, d, at)
		}
	}
}

// Further stamps trouble no other verifier: pdfsig finds one signature over the
// whole file (ISO 32000-1, 12.7.4.5: one widget a field).
func TestStampsWithPdfsig(t *testing.T) {
	tool := stranger(t, "pdfsig")
	key, cert := signerEC(t)
	own := signertest.Picture(t).Data
	q, err := pdf.Prepare(pdftest.Letter(pdftest.Options{Pages: 3}), pdf.Request{
		Filter: pdf.FilterCMS, SubFilter: pdf.SubFilterCAdES, Time: now, Reserve: 8192, Picture: own, Page: 1, X: 100, Y: 200, W: 42, H: 42,
		Also: []pdf.Stamp{{Page: 2, X: 196, Y: 100, W: 42, H: 42, Clip: &pdf.Rect{W: 14, H: 42}}, {Page: 3, X: 10, Y: 10, W: 42, H: 42}},
	})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := signeddata.DigestFor(cert)
	if err != nil {
		t.Fatal(err)
	}
	sum := digest.New()
	if err := q.Digest(sum); err != nil {
		t.Fatal(err)
	}
	value, err := signeddata.Sign(signeddata.Spec{CertDER: cert, Digest: sum.Sum(nil)}, key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := q.Finish(value)
	if err != nil {
		t.Fatal(err)
	}
	says := pdfsig(t, tool, out)
	if !strings.Contains(says, "Signature is Valid.") || !strings.Contains(says, "Total document signed") || strings.Contains(says, "Signature #2") {
		t.Errorf("pdfsig:\n%s", says)
	}
	sound(t, out)
}
