package ofd

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// page wraps the content of one page into a package.
func onePage(t testing.TB, content string) *Package {
	t.Helper()
	p, err := Open(pack(t, ofdXML, docXML, "Doc_0/Page.xml=<Page><Content>"+content+"</Content></Page>"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// GB/T 33190, 11.3: where the characters of a text object stand.
func TestFindText(t *testing.T) {
	for name, c := range map[string]struct {
		content, text string
		want          []string
	}{
		"one object": {`<Layer><TextObject Boundary="30 40 100 10" Size="5"><TextCode X="1" Y="5" DeltaX="5 5 5">（盖章）</TextCode></TextObject></Layer>`,
			"盖章", []string{"36 40 10 5"}},
		"repeats":          {`<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4" DeltaX="g 3 6">甲乙丙丁</TextCode></TextObject>`, "丁", []string{"18 0 4 4"}},
		"leading space":    {`<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4" DeltaX="2 4"> 甲</TextCode></TextObject>`, "甲", []string{"2 0 4 4"}},
		"without deltas":   {`<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4">甲a乙</TextCode></TextObject>`, "乙", []string{"6 0 4 4"}},
		"over objects":     {`<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4">盖</TextCode></TextObject><TextObject Boundary="20 0 9 9" Size="4"><TextCode X="0" Y="4">章</TextCode></TextObject>`, "盖 章", []string{"0 0 24 4"}},
		"downwards":        {`<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4" DeltaY="5 5">甲乙丙</TextCode></TextObject>`, "丙", []string{"0 10 4 4"}},
		"scaled by CTM":    {`<TextObject Boundary="10 10 9 9" Size="2" CTM="2 0 0 2 1 1"><TextCode X="3" Y="2">甲</TextCode></TextObject>`, "甲", []string{"17 11 4 4"}},
		"two places":       {`<PageBlock><TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4">甲乙甲</TextCode></TextObject></PageBlock>`, "甲", []string{"0 0 4 4", "8 0 4 4"}},
		"nowhere":          {`<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4">甲</TextCode></TextObject>`, "乙", nil},
		"nothing to find":  {"", " \u3000", nil},
		"nonsense numbers": {`<TextObject Boundary="x" Size="NaN"><TextCode X="a" DeltaX="g -1 b 9">甲乙</TextCode></TextObject>`, "丙", nil},
	} {
		t.Run(name, func(t *testing.T) {
			hits, err := onePage(t, c.content).Find(c.text)
			if err != nil || len(hits) != len(c.want) {
				t.Fatal(hits, err)
			}
			for i, h := range hits {
				if h.Page != 1 || h.Box.String() != c.want[i] {
					t.Errorf("%d: page %d %s, want %s", i, h.Page, h.Box, c.want[i])
				}
			}
		})
	}
}

// What the notice writes is found where it stands.
func TestFindInNotice(t *testing.T) {
	doc, err := NewNotice(Notice{Title: "通知", Issuer: "样例区数据局", Body: []string{"内容"}, Date: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(doc)
	if err != nil {
		t.Fatal(err)
	}
	hits, err := p.Find("2026年3月9日")
	if err != nil || len(hits) != 1 || hits[0].Box.X < 80 || hits[0].Box.Y < 80 || math.Abs(hits[0].Box.H-bodySize) > 0.01 {
		t.Fatal(hits, err)
	}
}

func TestFindRefusesTooMuchText(t *testing.T) {
	object := `<TextObject Boundary="0 0 9 9" Size="4"><TextCode X="0" Y="4">` + strings.Repeat("甲", maxGlyphs/2+1) + `</TextCode></TextObject>`
	p := onePage(t, object+object+"<!--"+random(1<<16)+"-->")
	if _, err := p.Find("乙"); !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
}

// random is text that does not compress, so that the ratio limit is not met first.
func random(n int) string {
	out, x := make([]byte, n), uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = "abcdefghijklmnopqrstuvwxyz012345"[x>>27]
	}
	return string(out)
}
