package demo

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/app"
)

// variable are the parts of a transcript that differ from run to run. Sequence
// numbers do not: the same walk writes the same entries.
var variable = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "<id>"},
	{regexp.MustCompile(`[0-9a-f]{64}`), "<sm3>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "<time>"},
	{regexp.MustCompile(`localhost:\d+`), "localhost:<port>"},
	{regexp.MustCompile(`#(…|[A-Za-z0-9_-]{43})`), "#<secret>"},
}

func normal(s string) string {
	for _, v := range variable {
		s = v.re.ReplaceAllString(s, v.to)
	}
	return s
}

// TestReadmeTranscript: what both READMEs say that the demo prints is what it
// prints. They may leave out whole chapters, with a line `…` in their place.
func TestReadmeTranscript(t *testing.T) {
	d := demo(t)
	printed := chapters(normal(strings.ReplaceAll(d.out, d.dir, "yinxin-data")))
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("..", "..", name))
			ok(t, err)
			_, block, found := strings.Cut(string(raw), "```text\n$ go run ./cmd/yinxin demo\n")
			if !found {
				t.Fatal("no transcript")
			}
			block, _, _ = strings.Cut(block, "```")
			told := chapters(normal(block))
			at := 0
			for i, c := range told {
				gap := strings.HasSuffix(c, "\n…")
				c = strings.TrimSuffix(c, "\n…")
				if at == len(printed) {
					t.Fatalf("the demo does not print:\n%s", c)
				}
				if c != printed[at] {
					t.Fatalf("the README says:\n%s\nthe demo prints:\n%s", c, printed[at])
				}
				at++
				for gap && i+1 < len(told) && at < len(printed) && printed[at] != strings.TrimSuffix(told[i+1], "\n…") {
					at++
				}
			}
			if at != len(printed) {
				t.Errorf("the README leaves out what follows:\n%s", printed[at])
			}
		})
	}
}

// chapters splits a transcript before its numbered headings, blank lines left out.
func chapters(s string) (out []string) {
	head := regexp.MustCompile(`^\d+\. `)
	for _, l := range lines(s) {
		switch {
		case l == "":
		case head.MatchString(l) || len(out) == 0:
			out = append(out, l)
		default:
			out[len(out)-1] += "\n" + l
		}
	}
	return out
}

// TestReadmeLinks: every file that a README or a page of docs points to exists.
func TestReadmeLinks(t *testing.T) {
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*", "*.md"))
	ok(t, err)
	top, err := filepath.Glob(filepath.Join(root, "*.md"))
	ok(t, err)
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, page := range append(pages, top...) {
		raw, err := os.ReadFile(page)
		ok(t, err)
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// TestDocsNameEveryField: the pages about demo.json and config.yaml know every
// field there is.
func TestDocsNameEveryField(t *testing.T) {
	for page, typ := range map[string]reflect.Type{"demo.md": reflect.TypeFor[Manifest](), "operate.md": reflect.TypeFor[app.Settings]()} {
		for _, lang := range []string{"en", "zh"} {
			raw, err := os.ReadFile(filepath.Join("..", "..", "docs", lang, page))
			ok(t, err)
			for _, name := range fieldNames(typ) {
				if !strings.Contains(string(raw), "`"+name+"`") {
					t.Errorf("docs/%s/%s does not name %s", lang, page, name)
				}
			}
		}
	}
}

func fieldNames(t reflect.Type) (out []string) {
	switch t.Kind() {
	case reflect.Map, reflect.Slice:
		return fieldNames(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("json")
			if name == "" {
				name = f.Tag.Get("yaml")
			}
			name, _, _ = strings.Cut(name, ",")
			out = append(append(out, name), fieldNames(f.Type)...)
		}
	}
	return out
}
