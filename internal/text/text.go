// Package text is the one catalogue of words for people, Chinese first with
// English beside it. Rooms return data (codes, check ids, sentinels); the edges
// (console, API problems, command line) turn them into text here.
//
// Each room owns one file catalogue/<room>.yaml with lines
// `key: {zh: "…", en: "…"}`. It refuses a key that stands twice and a text that
// lacks one language or has a third. Placeholders are named: {name}.
package text

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

//go:embed catalogue/*.yaml
var files embed.FS

// Lang is "zh" or "en".
type Lang string

// Languages.
const (
	Zh Lang = "zh"
	En Lang = "en"
)

// Text is one entry.
type Text struct {
	Zh string `yaml:"zh" json:"zh"`
	En string `yaml:"en" json:"en"`
}

// In returns the text in one language; anything but En is Chinese.
func (t Text) In(l Lang) string {
	if l == En {
		return t.En
	}
	return t.Zh
}

// Both is "中文 / English", the form of the command line.
func (t Text) Both() string { return t.Zh + " / " + t.En }

// Fill replaces {name} by the value that follows name in pairs, all in one
// pass: a value that looks like a placeholder stays as it is.
func (t Text) Fill(pairs ...string) Text {
	var holes []string
	for i := 0; i+1 < len(pairs); i += 2 {
		holes = append(holes, "{"+pairs[i]+"}", pairs[i+1])
	}
	r := strings.NewReplacer(holes...)
	return Text{Zh: r.Replace(t.Zh), En: r.Replace(t.En)}
}

// Catalogue is immutable and safe for concurrent use.
type Catalogue struct{ texts map[string]Text }

// Load reads the embedded catalogue.
func Load() (*Catalogue, error) { return load(files) }

func load(fsys fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(fsys, "catalogue/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("text: list catalogue: %w", err)
	}
	c := &Catalogue{texts: map[string]Text{}}
	for _, name := range names {
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("text: read %s: %w", name, err)
		}
		var m map[string]Text // yaml.v3 refuses a key that stands twice in one file
		dec := yaml.NewDecoder(bytes.NewReader(raw))
		dec.KnownFields(true)
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("text: parse %s: %w", name, err)
		}
		for k, t := range m {
			if _, dup := c.texts[k]; dup {
				return nil, fmt.Errorf("text: %s: key %q stands in another file too", name, k)
			}
			if t.Zh == "" || t.En == "" {
				return nil, fmt.Errorf("text: %s: key %q lacks a language", name, k)
			}
			c.texts[k] = t
		}
	}
	return c, nil
}

// Get returns the text of key; an unknown key is shown as itself, so that a
// missing text is seen and nothing breaks. Tests prove that none is missing.
func (c *Catalogue) Get(key string) Text {
	if t, ok := c.texts[key]; ok {
		return t
	}
	return Text{Zh: key, En: key}
}

// Has reports whether key has a text.
func (c *Catalogue) Has(key string) bool { _, ok := c.texts[key]; return ok }

// Keys returns all keys with the prefix, sorted.
func (c *Catalogue) Keys(prefix string) []string {
	var out []string
	for k := range c.texts {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}
