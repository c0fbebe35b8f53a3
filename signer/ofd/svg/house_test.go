package svg

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// document is a package of one page; the zero value is an empty page.
type document struct {
	page      string            // inside Page
	common    string            // inside CommonData
	doc       string            // beside CommonData
	resources string            // inside the Res of DocumentRes
	files     map[string]string // further files
}

func (c document) bytes(tb testing.TB) []byte {
	tb.Helper()
	files := map[string]string{
		"OFD.xml": `<OFD><DocBody><DocRoot>Doc_0/Document.xml</DocRoot></DocBody></OFD>`,
		"Doc_0/Document.xml": `<Document><CommonData><PageArea><PhysicalBox>0 0 100 80</PhysicalBox></PageArea>` +
			`<DocumentRes>Res.xml</DocumentRes>` + c.common + `</CommonData><Pages><Page ID="1" BaseLoc="Page.xml"/></Pages>` + c.doc + `</Document>`,
		"Doc_0/Res.xml":  `<Res BaseLoc="Res">` + c.resources + `</Res>`,
		"Doc_0/Page.xml": `<Page>` + c.page + `</Page>`,
	}
	for name, text := range c.files {
		files[name] = text
	}
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for name, text := range files {
		w, err := zw.CreateHeader(&zip.FileHeader{Name: name}) // stored: no ratio to refuse
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			tb.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// body is a page whose body layer holds the objects.
func body(objects string) document {
	return document{page: `<Content><Layer ID="2">` + objects + `</Layer></Content>`}
}

func open(tb testing.TB, data []byte) *ofd.Package {
	tb.Helper()
	p, err := ofd.Open(data)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// draw draws the page, walks what came out and returns it.
func draw(tb testing.TB, c document, opt Options) Result {
	tb.Helper()
	r, err := Page(open(tb, c.bytes(tb)), 0, opt)
	if err != nil {
		tb.Fatal(err)
	}
	if err := safe(r.SVG); err != nil {
		tb.Fatalf("%v\n%s", err, r.SVG)
	}
	return r
}

func want(tb testing.TB, r Result, parts ...string) {
	tb.Helper()
	for _, p := range parts {
		if !strings.Contains(string(r.SVG), p) {
			tb.Errorf("no %s in\n%s", p, r.SVG)
		}
	}
}

func warned(r Result, code string) bool {
	for _, w := range r.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

// allowed are the elements and attributes that a picture may have: everything
// else is a door.
var allowed = map[string]string{
	"svg":      "xmlns width height viewBox",
	"defs":     "",
	"clipPath": "id",
	"g":        "class clip-path transform opacity " + paintAttrs,
	"rect":     "class x y width height " + paintAttrs,
	"path":     "id d transform opacity clip-rule fill-rule " + paintAttrs,
	"circle":   "cx cy r fill",
	"text": "space class x y transform opacity rotate font-family font-size font-weight font-style text-anchor paint-order " +
		paintAttrs,
	"tspan":          "x y",
	"use":            "href transform opacity",
	"image":          "id width height preserveAspectRatio href",
	"linearGradient": "id gradientUnits spreadMethod x1 y1 x2 y2",
	"radialGradient": "id gradientUnits spreadMethod fx fy cx cy r",
	"stop":           "offset stop-color stop-opacity",
}

const paintAttrs = "fill fill-opacity stroke stroke-opacity stroke-width stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray stroke-dashoffset"

var (
	local   = regexp.MustCompile(`^url\(#([a-z]+[0-9]*)\)$`)
	picture = regexp.MustCompile(`^data:image/(png|jpeg);base64,([A-Za-z0-9+/=]+)$`)
	badNum  = regexp.MustCompile(`NaN|Inf|[0-9]e[+-]?[0-9]`)
)

// safe walks a picture: well-formed, only allowed elements and attributes, no
// reference that leaves it, every reference to something that is there.
func safe(b []byte) error {
	if len(b) > maxOutput+1<<12 {
		return fmt.Errorf("%d bytes", len(b))
	}
	ids, refs := map[string]bool{}, []string{}
	dec := xml.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.Comment, xml.Directive, xml.ProcInst:
			return fmt.Errorf("unexpected %T", tok)
		case xml.StartElement:
			names, ok := allowed[t.Name.Local]
			if !ok {
				return fmt.Errorf("element %s", t.Name.Local)
			}
			for _, a := range t.Attr {
				name, v := a.Name.Local, a.Value
				if !strings.Contains(" "+names+" ", " "+name+" ") {
					return fmt.Errorf("attribute %s of %s", name, t.Name.Local)
				}
				switch {
				case name == "id":
					if ids[v] {
						return fmt.Errorf("id %s twice", v)
					}
					ids[v] = true
				case name == "href" && t.Name.Local == "image":
					m := picture.FindStringSubmatch(v)
					if m == nil {
						return fmt.Errorf("image %.60s", v)
					}
					if _, err := base64.StdEncoding.DecodeString(m[2]); err != nil {
						return err
					}
				case name == "href":
					if !strings.HasPrefix(v, "#") {
						return fmt.Errorf("href %.60s", v)
					}
					refs = append(refs, v[1:])
				case strings.Contains(v, "("):
					if m := local.FindStringSubmatch(v); m != nil {
						refs = append(refs, m[1])
					} else if name != "transform" {
						return fmt.Errorf("%s=%.60s", name, v)
					}
				case name != "class" && name != "font-family" && badNum.MatchString(v):
					return fmt.Errorf("%s=%.60s", name, v)
				}
			}
		}
	}
	for _, r := range refs {
		if !ids[r] {
			return fmt.Errorf("reference to %s", r)
		}
	}
	return nil
}
