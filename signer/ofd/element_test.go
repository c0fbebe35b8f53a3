package ofd

import (
	"errors"
	"strings"
	"testing"
)

func TestElementReadsPagesAsTheyAre(t *testing.T) {
	p, err := Open(small(t, `Doc_0/a.xml=<o:Page xmlns:o="x"><TextCode X="1"> a b<![CDATA[ c ]]></TextCode> <FileLoc> r.xml </FileLoc></o:Page>`, "Doc_0/b.xml=<a", "Doc_0/c.xml=<!DOCTYPE a><a/>"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Element("/Doc_0/a.xml")
	if err != nil || e.Name() != "Page" || e.Text() != "" {
		t.Fatal(e.Name(), err)
	}
	var names []string
	for k := range e.Kids() {
		names = append(names, k.Name())
	}
	code := e.Find("TextCode")
	if strings.Join(names, " ") != "TextCode FileLoc" || code.Attr("X") != "1" || code.Text() != " a b c " || e.Find("FileLoc").Text() != "r.xml" {
		t.Errorf("%v %q %q", names, code.Text(), e.Find("FileLoc").Text())
	}
	for abs, want := range map[string]error{"/Doc_0/b.xml": ErrXML, "/Doc_0/c.xml": ErrXML, "/Doc_0/d.xml": ErrNoEntry} {
		if _, err := p.Element(abs); !errors.Is(err, want) {
			t.Errorf("%s: %v", abs, err)
		}
	}
	none := e.Find("x").Find("y")
	if none.Is() || none.Name()+none.Text()+none.Attr("z") != "" || p.Size("/Doc_0/b.xml") != 2 || p.Size("/no") != -1 {
		t.Error("what is not there has something")
	}
	for range none.Kids() {
		t.Error("child of nothing")
	}
}

// Text cut into pieces by comments is joined once: joined piece by piece, this
// file of 4 MB took minutes.
func TestSplitTextIsLinear(t *testing.T) {
	n, err := parseXML([]byte("<a>"+strings.Repeat("abcdefgh<!---->", 1<<18)+"</a>"), "")
	if err != nil || len(n.text) != 8<<18 {
		t.Fatal(err)
	}
}
