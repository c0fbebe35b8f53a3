package pdfview_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
	"github.com/yinxin-gov/yinxin/signer/pdfview/pdfviewtest"
)

// sheets are pages whose pictures are known.
func sheets() map[string][]byte {
	const text, frame = "BT /F1 40 Tf 100 400 Td (Letter) Tj ET ", "1 0 0 rg 150 450 200 100 re f 0 g "
	font := "/Resources <</Font <</F1 5 0 R>>>>"
	face := "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>"
	out := map[string][]byte{}
	for name, attributes := range map[string]string{
		"upright": "", "rotated 90": "/Rotate 90", "rotated 270": "/Rotate 270", "upside down": "/Rotate 180",
		"crop box": "/CropBox [50 300 450 700]", "media box off the origin": "/MediaBox [90 380 500 700]",
		"rotated crop": "/CropBox [50 300 450 700] /Rotate 90",
	} {
		out[name] = pdftest.Sheet(font+attributes, frame+text, face)
	}
	return out
}

// The pages look as poppler draws them: an engine that shares no code with this
// one.
func TestPaintAgainstPoppler(t *testing.T) {
	tool, err := exec.LookPath("pdftoppm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pdftoppm is missing: make servers")
		}
		t.Skip("SKIPPED: pdftoppm (poppler-utils) is not installed")
	}
	v := pdfviewtest.New(t, pdfview.Config{})
	for name, doc := range sheets() {
		got, err := v.Paint(context.Background(), doc, 1, 600, 600, true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b := got.Image.Bounds()
		if b.Dx() > 600 || b.Dy() > 600 || b.Dx() < 300 || b.Dy() < 300 {
			t.Errorf("%s: %v", name, b)
		}
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file+".pdf", doc, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "-r", "72", "-cropbox", "-png", "-singlefile", file+".pdf", file).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		raw, err := os.ReadFile(file + ".png")
		if err != nil {
			t.Fatal(err)
		}
		want, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(got.Image, want); d > 15 {
			t.Errorf("%s: %.1f away from poppler's picture", name, d)
		}
		if d := distance(got.Image, image.White); d < 50 {
			t.Errorf("%s: an empty page", name)
		}
	}
}

// distance is the largest difference of two pictures of one shape in 12 × 12
// fields, 0 to 255: fonts, smoothing and size may differ, places and colours not.
func distance(a, b image.Image) (most float64) {
	const n = 12
	mean := func(m image.Image, i int) (sum [3]float64) {
		r := m.Bounds()
		if r.Dx() > 1e6 { // image.White has no bounds to speak of
			return [3]float64{255, 255, 255}
		}
		x0, x1, y0, y1 := i%n*r.Dx()/n, (i%n+1)*r.Dx()/n, i/n*r.Dy()/n, (i/n+1)*r.Dy()/n
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				cr, cg, cb, _ := m.At(r.Min.X+x, r.Min.Y+y).RGBA()
				sum[0], sum[1], sum[2] = sum[0]+float64(cr)/257, sum[1]+float64(cg)/257, sum[2]+float64(cb)/257
			}
		}
		for k := range sum {
			sum[k] /= float64((x1 - x0) * (y1 - y0))
		}
		return sum
	}
	for i := range n * n {
		p, q := mean(a, i), mean(b, i)
		for k := range p {
			most = max(most, math.Abs(p[k]-q[k]))
		}
	}
	return most
}

// Text without its font: drawn with one of the system's, and named in any case.
func TestPaintWithoutFont(t *testing.T) {
	song := func(text string) []byte {
		var hexed strings.Builder
		for _, u := range utf16.Encode([]rune(text)) {
			fmt.Fprintf(&hexed, "%04x", u)
		}
		return pdftest.Sheet("/Resources <</Font <</F1 5 0 R>>>>", "BT /F1 36 Tf 72 700 Td <"+hexed.String()+"> Tj ET",
			"<</Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [6 0 R]>>",
			"<</Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo <</Registry (Adobe) /Ordering (GB1) /Supplement 2>> /FontDescriptor 7 0 R>>",
			"<</Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93>>")
	}
	doc := song("样例区数据局通知")
	bare := pdfviewtest.New(t, pdfview.Config{})
	got, err := bare.Paint(context.Background(), doc, 1, 600, 600, true)
	if err != nil || len(got.Missing) != 1 || got.Missing[0] != "STSong-Light" {
		t.Errorf("missing %v, %v", got.Missing, err)
	}
	if cjk, err := exec.Command("fc-list", ":lang=zh-cn", "file").Output(); err != nil || !strings.Contains(string(cjk), pdfview.SystemFonts()+"/") {
		t.Log("no Chinese font here: the fallback was not tried")
		return
	}
	with := pdfviewtest.New(t, pdfview.Config{Fonts: pdfview.SystemFonts()})
	if got, err = with.Paint(context.Background(), doc, 1, 600, 600, true); err != nil || distance(got.Image, image.White) < 20 || len(got.Missing) != 1 {
		t.Errorf("with fonts: %v, %v", got.Missing, err)
	}
	hits, err := with.Find(context.Background(), doc, "数据局")
	if err != nil || len(hits) != 1 || math.Abs(hits[0].Box.X0-180) > 5 || math.Abs(hits[0].Box.X1-288) > 5 {
		t.Errorf("%+v, %v", hits, err)
	}
}

func TestFind(t *testing.T) {
	v := pdfviewtest.New(t, pdfview.Config{})
	ctx := context.Background()
	doc := pdftest.Letter(pdftest.Options{Pages: 3})
	hits, err := v.Find(ctx, doc, "page  2")
	if err != nil || len(hits) != 1 || hits[0].Page != 2 {
		t.Fatalf("%+v, %v", hits, err)
	}
	if b := hits[0].Box; b.X0 < 140 || b.X1 > 260 || b.Y0 < 690 || b.Y1 > 720 {
		t.Errorf("box %+v", b)
	}
	for text, n := range map[string]int{"Letter,": 3, "letter": 0, "nowhere": 0, "  ": 0, "": 0} {
		if hits, err := v.Find(ctx, doc, text); err != nil || len(hits) != n {
			t.Errorf("%q: %+v, %v", text, hits, err)
		}
	}
	// In the page's own space, whatever turns or crops it.
	for name, doc := range sheets() {
		hits, err := v.Find(ctx, doc, "Letter")
		if err != nil || len(hits) != 1 || math.Abs(hits[0].Box.X0-103) > 3 || math.Abs(hits[0].Box.Y0-400) > 3 {
			t.Errorf("%s: %+v, %v", name, hits, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	v := pdfviewtest.New(t, pdfview.Config{})
	ctx := context.Background()
	letter := pdftest.Letter(pdftest.Options{})
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		doc   []byte
		page  int
		w, h  int
		cause error
	}{
		"not a PDF":       {ctx, []byte("text"), 1, 100, 100, pdf.ErrFormat},
		"no file":         {ctx, nil, 1, 100, 100, pdf.ErrFormat},
		"page 0":          {ctx, letter, 0, 100, 100, pdf.ErrFormat},
		"page 2 of 1":     {ctx, letter, 2, 100, 100, pdf.ErrFormat},
		"no picture":      {ctx, letter, 1, 0, 100, pdf.ErrLimit},
		"picture too big": {ctx, letter, 1, 100, 100_000, pdf.ErrLimit},
		"file too big":    {ctx, make([]byte, 64<<20+1), 1, 100, 100, pdf.ErrLimit},
		"ended context":   {ended, letter, 1, 100, 100, pdf.ErrLimit},
	} {
		if got, err := v.Paint(c.ctx, c.doc, c.page, c.w, c.h, true); !errors.Is(err, c.cause) || got.Image != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pdfview.New(pdfview.Config{Fonts: filepath.Join(t.TempDir(), "none")}).Paint(ctx, letter, 1, 10, 10, false); err == nil {
		t.Error("a folder of fonts that is not there")
	}
}

// laughs is a content of forms that call forms: ten to the power of their number.
func laughs(forms int) []byte {
	more := make([]string, 0, forms)
	for i := range forms {
		what := "0 0 500 500 re f "
		if i < forms-1 {
			what = strings.Repeat("/X Do ", 10)
		}
		more = append(more, pdftest.StreamOf(fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources <</XObject <</X %d 0 R>>>>", 6+i), what))
	}
	return pdftest.Sheet("/Resources <</XObject <</X 5 0 R>>>>", "/X Do", more...)
}

func picture(filter, w, data string) []byte {
	return pdftest.Sheet("/Resources <</XObject <</X 5 0 R>>>>", "500 0 0 500 0 0 cm /X Do",
		pdftest.StreamOf("/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 /Width "+w+" /Height "+w+filter, data))
}

// A hostile page costs its own call and nothing else: within the limits of time
// and memory it is drawn or refused, and the next letter is drawn as ever.
func TestHostile(t *testing.T) {
	v := pdfviewtest.New(t, pdfview.Config{Memory: 64 << 20, Time: time.Minute})
	short := pdfviewtest.New(t, pdfview.Config{Memory: 64 << 20, Time: time.Second})
	letter := pdftest.Letter(pdftest.Options{})
	garbage := strings.Repeat("\x97JB2\r\n\x1a\n\xff\x4f\xff\x51\x00\x00", 4000)
	loop := "<</Type /Pages /Count 1 /Kids [2 0 R]>>"
	many := make([]string, 0, 1_000_000)
	for range cap(many) {
		many = append(many, "1")
	}
	for name, c := range map[string]struct {
		doc   []byte
		drawn bool // not drawn: refused, by a limit of time or memory
	}{
		"forms to the power of nine":   {laughs(9), false},
		"form inside itself":           {pdftest.Sheet("/Resources <</XObject <</X 5 0 R>>>>", "/X Do", pdftest.StreamOf("/Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X 5 0 R>>>>", "/X Do")), true},
		"page tree that is its child":  {pdftest.Objects("<</Type /Catalog /Pages 2 0 R>>", loop), false},
		"content with 100,000 levels":  {pdftest.Sheet("", strings.Repeat("q ", 100_000)+"0 0 9 9 re f"), true},
		"arrays with 100,000 levels":   {pdftest.Sheet("/X "+strings.Repeat("[", 100_000), ""), true},
		"page as large as a continent": {pdftest.Sheet("/MediaBox [0 0 1e30 1e30]", "0 0 9 9 re f"), true},
		"page without width":           {pdftest.Sheet("/MediaBox [0 0 0 842]", ""), true},
		"a million objects":            {pdftest.Sheet("", "", many...), false},
		"picture over the memory":      {picture("", "30000", "x"), false},
		"garbage as JBIG2":             {picture("/Filter /JBIG2Decode", "3000", garbage), true},
		"garbage as JPX":               {picture("/Filter /JPXDecode", "3000", garbage), true},
		"garbage as DCT":               {picture("/Filter /DCTDecode", "3000", garbage), true},
		"garbage as Flate":             {picture("/Filter /FlateDecode", "3000", garbage), true},
	} {
		engine := v
		if !c.drawn { // what is drawn is drawn on a slow machine too
			engine = short
		}
		got, err := engine.Paint(context.Background(), c.doc, 1, 400, 400, true)
		if c.drawn != (err == nil) || err != nil && strings.Contains(err.Error(), "\n") || err != nil && !errors.Is(err, pdf.ErrLimit) && !errors.Is(err, pdf.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && got.Image.Bounds().Dx() > 400 {
			t.Errorf("%s: %v", name, got.Image.Bounds())
		}
		if again, err := v.Paint(context.Background(), letter, 1, 400, 400, true); err != nil || distance(again.Image, image.White) < 5 {
			t.Fatalf("the letter after %s: %v", name, err)
		}
	}
}

// The engine sees the fonts and nothing else of this machine.
func TestNoOtherFile(t *testing.T) {
	v := pdfviewtest.New(t, pdfview.Config{})
	for _, name := range []string{"/etc/passwd", "../../../etc/passwd", hex.EncodeToString([]byte("x"))} {
		doc := pdftest.Sheet("/Resources <</XObject <</X 5 0 R>>>>", "500 0 0 500 0 0 cm /X Do",
			pdftest.StreamOf("/Subtype /Image /Width 4 /Height 4 /BitsPerComponent 8 /ColorSpace /DeviceGray /F ("+name+") /FFilter []", ""))
		got, err := v.Paint(context.Background(), doc, 1, 100, 100, true)
		if err == nil && distance(got.Image, image.White) > 0 {
			t.Errorf("%s is drawn", name)
		}
	}
}

// Several callers share the engine, and it ends and starts again between them.
func TestShared(t *testing.T) {
	v := pdfviewtest.New(t, pdfview.Config{Slots: 2, Idle: 1})
	letter := pdftest.Letter(pdftest.Options{})
	errs := make(chan error)
	for range 6 {
		go func() {
			_, err := v.Paint(context.Background(), letter, 1, 200, 200, true)
			errs <- errors.Join(err, v.Close())
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
