package cps

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/docs"
)

func template(t *testing.T) (zh, en string) {
	t.Helper()
	zh, en, err := docs.CPS()
	if err != nil {
		t.Fatal(err)
	}
	return zh, en
}

// RFC 3647 6: nine chapters, in both languages; 电子签名法 art. 19.
func TestTheStatementHasTheOutlineRFC3647(t *testing.T) {
	zh, en := template(t)
	for lang, text := range map[string]string{"zh": zh, "en": en} {
		chapters := regexp.MustCompile(`(?m)^## (\d)\. `).FindAllStringSubmatch(text, -1)
		if len(chapters) != 9 {
			t.Fatalf("%s: %d chapters", lang, len(chapters))
		}
		for i, c := range chapters {
			if c[1] != string(rune('1'+i)) {
				t.Errorf("%s: chapter %s at place %d", lang, c[1], i+1)
			}
		}
		for i, body := range regexp.MustCompile(`(?m)^## .*$`).Split(text, -1)[1:] {
			if len(strings.TrimSpace(body)) < 200 {
				t.Errorf("%s: chapter %d says next to nothing", lang, i+1)
			}
		}
	}
}

// Whatever is a figure comes from the house: the template has none but names of
// standards, articles and algorithms.
func TestTheTemplateHasNoFigures(t *testing.T) {
	zh, en := template(t)
	names := regexp.MustCompile(`(?m)^## \d\. |\{\{[a-z0-9]+\}\}|RFC \d+|GM/T \d+|art\. \d+|SM[234]|P-256|X\.509|chapter \d`)
	for lang, text := range map[string]string{"zh": zh, "en": en} {
		if left := regexp.MustCompile(`\d+`).FindAllString(names.ReplaceAllString(text, ""), -1); len(left) > 0 {
			t.Errorf("%s: figures that no setting fills: %v", lang, left)
		}
	}
	blanks := func(text string) map[string]bool {
		out := map[string]bool{}
		for _, b := range regexp.MustCompile(`\{\{[a-z0-9]+\}\}`).FindAllString(text, -1) {
			out[b] = true
		}
		return out
	}
	a, b := blanks(zh), blanks(en)
	for name := range a {
		if !b[name] {
			t.Errorf("only in Chinese: %s", name)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d and %d blanks", len(a), len(b))
	}
}

func TestFill(t *testing.T) {
	const zh, en = "# 甲 {{unit}} {{version}} {{date}}", "# A {{unit}} {{version}} {{date}}"
	s, err := Fill(zh, en, map[string]string{"unit": "样例"})
	if err != nil || !strings.Contains(s.Zh, "样例") {
		t.Fatal(s, err)
	}
	for name, values := range map[string]map[string]string{"a hole": {}, "an empty value": {"unit": ""}, "a value without a blank": {"unit": "x", "other": "y"}} {
		if _, err := Fill(zh, en, values); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, _ := Fill(zh, en, map[string]string{"unit": "别的"})
	if s.SM3() == other.SM3() || len(s.SM3()) != 64 {
		t.Error("the digest does not change with what is stated")
	}
	since := time.Date(2026, 5, 1, 20, 0, 0, 0, time.UTC)
	if d := s.Dated(3, since); d.En != "# A 样例 3 2026-05-02" || s.SM3() == "" {
		t.Errorf("%q", d.En)
	}
}

func TestHTML(t *testing.T) {
	got := HTML("# 甲<b>\n\n字 `a&b` \"c\"\n\n| x | y |\n|---|---|\n| <script> | 2 |\n\n## 1. 乙", "zh-CN")
	for _, want := range []string{`<html lang="zh-CN">`, "<h1>甲&lt;b&gt;</h1>", "<code>a&amp;b</code>", "<th>x</th>", "<td>&lt;script&gt;</td><td>2</td>", "<h2>1. 乙</h2>"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if strings.Contains(got, "<script") || strings.Contains(got, "|") {
		t.Errorf("%s", got)
	}
}
