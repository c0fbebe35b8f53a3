package cite

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sample(n string) Citation {
	return Citation{
		Consent: "01a2-" + n, Consumer: "11110102000000002B", Note: "表 2 <每户>", Provider: "11110102000000001A",
		ProviderName: "样例区民政局", Resource: "res-" + n, Title: "低保名单 & 金额",
	}
}

// Both containers give back what was written, in order, and the digest binds
// order and content (京政发〔2017〕37号 art. 19).
func TestBJ17_19b_CitationsComeBackAsWritten(t *testing.T) {
	want := []Citation{sample("1"), sample("2")}
	texts, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	if texts[0] != `{"consent":"01a2-1","consumer":"11110102000000002B","note":"表 2 <每户>","provider":"11110102000000001A","provider_name":"样例区民政局","resource":"res-1","title":"低保名单 & 金额"}` {
		t.Error(texts[0])
	}
	entry, err := ToPDF(want)
	if err != nil {
		t.Fatal(err)
	}
	fromPDF, err := FromPDF(entry)
	if err != nil || !reflect.DeepEqual(fromPDF, want) {
		t.Errorf("%+v, %v", fromPDF, err)
	}
	// The order of elements in the file does not count, their numbers do.
	fromOFD, err := FromOFD([]string{"Author", OFDName(1), OFDName(0)}, []string{"x", texts[1], texts[0]})
	if err != nil || !reflect.DeepEqual(fromOFD, want) {
		t.Errorf("%+v, %v", fromOFD, err)
	}
	d1, err1 := Digest(want)
	d2, err2 := Digest([]Citation{want[1], want[0]})
	if err1 != nil || err2 != nil || len(d1) != 64 || d1 == d2 {
		t.Errorf("digests %s %s, %v %v", d1, d2, err1, err2)
	}
	if none, err := FromPDF(""); none != nil || err != nil {
		t.Errorf("%v, %v", none, err)
	}
}

// What is not complete, plain and in the one spelling is no citation.
func TestMalformedCitations(t *testing.T) {
	for name, edit := range map[string]func(*Citation){
		"no source":              func(c *Citation) { c.Title = " " },
		"no provider":            func(c *Citation) { c.ProviderName = "" },
		"no consent":             func(c *Citation) { c.Consent = "" },
		"no code":                func(c *Citation) { c.Provider = "民政局" },
		"code of 17":             func(c *Citation) { c.Consumer = c.Consumer[1:] },
		"line feed":              func(c *Citation) { c.Note = "a\nb" },
		"right-to-left override": func(c *Citation) { c.Title = "a\u202eb" },
		"zero width":             func(c *Citation) { c.Consent = "a\u200bb" },
		"not UTF-8":              func(c *Citation) { c.Note = "\xff" },
		"long":                   func(c *Citation) { c.Note = strings.Repeat("x", maxField+1) },
	} {
		c := sample("1")
		edit(&c)
		if _, err := Encode([]Citation{c}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, err := Encode([]Citation{sample("1")})
	if err != nil {
		t.Fatal(err)
	}
	g := good[0]
	for name, s := range map[string]string{
		"space": " " + g, "key twice": strings.Replace(g, `{`, `{"consent":"other",`, 1), "case": strings.Replace(g, `"note"`, `"Note"`, 1),
		"more": strings.Replace(g, `{`, `{"a":1,`, 1), "less": strings.Replace(g, `"note":"表 2 <每户>",`, "", 1), "escape": strings.Replace(g, "<", `\u003c`, 1),
		"null": "null", "list": "[" + g + "]", "empty": "", "number": strings.Replace(g, `"res-1"`, `1`, 1), "huge": g + strings.Repeat(" ", maxLine),
	} {
		if _, err := Decode([]string{s}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, names := range map[string][]string{"twice": {OFDName(0), OFDName(0)}, "gap": {OFDName(0), OFDName(2)}, "other number": {OFDPrefix + "01", OFDName(0)}} {
		if _, err := FromOFD(names, []string{g, g}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Encode([]Citation{sample("1"), sample("1")}); !errors.Is(err, ErrMalformed) {
		t.Errorf("twice: %v", err)
	}
	if _, err := Encode(make([]Citation, Max+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many: %v", err)
	}
	if _, err := FromPDF(strings.Repeat("\n", Max)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many lines: %v", err)
	}
}

// FuzzDecode: whatever is accepted is written the same way again.
func FuzzDecode(f *testing.F) {
	entry, err := ToPDF([]Citation{sample("1"), sample("2")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry)
	f.Add("{}")
	f.Add("{\"consent\":\"\\ud800\"}\n")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := FromPDF(s)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ToPDF(list); err != nil || again != s {
			t.Fatalf("%q became %q, %v", s, again, err)
		}
	})
}
