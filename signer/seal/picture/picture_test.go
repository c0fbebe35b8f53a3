package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"
	"unicode"
)

func draw(t testing.TB, s Spec) *image.NRGBA {
	t.Helper()
	b, err := Draw(s)
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m.(*image.NRGBA)
}

// share counts the pixels of a rectangle (in parts of the side) that fit.
func share(m *image.NRGBA, x0, y0, x1, y1 float64, fits func(color.NRGBA) bool) float64 {
	n := float64(m.Bounds().Dx())
	hit, all := 0, 0
	for y := int(y0 * n); y < int(y1*n); y++ {
		for x := int(x0 * n); x < int(x1*n); x++ {
			all++
			if fits(m.NRGBAAt(x, y)) {
				hit++
			}
		}
	}
	return float64(hit) / float64(all)
}

func isRed(c color.NRGBA) bool   { return c.A > 0xf0 && c.R == 0xff && c.G == 0 && c.B == 0 }
func isClear(c color.NRGBA) bool { return c.A == 0 }
func isGrey(c color.NRGBA) bool  { return c.A > 0x40 && c.R == c.G && c.G == c.B && c.R < 0x60 }

var samples = []Spec{
	{Unit: "样例区行政审批局"},
	{Unit: "样例区大数据管理局", Purpose: "公文专用章"},
	{Unit: "样例省样例市样例区住房和城乡建设管理委员会办公室", Purpose: "电子证照专用章", Diameter: 45},
	{Unit: "财政", Diameter: 30},
}

func TestDrawIsRoundRedSealWithStar(t *testing.T) {
	for _, s := range samples {
		t.Run(s.Unit, func(t *testing.T) {
			m := draw(t, s)
			mm := s.Diameter
			if mm == 0 {
				mm = DefaultDiameter
			}
			if got, want := m.Bounds().Dx(), mm*DPI*10/254; got < want || got > want+1 {
				t.Errorf("%d pixels, want about %d", got, want)
			}
			if m.NRGBAAt(0, 0).A != 0 || m.NRGBAAt(m.Bounds().Dx()-1, 0).A != 0 {
				t.Error("corners are not transparent")
			}
			if r := share(m, 0.49, 0.006, 0.51, 0.028, isRed); r < 0.95 {
				t.Errorf("ring at the top: %.2f red", r)
			}
			if r := share(m, 0.49, 0.45, 0.51, 0.55, func(c color.NRGBA) bool { return c.A > 0xf0 }); r < 0.99 {
				t.Errorf("star in the centre: %.2f filled", r)
			}
		})
	}
}

// Law 7: a drawn seal always carries 样章, across it and at its foot.
func TestDrawAlwaysCarriesWatermark(t *testing.T) {
	for _, s := range samples {
		m := draw(t, s)
		if g := share(m, 0.2, 0.2, 0.8, 0.8, isGrey); g < 0.05 {
			t.Errorf("%s: only %.3f of the inner field is watermark", s.Unit, g)
		}
		band := share(m, 0.4, 0.85, 0.6, 0.93, isRed)
		words := share(m, 0.4, 0.85, 0.6, 0.93, isClear)
		if band < 0.4 || words < 0.05 {
			t.Errorf("%s: band %.2f red, %.2f letters", s.Unit, band, words)
		}
	}
}

func TestDrawIsDeterministicAndSaysItsResolution(t *testing.T) {
	a, err := Draw(samples[0])
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Draw(samples[0])
	if !bytes.Equal(a, b) {
		t.Error("two pictures of one seal differ")
	}
	i := bytes.Index(a, []byte("pHYs"))
	if i < 0 || binary.BigEndian.Uint32(a[i+4:]) != 11811 || a[i+12] != 1 {
		t.Error("no pHYs chunk of 300 dpi")
	}
	if len(a) > 24<<10 {
		t.Errorf("%d bytes", len(a))
	}
}

func TestDrawRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		spec Spec
		want error
		says string
	}{
		{"character outside the subset", Spec{Unit: "样例区龘局"}, ErrGlyph, "龘"},
		{"character outside the subset in the purpose", Spec{Unit: "样例区财政局", Purpose: "章😀"}, ErrGlyph, "U+1F600"},
		{"no name", Spec{Unit: " "}, ErrSpec, "unit name"},
		{"one character", Spec{Unit: "局"}, ErrSpec, "unit name"},
		{"too long", Spec{Unit: strings.Repeat("局", 37)}, ErrSpec, "37"},
		{"purpose too long", Spec{Unit: "财政局", Purpose: strings.Repeat("章", 13)}, ErrSpec, "purpose"},
		{"too large: provinces and above have another form", Spec{Unit: "财政局", Diameter: 50}, ErrSpec, "50"},
		{"not text", Spec{Unit: "财政\xff"}, ErrSpec, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := Draw(tc.spec)
			if !errors.Is(err, tc.want) || b != nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// The list beside the font is what the font holds.
func TestFontHoldsItsCharacterList(t *testing.T) {
	list, err := os.ReadFile("font/characters.txt")
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCanvas(DefaultDiameter)
	if err != nil {
		t.Fatal(err)
	}
	han := 0
	for _, r := range string(list) {
		if unicode.Is(unicode.Han, r) {
			han++
		}
		if i, err := c.font.GlyphIndex(&c.buf, r); err != nil || i == 0 {
			t.Errorf("%q missing: %v", r, err)
		}
	}
	if han < 4000 || len(fontFile) > 3<<19 {
		t.Errorf("%d characters in %d bytes", han, len(fontFile))
	}
}

func TestAccept(t *testing.T) {
	good, err := Draw(samples[0])
	if err != nil {
		t.Fatal(err)
	}
	var huge bytes.Buffer
	if err := png.Encode(&huge, image.NewGray(image.Rect(0, 0, 3000, 200))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, filing string
		data         []byte
		want         error
	}{
		{"good", "41010000001", good, nil},
		{"no filing number", " ", good, ErrFiling},
		{"cut off", "1", good[:len(good)/2], ErrPicture},
		{"not a PNG", "1", []byte("GIF89a"), ErrPicture},
		{"empty", "1", nil, ErrPicture},
		{"too many pixels", "1", huge.Bytes(), ErrPicture},
		{"too many bytes", "1", append(bytes.Clone(good), make([]byte, maxUpload)...), ErrPicture},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, h, err := Accept(tc.data, tc.filing)
			if !errors.Is(err, tc.want) || (err == nil) != (w == 496 && h == 496) {
				t.Errorf("%d×%d %v", w, h, err)
			}
		})
	}
}

func BenchmarkDraw(b *testing.B) {
	for b.Loop() {
		if _, err := Draw(samples[1]); err != nil {
			b.Fatal(err)
		}
	}
}
