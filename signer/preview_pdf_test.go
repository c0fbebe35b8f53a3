package signer_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
	"github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
	"github.com/yinxin-gov/yinxin/signer/signertest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func judged(t *testing.T, h *house, doc []byte) verify.Report {
	t.Helper()
	rep, err := verify.Document(context.Background(), doc, verify.Options{
		Trust: verify.NewTrust(h.unitCert, h.makerCert), Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func codes(ws []svg.Warning) (out []string) {
	for _, w := range ws {
		out = append(out, w.Code)
	}
	return out
}

// A PDF is shown as an OFD is: each widget with a frame, a number and the verdict
// of its signature (issue 3, item 9); on turned and cropped pages too.
func TestPreviewPDF(t *testing.T) {
	t.Parallel() // pictures are slow under the race detector
	h := newHouse(t)
	h.makeSeal(t)
	opt := signer.PreviewOptions{Painter: pdfviewtest.New(t, pdfview.Config{})}
	for name, o := range map[string]pdftest.Options{
		"upright": {Pages: 2}, "turned": {Pages: 2, Rotate: 90, Style: pdftest.Stream},
	} {
		doc := pdftest.Letter(o)
		got, err := h.Seal(context.Background(), clerk, h.approve(t, doc).ID, doc, signer.Placement{})
		if err != nil {
			t.Fatal(err)
		}
		rep := judged(t, h, got.Document)
		for page, stamps := range []int{0, 1} {
			r, err := signer.Preview(context.Background(), got.Document, rep, page, opt)
			if err != nil {
				t.Fatal(err)
			}
			out := string(r.SVG)
			if n := strings.Count(out, `<g class="stamp valid"`); n != stamps || strings.Count(out, "data:image/png") != 1 {
				t.Errorf("%s, page %d: %d stamps", name, page, n)
			}
			if got := codes(r.Warnings); len(got) != 1 || got[0] != svg.WarnFonts {
				t.Errorf("%s: warnings %v", name, r.Warnings)
			}
		}
		if n, err := signer.PageCount(got.Document); err != nil || n != 2 {
			t.Errorf("%d pages, %v", n, err)
		}
		failed := rep
		failed.Checks = []verify.Check{{ID: "x", Result: verify.Fail}}
		if r, err := signer.Preview(context.Background(), got.Document, failed, 1, opt); err != nil || strings.Contains(string(r.SVG), "stamp valid") {
			t.Errorf("a seal on an unsound document is shown as valid: %v", err)
		}
		for what, c := range map[string]struct {
			rep  verify.Report
			page int
			opt  signer.PreviewOptions
			want error
		}{
			"page 3": {rep, 2, opt, svg.ErrPage}, "page -1": {rep, -1, opt, svg.ErrPage}, "no engine": {rep, 0, signer.PreviewOptions{}, signer.ErrDocument},
			"report of another": {judged(t, h, doc), 0, opt, signer.ErrReport}, "report of an OFD": {verify.Report{Format: "ofd"}, 0, opt, signer.ErrReport},
		} {
			if _, err := signer.Preview(context.Background(), got.Document, c.rep, c.page, c.opt); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// sealWith puts the house's seal on a document behind any picture.
func (h *house) sealWith(t *testing.T, e signer.Seal, doc []byte, r pdf.Request) []byte {
	t.Helper()
	r.Time, r.Reserve = now, len(e.DER)+4096
	q, err := pdf.Prepare(doc, r)
	if err != nil {
		t.Fatal(err)
	}
	sum := sm3.New()
	if err := q.Digest(sum); err != nil {
		t.Fatal(err)
	}
	value, err := seal.Sign(seal.SignSpec{
		SealDER: e.DER, CertDER: e.CertDER, Time: now, DataHash: sum.Sum(nil), Property: "/" + q.Field(),
	}, h.keys["unit"])
	if err != nil {
		t.Fatal(err)
	}
	out, err := q.Finish(value)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a widget draws is free, so a valid seal can stand behind the picture of
// another one, or under a patch: the preview says so, and shows no green frame.
func TestPreviewPDFOtherAppearance(t *testing.T) {
	t.Parallel() // pictures are slow under the race detector
	h := newHouse(t)
	e := h.makeSeal(t)
	opt := signer.PreviewOptions{Painter: pdfviewtest.New(t, pdfview.Config{}), Differs: "外观不符"}
	own := signertest.Picture(t).Data
	other, err := picture.Draw(picture.Spec{Unit: "样例区大数据教育局"})
	if err != nil {
		t.Fatal(err)
	}
	clear, white := sheet(t, color.Transparent), sheet(t, color.White)
	// A patch of a later annotation over the seal, in the file before it was sealed.
	patch := pdftest.Sheet("/Annots [5 0 R 6 0 R]", "0 0 9 9 re f",
		"<</Type /Annot /Subtype /Square /Rect [20 20 30 30] /F 4 /AP <</N 7 0 R>>>>",
		"<</Type /Annot /Subtype /Square /Rect [345 160 400 230] /F 4 /AP <</N 7 0 R>>>>",
		pdftest.StreamOf("/Type /XObject /Subtype /Form /BBox [0 0 10 10]", "1 1 1 rg 0 0 10 10 re f"))
	text := pdftest.Sheet("", strings.Repeat("q 1 0 0 1 340 150 cm 0 0 120 4 re 0 20 120 4 re 0 40 120 4 re f Q ", 2))
	for name, c := range map[string]struct {
		doc, show []byte
		w, h      float64
		same      bool
	}{
		"its own":             {text, own, 42, 42, true},
		"its own, squeezed":   {text, own, 60, 30, true},
		"another unit's":      {text, other, 42, 42, false},
		"nothing":             {text, clear, 42, 42, false},
		"a patch beside it":   {patch, own, 42, 42, true},
		"its own upside down": {pdftest.Sheet("/Rotate 180", ""), own, 42, 42, true},
	} {
		out := h.sealWith(t, e, c.doc, pdf.Request{Picture: c.show, X: 120, Y: 210, W: c.w, H: c.h})
		rep := judged(t, h, out)
		if rep.Verdict != verify.Valid {
			t.Fatalf("%s: %+v", name, rep)
		}
		r, err := signer.Preview(context.Background(), out, rep, 0, opt)
		if err != nil {
			t.Fatal(err)
		}
		green := bytes.Contains(r.SVG, []byte("stamp valid"))
		if name == "its own" { // and what it becomes when a later signature covers it
			covered := h.sealWith(t, e, out, pdf.Request{Picture: white, X: 125, Y: 215, W: 20, H: 20})
			r, err := signer.Preview(context.Background(), covered, judged(t, h, covered), 0, opt)
			if err != nil || bytes.Contains(r.SVG, []byte("stamp valid")) {
				t.Errorf("%s, covered: %v, %v", name, r.Warnings, err)
			}
		}
		said := bytes.Contains(r.SVG, []byte("外观不符")) && slices.Contains(codes(r.Warnings), svg.WarnStamp)
		if green != c.same || said == c.same {
			t.Errorf("%s: green %v, said %v, %v", name, green, said, r.Warnings)
		}
	}
}

// sheet is a picture of one colour.
func sheet(t *testing.T, c color.Color) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	draw.Draw(m, m.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A ride seal (骑缝章) and further stamps on a PDF: one signature, each page with
// its slice, each slice recognised (GM/T 0112-2021, 7).
func TestRideSealPDF(t *testing.T) {
	t.Parallel() // pictures are slow under the race detector
	h := newHouse(t)
	e := h.makeSeal(t)
	ctx := context.Background()
	v := pdfviewtest.New(t, pdfview.Config{})
	key := h.keys["unit"]
	base := signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now}
	for name, c := range map[string]struct {
		o      pdftest.Options
		stamps []signer.Placement
		each   int // stamps on the second page
	}{
		"right":           {pdftest.Options{Pages: 3}, []signer.Placement{{Ride: signer.EdgeRight}}, 1},
		"left, turned":    {pdftest.Options{Pages: 3, Rotate: 90, Form: true}, []signer.Placement{{Ride: signer.EdgeLeft}}, 1},
		"bottom, turned":  {pdftest.Options{Pages: 4, Rotate: 270, Style: pdftest.Stream}, []signer.Placement{{Ride: signer.EdgeBottom}}, 1},
		"top and corner":  {pdftest.Options{Pages: 2, Style: pdftest.Hybrid}, []signer.Placement{{}, {Ride: signer.EdgeTop}}, 2},
		"keyword and all": {pdftest.Options{Pages: 2, Form: true}, []signer.Placement{{Keyword: "page 2"}, {Ride: signer.EdgeRight}, {Page: 2, X: 10, Y: 200}}, 3},
	} {
		job := base
		job.Placement, job.Also = c.stamps[0], c.stamps[1:]
		doc := pdftest.Letter(c.o)
		job, err := signer.Locate(ctx, doc, job, v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, err := signer.Prepare(doc, job, key.Public())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out, err := p.Sign(ctx, key)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := h.sealWith(t, e, out, pdf.Request{})
		for seals, out := range map[int][]byte{1: out, 2: again} {
			rep := judged(t, h, out)
			if rep.Verdict != verify.Valid || len(rep.Signatures) != seals {
				t.Fatalf("%s: %+v", name, rep)
			}
			if seals == 2 && name != "right" { // one is enough to see that nothing moved
				continue
			}
			if c.o.Form { // … and as many kinds of pages
				continue
			}
			r, err := signer.Preview(ctx, out, rep, 1, signer.PreviewOptions{Painter: v})
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(r.SVG, []byte(`<g class="stamp valid"`)); n != c.each || slices.Contains(codes(r.Warnings), svg.WarnStamp) {
				t.Errorf("%s: %d stamps, %v", name, n, r.Warnings)
			}
		}
		sound(t, out)
	}
}

// sound asks qpdf, which knows nothing of this house.
func sound(t *testing.T, doc []byte) {
	t.Helper()
	tool := stranger(t, "qpdf")
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(tool, "--check", file).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %v\n%s", err, b)
	}
}

func stranger(t *testing.T, name string) string {
	t.Helper()
	tool, err := exec.LookPath(name)
	if err == nil {
		return tool
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: make servers", name)
	}
	t.Skipf("SKIPPED: %s is not installed", name)
	return ""
}

func TestLocateRefuses(t *testing.T) {
	h := newHouse(t)
	e := h.makeSeal(t)
	v := pdfviewtest.New(t, pdfview.Config{})
	doc := pdftest.Letter(pdftest.Options{Pages: 2})
	job := signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: now, Placement: signer.Placement{Keyword: "nowhere"}}
	if _, err := signer.Locate(context.Background(), doc, job, v); !errors.Is(err, signer.ErrDocument) {
		t.Errorf("no such text: %v", err)
	}
	job.Placement = signer.Placement{Keyword: "page 1", Page: 2}
	if _, err := signer.Locate(context.Background(), doc, job, v); !errors.Is(err, signer.ErrDocument) {
		t.Errorf("text on another page: %v", err)
	}
	job.Placement.Page = 0
	if _, err := signer.Prepare(doc, job, h.keys["unit"].Public()); !errors.Is(err, signer.ErrDocument) {
		t.Errorf("not located: %v", err)
	}
	got, err := signer.Locate(context.Background(), doc, job, v)
	if p := got.Placement; err != nil || p.Page != 1 || p.Keyword != "" || p.X < 40 || p.X > 60 || p.Y < 20 || p.Y > 35 {
		t.Errorf("%+v, %v", p, err)
	}
	job.Placement = signer.Placement{Ride: signer.EdgeLeft}
	if _, err := signer.Prepare(pdftest.Letter(pdftest.Options{}), job, h.keys["unit"].Public()); !errors.Is(err, signer.ErrDocument) {
		t.Errorf("one page has no 骑缝: %v", err)
	}
}
