package svg

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// The pains of users of OFD tools that are about what is shown (reference §10).

// Pain 7, ofdrw #123 and #390: a seal covers the text, or the text the seal. The
// seal stands over the page, like ink: what is white in it is paper, and the text
// below can be read.
func TestPain07TextUnderASealStaysReadable(t *testing.T) {
	red := image.NewRGBA(image.Rect(0, 0, 4, 1))
	given := []color.RGBA{{255, 255, 255, 255}, {255, 0, 0, 255}, {255, 128, 128, 255}, {40, 60, 80, 255}}
	for x, c := range given {
		red.Set(x, 0, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, red); err != nil {
		t.Fatal(err)
	}
	page := body(`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4">正文</TextCode></TextObject>`)
	r := draw(t, page, Options{Stamps: []Stamp{{Box: ofd.Box{X: 1, Y: 2, W: 9, H: 9}, Picture: b.Bytes(), Class: Valid}}})
	text, seal := strings.Index(string(r.SVG), "正文"), strings.Index(string(r.SVG), `class="stamp valid"`)
	if text < 0 || seal < text {
		t.Errorf("text at %d, seal at %d", text, seal)
	}
	shown := thePicture(t, r)
	for x, want := range given {
		got := color.NRGBAModel.Convert(shown.At(x, 0)).(color.NRGBA)
		if x == 0 && got.A != 0 || x == 1 && got != (color.NRGBA{255, 0, 0, 255}) {
			t.Errorf("%v is shown as %v", want, got)
		}
		// On white it is the picture that was signed.
		over := func(v uint8) int { return (int(v)*int(got.A) + 255*(255-int(got.A)) + 127) / 255 }
		for i, pair := range [][2]int{{over(got.R), int(want.R)}, {over(got.G), int(want.G)}, {over(got.B), int(want.B)}} {
			if d := pair[0] - pair[1]; d < -1 || d > 1 {
				t.Errorf("%v, part %d: %d on white", want, i, pair[0])
			}
		}
	}
	// One that has transparency of its own is shown as it was signed.
	red.Set(0, 0, color.RGBA{})
	b.Reset()
	if err := png.Encode(&b, red); err != nil || !bytes.Equal(newDrawing(Labels{}).ink(b.Bytes()), b.Bytes()) {
		t.Error("a transparent picture was changed", err)
	}
}

// Pain 9, ofdrw #313, easyofd #4 and #37, ofd.js #59: seals are missing or
// garbled. Every kind of picture that real seals have is drawn, tax seals that
// are OFD packages of their own too, and one that is none leaves its place.
func TestPain09SealsOfEveryKindAreDrawn(t *testing.T) {
	kinds := encoded(t)
	var j bytes.Buffer
	if err := jpeg.Encode(&j, testImage(), nil); err != nil {
		t.Fatal(err)
	}
	kinds["jpeg"] = j.Bytes()
	for kind, data := range kinds {
		r := draw(t, body(""), Options{Stamps: []Stamp{{Box: ofd.Box{X: 5, Y: 6, W: 30, H: 20}, Picture: data, Class: Valid}}})
		want(t, r, `transform="matrix(30 0 0 20 5 6)"`)
		if m := thePicture(t, r); m.Bounds().Dx() != 8 || m.Bounds().Dy() != 4 || len(r.Warnings) > 0 {
			t.Errorf("%s: %v %v", kind, m.Bounds(), r.Warnings)
		}
	}
	tax := body(`<TextObject Boundary="1 2 9 9" Size="3" CTM="0.8 0.6 -0.6 0.8 1 1"><TextCode X="1" Y="4">税</TextCode></TextObject>` +
		`<PathObject Boundary="0 0 100 80" Stroke="true"><AbbreviatedData>M0 40A50 40 0 1 1 100 40</AbbreviatedData></PathObject>`).bytes(t)
	r := draw(t, body(""), Options{Stamps: []Stamp{{Box: ofd.Box{X: 5, Y: 6, W: 30, H: 20}, Picture: tax, Class: Valid}}})
	want(t, r, `<g transform="matrix(0.3 0 0 0.25 5 6)">`, ">税<", "<path")
	r = draw(t, body(""), Options{Stamps: []Stamp{{Box: ofd.Box{X: 5, Y: 6, W: 30, H: 20}, Picture: []byte("none"), Class: Valid}}})
	want(t, r, `class="placeholder"`)
	if !warned(r, WarnImage) {
		t.Error(r.Warnings)
	}
}

// thePicture decodes the one raster picture of a page.
func thePicture(t *testing.T, r Result) image.Image {
	t.Helper()
	_, rest, _ := strings.Cut(string(r.SVG), ";base64,")
	code, _, _ := strings.Cut(rest, `"`)
	raw, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
