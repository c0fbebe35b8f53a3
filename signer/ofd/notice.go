package ofd

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// Notice is an official document in the form of GB/T 9704: red head, document
// number, title, body, signature block.
type Notice struct {
	Title  string
	DocNo  string   // 发文字号, e.g. "东数发〔2026〕1号"; may be empty
	Body   []string // paragraphs
	Issuer string
	Date   time.Time
}

// Measures of the page in millimetres, after GB/T 9704-2012 (A4, body 156 mm
// wide, 22 lines of 28 characters).
const (
	pageW, pageH = 210.0, 297.0
	left, width  = 27.0, 156.0
	top, bottom  = 37.0, 262.0
	bodySize     = 5.55 // 三号, 16 pt
	bodyStep     = 10.2
	redSize      = 12.0
	titleSize    = 7.76 // 二号, 22 pt
)

// Fonts of the resource file. They are named, not embedded: readers have them or
// fall back.
const (
	fontSong, fontFang, fontHei = 2, 3, 4
)

// line is one positioned line of text.
type line struct {
	text    string
	x, y    float64 // baseline
	size    float64
	font    int
	red     bool
	rule    bool    // a horizontal rule instead of text
	spacing float64 // distance between characters, 0 = natural
}

// NewNotice writes a minimal valid OFD document. Equal input gives equal bytes:
// the document id is a digest of the content and the only time is n.Date.
func NewNotice(n Notice) ([]byte, error) {
	for _, s := range append([]string{n.Title, n.DocNo, n.Issuer}, n.Body...) {
		if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0xfffd || r == 0xfffe || r == 0xffff }) {
			return nil, fmt.Errorf("%w: control character in the text of a notice", ErrXML)
		}
	}
	if n.Title == "" || n.Issuer == "" || len(n.Body) == 0 {
		return nil, fmt.Errorf("%w: a notice needs title, issuer and body", ErrXML)
	}
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	var pack packer
	for _, f := range n.files() {
		if err := pack.add(zw, f.name, []byte(xmlHead+f.text), n.Date); err != nil {
			return nil, fmt.Errorf("writing %s: %w", f.name, err)
		}
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("closing package: %w", err)
	}
	return out.Bytes(), nil
}

type file struct{ name, text string }

const namespace = ` xmlns:ofd="http://www.ofdspec.org/2016"`

func (n Notice) files() []file {
	pages := n.layout()
	id := 4 // after the fonts
	var list strings.Builder
	var content []file
	for i, lines := range pages {
		id++
		fmt.Fprintf(&list, `<ofd:Page ID="%d" BaseLoc="Pages/Page_%d/Content.xml"/>`, id, i)
		var text string
		text, id = pageXML(lines, id)
		content = append(content, file{fmt.Sprintf("Doc_0/Pages/Page_%d/Content.xml", i), text})
	}
	sum := sm3.New()
	for _, f := range content {
		sum.Write([]byte(f.text))
	}
	docID := hex.EncodeToString(sum.Sum(nil)[:16])
	root := `<ofd:OFD` + namespace + ` Version="1.1" DocType="OFD"><ofd:DocBody><ofd:DocInfo>` +
		`<ofd:DocID>` + docID + `</ofd:DocID><ofd:Title>` + escape(n.Title) + `</ofd:Title><ofd:Author>` + escape(n.Issuer) +
		`</ofd:Author><ofd:CreationDate>` + n.Date.Format("2006-01-02") + `</ofd:CreationDate><ofd:Creator>Yinxin</ofd:Creator></ofd:DocInfo>` +
		`<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>`
	doc := `<ofd:Document` + namespace + `><ofd:CommonData><ofd:MaxUnitID>` + fmt.Sprint(id) + `</ofd:MaxUnitID>` +
		`<ofd:PageArea><ofd:PhysicalBox>` + Box{0, 0, pageW, pageH}.String() + `</ofd:PhysicalBox></ofd:PageArea>` +
		`<ofd:PublicRes>PublicRes.xml</ofd:PublicRes></ofd:CommonData><ofd:Pages>` + list.String() + `</ofd:Pages></ofd:Document>`
	res := `<ofd:Res` + namespace + ` BaseLoc="Res"><ofd:Fonts>` +
		`<ofd:Font ID="2" FontName="宋体" FamilyName="SimSun"/><ofd:Font ID="3" FontName="仿宋" FamilyName="FangSong"/>` +
		`<ofd:Font ID="4" FontName="黑体" FamilyName="SimHei"/></ofd:Fonts></ofd:Res>`
	return append([]file{{"OFD.xml", root}, {"Doc_0/Document.xml", doc}, {"Doc_0/PublicRes.xml", res}}, content...)
}

// pageXML writes one page; id is the last number used, and so is the result.
func pageXML(lines []line, id int) (string, int) {
	var w strings.Builder
	id++
	w.WriteString(`<ofd:Page` + namespace + `><ofd:Area><ofd:PhysicalBox>` + Box{0, 0, pageW, pageH}.String() +
		`</ofd:PhysicalBox></ofd:Area><ofd:Content>` + fmt.Sprintf(`<ofd:Layer ID="%d" Type="Body">`, id))
	for _, l := range lines {
		id++
		if l.rule {
			fmt.Fprintf(&w, `<ofd:PathObject ID="%d" Boundary="%s" LineWidth="0.7"><ofd:StrokeColor Value="255 0 0"/>`+
				`<ofd:AbbreviatedData>M 0 0.5 L %s 0.5</ofd:AbbreviatedData></ofd:PathObject>`,
				id, Box{l.x, l.y, width, 1}, number(width))
			continue
		}
		step := l.size + l.spacing
		runes := []rune(l.text)
		color := "0 0 0"
		if l.red {
			color = "255 0 0"
		}
		var deltas []string
		for i := range len(runes) - 1 {
			deltas = append(deltas, number(advance(runes[i])*step))
		}
		// The text box starts one ascent above the baseline.
		fmt.Fprintf(&w, `<ofd:TextObject ID="%d" Boundary="%s" Font="%d" Size="%s"><ofd:FillColor Value="%s"/>`+
			`<ofd:TextCode X="0" Y="%s"`, id, Box{l.x, l.y - l.size, extent(l.text)*step + 1, l.size * 1.3}, l.font, number(l.size), color, number(l.size))
		if len(deltas) > 0 {
			fmt.Fprintf(&w, ` DeltaX="%s"`, strings.Join(deltas, " "))
		}
		fmt.Fprintf(&w, `>%s</ofd:TextCode></ofd:TextObject>`, escape(l.text))
	}
	w.WriteString(`</ofd:Layer></ofd:Content></ofd:Page>`)
	return w.String(), id
}
