package app

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/signer"
)

// ExcludedType is a kind of document that the site does not seal, besides what the
// law excludes (电子签名法 art. 3 para. 3 (3)): laws and administrative regulations
// of a trade are known to those who work in it.
type ExcludedType struct {
	Code   string   `yaml:"code" koanf:"code"`             // as a request may name it
	Words  []string `yaml:"words,omitempty" koanf:"words"` // a document type that contains one is of this kind
	Clause string   `yaml:"clause" koanf:"clause"`         // law and article
	Zh     string   `yaml:"zh" koanf:"zh"`
	En     string   `yaml:"en" koanf:"en"`
}

// Bounds of what a site may set.
const (
	maxApprovalLife = 90 // days
	maxExcluded     = 100
	maxExcludedText = 100 // characters
)

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)

// checkExclusions refuses an entry that people could not read in a refusal, and a
// code that stands twice or is one of the law.
func (s Settings) checkExclusions() error {
	if len(s.ExcludedTypes) > maxExcluded {
		return fmt.Errorf("%w: excluded_types: more than %d", ErrConfig, maxExcluded)
	}
	table := signer.Exclusions()
	for i, x := range s.ExcludedTypes {
		bad := func(what string) error { return fmt.Errorf("%w: excluded_types, entry %d: %s", ErrConfig, i+1, what) }
		if !codeForm.MatchString(x.Code) {
			return bad("code must be lower-case letters, digits and _")
		}
		if slices.ContainsFunc(table, func(have signer.Exclusion) bool { return have.Type == x.Code }) {
			return bad("code " + x.Code + " is taken")
		}
		for name, text := range map[string]string{"clause": x.Clause, "zh": x.Zh, "en": x.En} {
			if !shown(text) {
				return bad(name + " is empty, too long or not plain text")
			}
		}
		if slices.ContainsFunc(x.Words, func(w string) bool { return !shown(w) }) {
			return bad("words: one is empty, too long or not plain text")
		}
		table = append(table, x.exclusion())
	}
	return nil
}

// unknownField is a field of an entry that nobody reads: a slip would leave out a
// word without a trace.
func unknownField(value any) string {
	entries, ok := value.([]any)
	if !ok {
		return "(not a list)"
	}
	for _, e := range entries {
		fields, ok := e.(map[string]any)
		if !ok {
			return "(not a table)"
		}
		for name := range fields {
			if !slices.Contains([]string{"code", "words", "clause", "zh", "en"}, name) {
				return name
			}
		}
	}
	return ""
}

func shown(text string) bool {
	return strings.TrimSpace(text) != "" && utf8.RuneCountInString(text) <= maxExcludedText &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (x ExcludedType) exclusion() signer.Exclusion {
	return signer.Exclusion{Type: x.Code, Words: x.Words, Clause: x.Clause, Zh: x.Zh, En: x.En}
}

// exclusions are those of the site.
func (s Settings) exclusions() []signer.Exclusion {
	out := make([]signer.Exclusion, len(s.ExcludedTypes))
	for i, x := range s.ExcludedTypes {
		out[i] = x.exclusion()
	}
	return out
}

// approvalLife is how long a use of a seal may follow its approval; zero: the
// signer's own.
func (s Settings) approvalLife() time.Duration { return time.Duration(s.ApprovalLife) * 24 * time.Hour }
