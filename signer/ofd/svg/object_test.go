package svg

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

func TestText(t *testing.T) {
	const fonts = `<Fonts><Font ID="3" FontName='仿宋"; x: url(//e)' FamilyName="FangSong" Bold="true"/></Fonts>`
	for name, c := range map[string]struct {
		object string
		want   []string
	}{
		"11.3 DeltaX with repeats": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4" DeltaX="2 g 2 1.5">abcd</TextCode></TextObject>`,
			[]string{`translate(1 2)`, `x="1 3 4.5 6" y="4">abcd<`}},
		"11.3 DeltaY only": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4" DeltaY="g 2 3">abc</TextCode></TextObject>`,
			[]string{`x="1 1 1" y="4 7 10"`}},
		"no distances: the font's own": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4">abc</TextCode></TextObject>`,
			[]string{`<tspan x="1" y="4">abc<`}},
		"blanks take part in distances": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4" DeltaX="1 1 1"> a b</TextCode></TextObject>`,
			[]string{`xml:space="preserve"`, `x="1 2 3 4" y="4"> a b<`}},
		"code without X goes on": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4">a</TextCode><TextCode Y="8">b</TextCode></TextObject>`,
			[]string{`<tspan x="1" y="8">b<`}},
		"beyond the basic plane": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4" DeltaX="3 3">王𠮷明</TextCode></TextObject>`,
			[]string{`<tspan x="1" y="4">王<`, `<tspan x="4" y="4">𠮷<`, `<tspan x="7" y="4">明<`}},
		"CTM, HScale, look": {`<TextObject Boundary="1 2 9 9" CTM="0 1 -1 0 5 0" Size="3" HScale="0.5" Weight="700" Italic="true" CharDirection="90" Alpha="51"><FillColor Value="255 0 0" Alpha="127.5"/><TextCode X="1" Y="4" DeltaX="3">ab</TextCode></TextObject>`,
			[]string{`matrix(0 0.5 -1 0 6 2)`, `x="2 8"`, `font-weight="700"`, `font-style="italic"`, `rotate="90"`, `fill="#ff0000" fill-opacity="0.5"`, `opacity="0.2"`}},
		"font names are reduced": {`<TextObject Boundary="1 2 9 9" Font="3" Size="3"><TextCode X="1" Y="4">a</TextCode></TextObject>`,
			[]string{`font-family="&#34;仿宋 x urle&#34;, &#34;FangSong&#34;, FangSong, 仿宋,`, `font-weight="700"`}},
		"markup and control characters": {`<TextObject Boundary="1 2 9 9" Size="3"><TextCode X="1" Y="4">&lt;script&gt;&amp;"&#9;</TextCode></TextObject>`,
			[]string{`&lt;script&gt;&amp;&#34; <`}},
		"neither filled nor stroked": {`<TextObject Boundary="1 2 9 9" Size="3" Fill="false"><TextCode X="1" Y="4">a</TextCode></TextObject>`, []string{`fill="none"`}},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := body(c.object)
			c2.resources = fonts
			want(t, draw(t, c2, Options{}), c.want...)
		})
	}
}

func TestPath(t *testing.T) {
	const res = `<DrawParams><DrawParam ID="7" LineWidth="2" Cap="Round" DashPattern="1 2"><StrokeColor Value="#0 #ff #0"/></DrawParam>` +
		`<DrawParam ID="8" Relative="7" Join="Bevel"/></DrawParams><ColorSpaces><ColorSpace ID="9" Type="RGB"><Palette><CV>0 0 0</CV><CV>0 0 255</CV></Palette></ColorSpace></ColorSpaces>`
	for name, c := range map[string]struct {
		object string
		want   []string
	}{
		"9.1 operators": {`<PathObject Boundary="0 0 50 50"><AbbreviatedData>S 0 0 M 1 1 L 2 2 Q 3 3 4 4 B 1 2 3 4 5 6 A -1 2 0 3 0 9 9 C</AbbreviatedData></PathObject>`,
			[]string{`d="M0 0M1 1L2 2Q3 3 4 4C1 2 3 4 5 6A1 2 0 1 0 9 9Z"`, `fill="none"`, `stroke="#000000" stroke-width="0.353"`}},
		"8.2 parameters build on others": {`<PathObject Boundary="0 0 9 9" DrawParam="8" LineWidth="3"><AbbreviatedData>M1 1L2 2</AbbreviatedData></PathObject>`,
			[]string{`stroke="#00ff00" stroke-width="3" stroke-linecap="round" stroke-linejoin="bevel" stroke-dasharray="1 2"`}},
		"8.3 palette, rule, no stroke": {`<PathObject Boundary="0 0 9 9" Fill="true" Stroke="false" Rule="Even-Odd"><FillColor ColorSpace="9" Index="1"/><AbbreviatedData>M1 1L2 2</AbbreviatedData></PathObject>`,
			[]string{`fill="#0000ff" fill-rule="evenodd"/>`}},
		"8.3 grey and CMYK": {`<PathObject Boundary="0 0 9 9" Fill="true"><FillColor Value="128"/><StrokeColor Value="0 255 255 0"/><AbbreviatedData>M1 1L2 2</AbbreviatedData></PathObject>`,
			[]string{`fill="#808080"`, `stroke="#ff0000"`}},
		"8.3.4 axial shading": {`<PathObject Boundary="0 0 9 9" Fill="true"><FillColor><AxialShd StartPoint="0 0" EndPoint="9 0"><Segment><Color Value="255 0 0"/></Segment><Segment Position="0.5"><Color Value="0 0 255"/></Segment></AxialShd></FillColor><AbbreviatedData>M1 1L2 2</AbbreviatedData></PathObject>`,
			[]string{`<linearGradient id="i1"`, `<stop offset="0" stop-color="#ff0000" stop-opacity="1"/><stop offset="0.5"`, `fill="url(#i1)"`}},
		"8.5 clipped to its box": {`<PathObject Boundary="0 0 9 9"><AbbreviatedData>M1 1L20 2</AbbreviatedData></PathObject>`,
			[]string{`<clipPath id="i1"><rect x="-0.353" y="-0.353" width="9.706" height="9.706"/></clipPath>`, `<g clip-path="url(#i1)"><path`}},
		"8.4 clips: union of areas, all of them": {`<PathObject Boundary="5 5 9 9" CTM="2 0 0 2 0 0"><Clips><Clip><Area><Path Boundary="1 1 2 2"><AbbreviatedData>M0 0L1 1L1 0C</AbbreviatedData></Path></Area><Area><Path Boundary="0 0 2 2"><AbbreviatedData>M0 0L2 2</AbbreviatedData></Path></Area></Clip><Clip><Area CTM="3 0 0 3 0 0"><Path><AbbreviatedData>M0 0L1 1</AbbreviatedData></Path></Area></Clip></Clips><AbbreviatedData>M1 1L2 2</AbbreviatedData></PathObject>`,
			[]string{`<clipPath id="i1"><path transform="translate(6 6)" d="M0 0L1 1L1 0Z"/><path transform="translate(5 5)"`, `<clipPath id="i2"><path transform="matrix(3 0 0 3 5 5)"`, `<g clip-path="url(#i1)"><g clip-path="url(#i2)"><path transform="matrix(2 0 0 2 5 5)"`}},
		"invisible": {`<PathObject Visible="false" Boundary="0 0 9 9"><AbbreviatedData>M1 1L2 2</AbbreviatedData></PathObject>`, []string{`url(#page)"></g></svg>`}},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := body(c.object)
			c2.resources = res
			r := draw(t, c2, Options{})
			want(t, r, c.want...)
			if len(r.Warnings) > 0 {
				t.Error(r.Warnings)
			}
		})
	}
}

// Background before body before foreground, templates before the page's own
// layers of the same order (GB/T 33190, 7.7), whatever the order in the file.
func TestOrder(t *testing.T) {
	object := func(d string) string {
		return `<PathObject Boundary="0 0 99 79"><AbbreviatedData>M0 0L` + d + ` 1</AbbreviatedData></PathObject>`
	}
	c := document{
		common: `<TemplatePage ID="90" BaseLoc="T.xml"/>`,
		page: `<Template TemplateID="90" ZOrder="Foreground"/><Template TemplateID="90"/><Content><Layer Type="Foreground">` + object("4") + `</Layer><Layer>` + object("3") +
			`</Layer><Layer Type="Background">` + object("2") + `</Layer></Content>`,
		files: map[string]string{"Doc_0/T.xml": `<Page><Content><Layer><PageBlock>` + object("1") + `</PageBlock></Layer></Content></Page>`},
	}
	svg := string(draw(t, c, Options{}).SVG)
	var got strings.Builder
	for part := range strings.SplitSeq(svg, ` d="M0 0L`) {
		got.WriteByte(part[0])
	}
	if got.String()[1:] != "12314" {
		t.Errorf("drawn as %s", got.String()[1:])
	}
}

func TestComposite(t *testing.T) {
	c := body(`<CompositeObject ResourceID="5" Boundary="10 10 20 20" CTM="2 0 0 2 0 0" Alpha="128"/>`)
	c.resources = `<CompositeGraphicUnits><CompositeGraphicUnit ID="5" Width="10" Height="10"><Content><PathObject Boundary="1 1 5 5"><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject></Content></CompositeGraphicUnit></CompositeGraphicUnits>`
	want(t, draw(t, c, Options{}), `<g transform="matrix(2 0 0 2 10 10)" opacity="0.501961"><path transform="translate(1 1)"`)
}

func testImage() image.Image {
	m := image.NewPaletted(image.Rect(0, 0, 8, 4), palette.Plan9)
	for i := range m.Pix {
		m.Set(i%8, i/8, color.RGBA{uint8(i * 8), 0x40, 0x80, 0xff})
	}
	return m
}

// encoded is the test picture in each kind that is drawn.
func encoded(tb testing.TB) map[string][]byte {
	tb.Helper()
	var p, b, g bytes.Buffer
	err := gif.EncodeAll(&g, &gif.GIF{Image: []*image.Paletted{testImage().(*image.Paletted), testImage().(*image.Paletted)}, Delay: []int{1, 1}})
	if err2, err3 := png.Encode(&p, testImage()), bmp.Encode(&b, testImage()); err != nil || err2 != nil || err3 != nil {
		tb.Fatal(err, err2, err3)
	}
	// An animated PNG is a PNG with an acTL chunk behind the header.
	chunk := append([]byte("acTL"), 0, 0, 0, 2, 0, 0, 0, 0)
	ani := binary.BigEndian.AppendUint32(bytes.Clone(p.Bytes()[:33]), 8)
	ani = binary.BigEndian.AppendUint32(append(ani, chunk...), crc32.ChecksumIEEE(chunk))
	return map[string][]byte{"png": p.Bytes(), "bmp": b.Bytes(), "gif": g.Bytes(), "apng": append(ani, p.Bytes()[33:]...)}
}

func TestImages(t *testing.T) {
	for kind, data := range encoded(t) {
		c := body(`<ImageObject ResourceID="5" Boundary="10 10 40 20" CTM="40 0 0 20 0 0"/><ImageObject ResourceID="5" Boundary="1 1 4 2"/>`)
		c.resources = `<MultiMedias><MultiMedia ID="5" Type="Image" Format="JPEG"><MediaFile>a.bin</MediaFile></MultiMedia></MultiMedias>`
		c.files = map[string]string{"Doc_0/Res/a.bin": string(data)}
		r := draw(t, c, Options{})
		want(t, r, `href="data:image/png;base64,`, `<use href="#i1" transform="matrix(40 0 0 20 10 10)"/>`, `<use href="#i1" transform="matrix(4 0 0 2 1 1)"/>`)
		if strings.Count(string(r.SVG), "data:") != 1 || len(r.Warnings) > 0 {
			t.Errorf("%s: %v", kind, r.Warnings)
		}
		_, rest, _ := strings.Cut(string(r.SVG), ";base64,")
		code, _, _ := strings.Cut(rest, `"`)
		if still, err := base64.StdEncoding.DecodeString(code); err != nil || bytes.Contains(still, []byte("acTL")) {
			t.Errorf("%s moves (%v)", kind, err)
		}
	}
	c := body(`<ImageObject ResourceID="5" Boundary="10 10 40 20" CTM="40 0 0 20 0 0"/>`)
	c.resources = `<MultiMedias><MultiMedia ID="5" Type="Image"><MediaFile>a.jb2</MediaFile></MultiMedia></MultiMedias>`
	c.files = map[string]string{"Doc_0/Res/a.jb2": "\x97JB2\r\n\x1a\n"}
	r := draw(t, c, Options{Labels: Labels{Picture: "图像"}})
	want(t, r, `class="placeholder"`, ">图像 ImageObject<")
	if !warned(r, WarnImage) {
		t.Error(r.Warnings)
	}
}

// Glyphs of an embedded font are outlines; CGTransform names them; a subset
// without a character map serves too.
func TestEmbeddedFont(t *testing.T) {
	font := func(data []byte, glyphs string) Result {
		c := body(`<TextObject Boundary="1 2 90 20" Font="3" Size="10">` + glyphs + `<TextCode X="1" Y="12" DeltaX="8 8">AB A</TextCode></TextObject>`)
		c.resources = `<Fonts><Font ID="3" FontName="Go"><FontFile>go.ttf</FontFile></Font></Fonts>`
		c.files = map[string]string{"Doc_0/Res/go.ttf": string(data)}
		return draw(t, c, Options{})
	}
	r := font(goregular.TTF, "")
	want(t, r, `<path id="i1" d="M`, `<use href="#i1" transform="matrix(0.1 0 0 0.1 1 12)"/><use href="#i2" transform="matrix(0.1 0 0 0.1 9 12)"/>`)
	if bytes.Contains(r.SVG, []byte("<text")) || strings.Count(string(r.SVG), "<use") != 3 || strings.Count(string(r.SVG), "<path id") != 2 {
		t.Errorf("%s", r.SVG)
	}
	bare := bytes.Replace(goregular.TTF, []byte("cmap"), []byte("cmaz"), 1) // order of tags stays
	r = font(bare, `<CGTransform CodePosition="0" CodeCount="4" GlyphCount="4"><Glyphs>36 37 3 36</Glyphs></CGTransform>`)
	want(t, r, `<use href="#i1" transform="matrix(0.1 0 0 0.1 1 12)"/>`)
	if len(r.Warnings) > 0 || bytes.Contains(r.SVG, []byte("<text")) {
		t.Errorf("%v %s", r.Warnings, r.SVG)
	}
	// Without the names of glyphs such a font says nothing: families serve.
	want(t, font(bare, ""), "<text", "AB A")
	for name, data := range map[string][]byte{"no font": []byte("OTTO"), "cut": goregular.TTF[:len(goregular.TTF)/2], "empty": {}} {
		r = font(data, "")
		want(t, r, "<text", "AB A")
		if !warned(r, WarnFont) {
			t.Errorf("%s: %v", name, r.Warnings)
		}
	}
}

func TestAnnotationsAreFramed(t *testing.T) {
	c := body("")
	c.doc = `<Annotations>An.xml</Annotations>`
	c.files = map[string]string{
		"Doc_0/An.xml": `<Annotations><Page PageID="1"><FileLoc>A1.xml</FileLoc></Page><Page PageID="2"><FileLoc>A2.xml</FileLoc></Page></Annotations>`,
		"Doc_0/A1.xml": `<PageAnnot><Annot ID="9" Type="Stamp"><Appearance Boundary="10 10 20 20"><PathObject Boundary="0 0 5 5"><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject></Appearance></Annot>` +
			`<Annot ID="10" Visible="false"><Appearance Boundary="1 1 2 2"/></Annot></PageAnnot>`,
		"Doc_0/A2.xml": `<PageAnnot><Annot><Appearance Boundary="3 3 3 3"/></Annot></PageAnnot>`,
	}
	r := draw(t, c, Options{Labels: Labels{Annotation: "批注 <不是章>"}})
	want(t, r, `<g class="annotation"><g transform="translate(10 10)"><path`, `stroke-dasharray`, "批注 &lt;不是章&gt;")
	if strings.Count(string(r.SVG), `class="annotation"`) != 1 || bytes.Contains(r.SVG, []byte("stamp")) {
		t.Errorf("%s", r.SVG)
	}
}

// Reference §9: stamps are an overlay with the verdict beside them; the legend
// lies outside what the document can draw on.
func TestStamps(t *testing.T) {
	inner := body(`<PathObject Boundary="0 0 100 80"><AbbreviatedData>M0 0L7 7</AbbreviatedData></PathObject>`).bytes(t)
	r := draw(t, body(""), Options{Stamps: []Stamp{
		{Box: ofd.Box{X: 80, Y: 20, W: 40, H: 40}, Clip: &ofd.Box{X: 0, Y: 0, W: 20, H: 40}, Picture: encoded(t)["png"], Class: Valid, Caption: "甲局 · 有效"},
		{Box: ofd.Box{X: 5, Y: 5, W: 30, H: 20}, Picture: inner, Class: Invalid, Caption: "乙局 & 无效"},
		{Box: ofd.Box{X: 5, Y: 5, W: 30, H: 20}, Class: "sealed!"},
	}})
	want(t, r, `viewBox="0 0 100 104"`, `<g class="page" clip-path="url(#page)"></g><g class="stamps"><g clip-path="url(#page)"><g class="stamp valid">`,
		`<rect x="80" y="20" width="20" height="40"/></clipPath>`, `transform="matrix(40 0 0 40 80 20)"`,
		`<g class="stamp invalid">`, `<g transform="matrix(0.3 0 0 0.25 5 5)"><path`, `stroke-width="0.8"`, `乙局 &amp; 无效`, `<g class="stamp indeterminate">`)
	if bytes.Contains(r.SVG, []byte("sealed!")) {
		t.Error("a class of the caller's own")
	}
}
