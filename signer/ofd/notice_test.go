package ofd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func notice(paragraphs int) Notice {
	n := Notice{
		Title: "关于做好公共数据共享工作的通知", DocNo: "东数发〔2026〕1号", Issuer: "东湖区数据局",
		Date: time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC),
	}
	for range paragraphs {
		n.Body = append(n.Body, strings.Repeat("各有关单位应当按照《公共数据共享管理办法》第12条办理，", 6))
	}
	return n
}

// A notice reads back sound, takes seals, and keeps every character in order.
func TestNoticeReadsBackAndTakesSeals(t *testing.T) {
	for _, paragraphs := range []int{1, 12, 40} {
		t.Run(fmt.Sprint(paragraphs), func(t *testing.T) {
			n := notice(paragraphs)
			data, err := NewNotice(n)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := NewNotice(n)
			if !bytes.Equal(data, again) {
				t.Fatal("equal input, different bytes")
			}
			p, err := Open(data)
			if err != nil || len(p.Faults())+len(p.Problems())+len(p.Notes()) > 0 {
				t.Fatalf("%v %v %v %v", err, p.Faults(), p.Problems(), p.Notes())
			}
			if len(p.Reachable()) != len(p.Files()) {
				t.Error("a file is not reachable")
			}
			if multi := paragraphs > 10; multi != (len(p.Pages()) > 1) {
				t.Errorf("%d pages", len(p.Pages()))
			}
			if got := textOf(t, p); got != n.Issuer+n.DocNo+n.Title+strings.Join(n.Body, "")+n.Issuer+"2026年3月9日" {
				t.Errorf("text differs: %.80s…", got)
			}
			once, _ := seal(t, data, request(false))
			twice, _ := seal(t, once, request(true))
			holds(t, twice, 2)
		})
	}
}

// textOf joins the text of all pages and checks that it stays on the page.
func textOf(t *testing.T, p *Package) string {
	t.Helper()
	var all strings.Builder
	for _, pg := range p.Pages() {
		raw, err := p.Read(pg.Path)
		if err != nil {
			t.Fatal(err)
		}
		root, err := parseXML(raw, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, obj := range root.find("Content").find("Layer").kids {
			box, ok := ParseBox(obj.get("Boundary"))
			if !ok || box.X < 0 || box.Y < 0 || box.X+box.W > pg.Box.W || box.Y+box.H > pg.Box.H {
				t.Errorf("off the page: %v", box)
			}
			all.WriteString(obj.value("TextCode"))
		}
	}
	return all.String()
}

func TestNoticeRefuses(t *testing.T) {
	for name, change := range map[string]func(*Notice){
		"no title": func(n *Notice) { n.Title = "" }, "no body": func(n *Notice) { n.Body = nil },
		"no issuer": func(n *Notice) { n.Issuer = "" }, "control": func(n *Notice) { n.Body[0] = "a\x01b" },
	} {
		n := notice(1)
		change(&n)
		if _, err := NewNotice(n); !errors.Is(err, ErrXML) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleNewNotice() {
	data, err := NewNotice(Notice{
		Title: "关于启用电子印章的通知", DocNo: "东数发〔2026〕2号", Issuer: "东湖区数据局",
		Body: []string{"自即日起启用电子印章。"}, Date: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := Open(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range p.Reachable() {
		fmt.Println(r.Path)
	}
	// Output:
	// /OFD.xml
	// /Doc_0/Document.xml
	// /Doc_0/PublicRes.xml
	// /Doc_0/Pages/Page_0/Content.xml
}
