package text

import (
	"strings"
	"unicode"
)

// Plain makes foreign text safe to show: control characters and direction marks,
// which could hide or turn around what stands beside them, become visible marks.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
