// Package cps fills the certification practice statement (电子认证业务规则, 电子签名法
// art. 19; outline of RFC 3647) with what the house really does, and prints it.
//
// It refuses a template with a blank that has no value, and a value for which
// there is no blank: what is published has no holes and hides nothing. The digest
// of a statement is over both languages without version and date, so that it
// changes when what is stated changes. A leaf: text only.
package cps

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// ErrTemplate: template and values do not fit.
var ErrTemplate = errors.New("cps: template and values do not fit")

// Blanks that Dated fills.
const (
	blankVersion = "version"
	blankDate    = "date"
)

// Statement is the text in both languages, Markdown, without version and date.
type Statement struct{ Zh, En string }

// Fill puts values into a template of both languages.
func Fill(zh, en string, values map[string]string) (Statement, error) {
	blank := regexp.MustCompile(`\{\{([a-z0-9]+)\}\}`)
	fill := func(template string) (string, error) {
		used := map[string]bool{}
		var missing []string
		out := blank.ReplaceAllStringFunc(template, func(b string) string {
			name := b[2 : len(b)-2]
			if name == blankVersion || name == blankDate {
				return b
			}
			used[name] = true
			v, ok := values[name]
			if !ok || v == "" {
				missing = append(missing, name)
			}
			return v
		})
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !used[name] {
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			return "", fmt.Errorf("%w: %s", ErrTemplate, strings.Join(missing, ", "))
		}
		return out, nil
	}
	var s Statement
	var err error
	if s.Zh, err = fill(zh); err != nil {
		return Statement{}, err
	}
	s.En, err = fill(en)
	return s, err
}

// SM3 is the digest of what is stated, hex.
func (s Statement) SM3() string {
	sum := sm3.Sum([]byte("yinxin/cps/v1\n" + s.Zh + "\n" + s.En))
	return hex.EncodeToString(sum[:])
}

// Dated is the text of a version, in China's days.
func (s Statement) Dated(version int64, since time.Time) Statement {
	day := since.In(time.FixedZone("UTC+8", 8*3600)).Format(time.DateOnly)
	r := strings.NewReplacer("{{"+blankVersion+"}}", fmt.Sprint(version), "{{"+blankDate+"}}", day)
	return Statement{r.Replace(s.Zh), r.Replace(s.En)}
}
