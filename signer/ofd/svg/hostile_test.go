package svg

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// What exceeds a limit of the page is refused as a whole.
func TestLimits(t *testing.T) {
	dot := `<PathObject Boundary="0 0 1 1"><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`
	// Each level draws the next eight times: 8^9 objects from 2 kB.
	var bomb strings.Builder
	for i := range 9 {
		fmt.Fprintf(&bomb, `<CompositeGraphicUnit ID="%d"><Content>%s</Content></CompositeGraphicUnit>`, 100+i,
			strings.Repeat(fmt.Sprintf(`<CompositeObject ResourceID="%d" Boundary="0 0 1 1"/>`, 101+i), 8))
	}
	multiply := body(`<CompositeObject ResourceID="100" Boundary="0 0 1 1"/>`)
	multiply.resources = `<C>` + bomb.String() + `</C>`
	long := body(`<CompositeObject ResourceID="100" Boundary="0 0 1 1"/>`)
	long.resources = `<C><CompositeGraphicUnit ID="100"><Content>` + strings.Repeat(`<CompositeObject ResourceID="101" Boundary="0 0 1 1"/>`, 60) + `</Content></CompositeGraphicUnit>` +
		`<CompositeGraphicUnit ID="101"><Content><PathObject Boundary="0 0 9 9"><AbbreviatedData>M0 0` + strings.Repeat("L1.25 2.5", 50_000) + `</AbbreviatedData></PathObject></Content></CompositeGraphicUnit></C>`
	// One heavy element, looked at again and again.
	again := func(object, resources string) document {
		c := body(strings.Repeat(`<CompositeObject ResourceID="100" Boundary="0 0 1 1"/>`, 20_000))
		c.resources = `<C><CompositeGraphicUnit ID="100"><Content>` + object + `</Content></CompositeGraphicUnit>` + resources + `</C>`
		return c
	}
	blank, junk := strings.Repeat(" ", 1<<18), strings.Repeat("<x/>", 50_000)
	for name, c := range map[string]document{
		"blank path again":         again(`<PathObject Boundary="0 0 9 9"><AbbreviatedData>M0 0`+blank+`L1 1</AbbreviatedData></PathObject>`, ""),
		"blank box again":          again(`<PathObject Boundary="0 0 9 9`+blank+`"/>`, ""),
		"distances again":          again(`<TextObject Size="1" Boundary="0 0 9 9"><TextCode DeltaX="`+blank+`">a</TextCode></TextObject>`, ""),
		"children again":           again(`<TextObject Size="1" Boundary="0 0 9 9">`+junk+`</TextObject>`, ""),
		"parameters again":         again(`<PathObject DrawParam="1" Boundary="0 0 9 9"/>`, `<DrawParam ID="1">`+junk+`</DrawParam>`),
		"font again":               again(`<TextObject Font="1" Size="1" Boundary="0 0 9 9"><TextCode>a</TextCode></TextObject>`, `<Font ID="1">`+junk+`</Font>`),
		"unknown in a block":       again(junk, ""),
		"objects":                  body(strings.Repeat(dot, maxObjects+1)),
		"composites that multiply": multiply,
		"output":                   long,
		"characters":               body(`<TextObject Boundary="0 0 1 1" Size="3"><TextCode>` + strings.Repeat("字", maxChars+1) + `</TextCode></TextObject>`),
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := Page(open(t, c.bytes(t)), 0, Options{}); !errors.Is(err, ErrLimit) || r.SVG != nil {
				t.Error(err)
			}
		})
	}
	r := draw(t, body(`<PathObject ID="5" Boundary="0 0 9 9"><AbbreviatedData>M0 0`+strings.Repeat("L1 2", maxPath/4)+`</AbbreviatedData></PathObject>`), Options{})
	want(t, r, "placeholder")
	if !warned(r, WarnPath) {
		t.Error(r.Warnings)
	}
	if _, err := Page(open(t, body("").bytes(t)), 0, Options{Stamps: make([]Stamp, maxStamps+1)}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

// A page that does not read gives an error and no picture.
func TestPageRefused(t *testing.T) {
	for name, c := range map[string]document{
		"page not xml":    {files: map[string]string{"Doc_0/Page.xml": "<Page>"}},
		"page with dtd":   {files: map[string]string{"Doc_0/Page.xml": `<!DOCTYPE a [<!ENTITY x "y">]><Page>&x;</Page>`}},
		"billion laughs":  {files: map[string]string{"Doc_0/Page.xml": `<Page><Content>` + strings.Repeat("<a>", 100) + `</Content></Page>`}},
		"no page file":    {files: map[string]string{"Doc_0/Document.xml": `<Document><Pages><Page ID="1" BaseLoc="X.xml"/></Pages></Document>`}},
		"page of no size": {files: map[string]string{"Doc_0/Page.xml": `<Page><Area><PhysicalBox>0 0 0 -1</PhysicalBox></Area></Page>`}},
		"page of 1 km":    {files: map[string]string{"Doc_0/Page.xml": `<Page><Area><PhysicalBox>0 0 1000000 5</PhysicalBox></Area></Page>`}},
	} {
		if r, err := Page(open(t, c.bytes(t)), 0, Options{}); !errors.Is(err, ErrPage) || r.SVG != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{-1, 1, math.MaxInt} {
		if _, err := Page(open(t, body("").bytes(t)), n, Options{}); !errors.Is(err, ErrPage) {
			t.Errorf("page %d: %v", n, err)
		}
	}
}

// What is wrong in one place leaves the rest of the page.
func TestPartialPages(t *testing.T) {
	const rest = `<PathObject Boundary="0 0 9 9"><AbbreviatedData>M0 0L7 7</AbbreviatedData></PathObject>`
	loop := `<CompositeGraphicUnits><CompositeGraphicUnit ID="5"><Content><CompositeObject ResourceID="6" Boundary="0 0 1 1"/></Content></CompositeGraphicUnit>` +
		`<CompositeGraphicUnit ID="6"><Content><CompositeObject ResourceID="5" Boundary="0 0 1 1"/></Content></CompositeGraphicUnit></CompositeGraphicUnits>` +
		`<DrawParams><DrawParam ID="8" Relative="8"/></DrawParams><MultiMedias><MultiMedia ID="9"><MediaFile>../../OFD.xml</MediaFile></MultiMedia><MultiMedia ID="10"><MediaFile>../../../etc/passwd</MediaFile></MultiMedia></MultiMedias>`
	template := map[string]string{"Doc_0/T.xml": `<Page><Template TemplateID="90"/><Content/></Page>`}
	for name, c := range map[string]struct {
		object, code string
	}{
		"composite in itself":        {`<CompositeObject ResourceID="5" Boundary="0 0 1 1"/>`, WarnCycle},
		"draw parameter in itself":   {`<PathObject Boundary="0 0 9 9" DrawParam="8"><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`, WarnCycle},
		"blocks too deep":            {strings.Repeat("<PageBlock>", 40) + strings.Repeat("</PageBlock>", 40), WarnCycle},
		"missing composite":          {`<CompositeObject ResourceID="77" Boundary="0 0 1 1"/>`, WarnResource},
		"missing picture":            {`<ImageObject ResourceID="77" Boundary="0 0 1 1"/>`, WarnResource},
		"picture that is xml":        {`<ImageObject ResourceID="9" Boundary="0 0 1 1"/>`, WarnImage},
		"picture out of the package": {`<ImageObject ResourceID="10" Boundary="0 0 1 1"/>`, WarnImage},
		"unknown object":             {`<script ID="3">alert(1)</script>`, WarnObject},
		"no size":                    {`<TextObject Boundary="0 0 1 1"><TextCode>a</TextCode></TextObject>`, WarnObject},
		"endless size":               {`<TextObject Boundary="0 0 1 1" Size="Inf"><TextCode>a</TextCode></TextObject>`, WarnObject},
		"no boundary":                {`<PathObject Boundary="0 0 NaN 1"><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`, WarnObject},
		"bad matrix":                 {`<PathObject Boundary="0 0 9 1" CTM="1 0 0 1 0 0) url(//x"><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`, WarnPath},
		"bad operator":               {`<PathObject Boundary="0 0 9 1"><AbbreviatedData>M0 0L1 1 X 4</AbbreviatedData></PathObject>`, WarnPath},
		"bad distances":              {`<TextObject Boundary="0 0 1 1" Size="3"><TextCode DeltaX="g 99999999999 x">ab</TextCode></TextObject>`, WarnPath},
		"bad colour":                 {`<PathObject Boundary="0 0 9 1"><StrokeColor Value="url(//x) 1 2"/><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`, WarnColour},
		"pattern":                    {`<PathObject Boundary="0 0 9 1"><StrokeColor><Pattern/></StrokeColor><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`, WarnColour},
	} {
		c2 := body(c.object + rest)
		c2.resources, c2.files = loop, template
		r := draw(t, c2, Options{})
		want(t, r, "L7 7")
		if !warned(r, c.code) {
			t.Errorf("%s: %v", name, r.Warnings)
		}
	}
	c := body(rest)
	c.page = `<Template TemplateID="90"/><Template TemplateID="91"/>` + c.page
	c.common, c.files, c.doc = `<TemplatePage ID="90" BaseLoc="T.xml"/>`, template, `<Annotations>no.xml</Annotations>`
	r := draw(t, c, Options{})
	want(t, r, "L7 7")
	if !warned(r, WarnCycle) || !warned(r, WarnResource) || !warned(r, WarnAnnotation) {
		t.Error(r.Warnings)
	}
}

// A small file that announces a huge picture is not decoded.
func TestPictureBomb(t *testing.T) {
	head := append([]byte("BM"), make([]byte, 52)...)
	copy(head[10:], []byte{54, 0, 0, 0, 40, 0, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 24, 0})
	r := draw(t, body(""), Options{Stamps: []Stamp{{Box: ofd.Box{X: 1, Y: 1, W: 9, H: 9}, Picture: head}}})
	if !warned(r, WarnImageLimit) {
		t.Error(r.Warnings)
	}
	for _, bad := range []string{"", "GIF89a", "BM", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "PK\x03\x04", "<svg/>"} {
		r := draw(t, body(""), Options{Stamps: []Stamp{{Box: ofd.Box{X: 1, Y: 1, W: 9, H: 9}, Picture: []byte(bad)}}})
		want(t, r, "placeholder")
		if !warned(r, WarnImage) {
			t.Errorf("%q: %v", bad, r.Warnings)
		}
	}
}

func FuzzPathData(f *testing.F) {
	for _, s := range []string{"M 0 0 L 1 1 C", "S0,0B1 2 3 4 5 6A1 1 0 1 1 2 2Q1 2 3 4", "M1e9 0", "M 0", "L", "M0 0 1 1 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, box, ok := pathData(s)
		if strings.Trim(d, "MLQCAZ0123456789 .-") != "" || d != "" && d[0] != 'M' || ok && d == "" {
			t.Errorf("%q gives %q", s, d)
		}
		if !(math.Abs(box.X)+math.Abs(box.Y)+box.W+box.H < 1e8) || box.W < 0 || box.H < 0 {
			t.Errorf("%q gives box %v", s, box)
		}
	})
}

func FuzzDeltas(f *testing.F) {
	f.Add("3 3 g 5 1.5", 9)
	f.Add("g 99999999 1", 3)
	f.Add("g -1 g", 0)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(max(n, 0), 1000)
		v, _ := deltas(s, n)
		if len(v) > n {
			t.Errorf("%q gives %d of %d", s, len(v), n)
		}
		for _, x := range v {
			if !(math.Abs(x) <= maxCoordinate) {
				t.Errorf("%q gives %v", s, x)
			}
		}
	})
}

// Whatever stands in a page, its picture stays inside the allow-list.
func FuzzPage(f *testing.F) {
	f.Add(`<TextObject Boundary="1 2 9 9" Size="3" Font="3"><TextCode X="1" Y="4" DeltaX="g 2 1.5">a&lt;c</TextCode></TextObject>`)
	f.Add(`<PathObject Boundary="0 0 9 9" Fill="true" CTM="1 0 0 1 0 0"><FillColor Value="1 2 3" Alpha="3"><AxialShd StartPoint="0 0" EndPoint="1 1"><Segment><Color/></Segment><Segment/></AxialShd></FillColor><AbbreviatedData>M0 0L1 1</AbbreviatedData></PathObject>`)
	f.Add(`<ImageObject ResourceID="5" Boundary="1 1 1 1"/><CompositeObject ResourceID="6" Boundary="1 1 1 1"/><PageBlock/>`)
	f.Fuzz(func(t *testing.T, objects string) {
		pkg, err := ofd.Open(body(objects).bytes(t))
		if err != nil {
			return
		}
		r, err := Page(pkg, 0, Options{})
		if err != nil {
			return
		}
		if err := safe(r.SVG); err != nil {
			t.Errorf("%v: %s", err, r.SVG)
		}
	})
}
