package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// Bounds of what the page shows of a document; what is cut is counted.
const (
	maxText  = 400 // characters of one text
	maxLines = 40  // of a list
)

// Printer makes the printable page: one HTML file of its own, in one language,
// without script and without anything from elsewhere.
type Printer struct {
	words *text.Catalogue
	pages map[text.Lang]*template.Template
}

// NewPrinter reads the page.
func NewPrinter(words *text.Catalogue) (*Printer, error) {
	if words == nil {
		return nil, errors.New("report: words are required")
	}
	p := &Printer{words: words, pages: map[text.Lang]*template.Template{}}
	for _, lang := range []text.Lang{text.Zh, text.En} {
		t, err := template.New("page").Funcs(p.funcs(lang)).Parse(pageHTML)
		if err != nil {
			return nil, fmt.Errorf("report: page: %w", err)
		}
		p.pages[lang] = t
	}
	return p, nil
}

// Policy is the Content-Security-Policy under which the page works: its own style
// by hash, pictures inside it, and nothing else.
func (p *Printer) Policy() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
}

// Page prints a detailed or diagnostic report. Any language but English is
// Chinese.
func (p *Printer) Page(r Report, lang text.Lang, pictures []Picture) ([]byte, error) {
	if r.Detail == nil {
		return nil, fmt.Errorf("report: a page needs a detailed report, not a %s one", r.Level)
	}
	if lang != text.En {
		lang = text.Zh
	}
	var out bytes.Buffer
	err := p.pages[lang].Execute(&out, struct {
		Report
		Lang     text.Lang
		Style    template.CSS
		Policy   string
		Pictures []Picture
	}{r, lang, template.CSS(pageCSS), p.Policy(), pictures})
	if err != nil {
		return nil, fmt.Errorf("report: page: %w", err)
	}
	return out.Bytes(), nil
}

func (p *Printer) funcs(lang text.Lang) template.FuncMap {
	return template.FuncMap{
		"t":       func(parts ...any) string { return p.words.Get(fmt.Sprint(parts...)).In(lang) },
		"n":       func(key string, n any) string { return p.words.Get(key).Fill("n", fmt.Sprint(n)).In(lang) },
		"plain":   func(s string) string { return p.plain(s, lang) },
		"lines":   func(list []string) []string { return list[:min(len(list), maxLines)] },
		"rest":    func(list []string) int { return max(0, len(list)-maxLines) },
		"warned":  func(list []verify.Warning) []verify.Warning { return list[:min(len(list), maxLines)] },
		"more":    func(list []verify.Warning) int { return max(0, len(list)-maxLines) },
		"moment":  func(s string) string { return p.moment(s, lang) },
		"day":     day,
		"custody": func(c Custody) string { return p.value(Fact{Kind: FactCustody, Value: string(c)}, lang) },
		"value":   func(f Fact) string { return p.value(f, lang) },
		"mark":    mark,
	}
}

// plain shows foreign text: cleaned, and cut with the count said.
func (p *Printer) plain(s string, lang text.Lang) string {
	if n := utf8.RuneCountInString(s); n > maxText {
		return text.Plain(string([]rune(s)[:maxText])) + p.words.Get("report.cut").Fill("n", fmt.Sprint(n)).In(lang)
	}
	return text.Plain(s)
}

// value shows the value of a fact: words for codes, the rest as it is.
func (p *Printer) value(f Fact, lang text.Lang) string {
	switch f.Kind {
	case FactCustody:
		if key := "report.custody." + f.Value; p.words.Has(key) {
			return p.words.Get(key).In(lang)
		}
	case FactKey:
		if key := "report.key." + f.Value; p.words.Has(key) {
			return p.words.Get(key).In(lang)
		}
	case FactToken, FactClaim:
		return p.moment(f.Value, lang)
	case FactLicence:
		from, until, _ := strings.Cut(f.Value, "/")
		return day(from, 0) + " — " + day(until, 1)
	}
	return p.plain(f.Value, lang)
}

// day is the local day of a time, or of the moment some seconds before it: a
// period that ends at midnight counts the day before as its last.
func day(s string, before int) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return text.Plain(s)
	}
	return t.Add(-time.Duration(before) * time.Second).In(china()).Format(time.DateOnly)
}

// moment shows a time as every wall in China does; one that does not read is
// foreign text.
func (p *Printer) moment(s string, lang text.Lang) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return p.plain(s, lang)
	}
	return t.In(china()).Format(time.DateTime)
}

func china() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

// mark stands beside every result: colour never stands alone.
func mark(result any) string {
	switch strings.ToLower(fmt.Sprint(result)) {
	case "pass", "valid", "intact":
		return "✓"
	case "fail", "invalid", "altered":
		return "✗"
	case "skipped", "":
		return "–"
	}
	return "?"
}
