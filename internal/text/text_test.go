package text

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestLoadEmbedded(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Keys("")) == 0 {
		t.Fatal("the catalogue is empty")
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"missing language":   {map[string]string{"a": "k: {zh: 甲}"}, "lacks a language"},
		"twice in one file":  {map[string]string{"a": "k: {zh: 甲, en: a}\nk: {zh: 乙, en: b}"}, "already defined"},
		"twice in two files": {map[string]string{"a": "k: {zh: 甲, en: a}", "b": "k: {zh: 甲, en: a}"}, "another file"},
		"third language":     {map[string]string{"a": "k: {zh: 甲, en: a, fr: a}"}, "parse"},
		"not yaml":           {map[string]string{"a": "k: ["}, "parse"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for f, s := range tc.files {
				fsys["catalogue/"+f+".yaml"] = &fstest.MapFile{Data: []byte(s)}
			}
			if _, err := load(fsys); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestFill(t *testing.T) {
	got := Text{Zh: "第 {n} 条", En: "entry {n}"}.Fill("n", "7")
	if got.Both() != "第 7 条 / entry 7" {
		t.Fatalf("got %q", got.Both())
	}
	if got := (Text{Zh: "{a}{b}", En: "{b}{a}"}).Fill("a", "{b}", "b", "x"); got.Zh != "{b}x" || got.En != "x{b}" {
		t.Fatalf("a value was taken for a placeholder: %q", got.Both())
	}
}
