package ofd

import (
	"strings"
	"testing"
)

func TestTokensFit(t *testing.T) {
	fill := strings.Repeat("<a b='>'>x</a>\n", maxTag/10)
	long := strings.Repeat("x", maxTag+1)
	text := strings.Repeat("x", maxText+1)
	for name, c := range map[string]struct {
		xml  string
		want bool
	}{
		"many short": {fill, true}, "small file": {"<" + strings.Repeat("a", 99), true},
		"long text within the limit": {"<a>" + long + "</a>", true}, "long text": {"<a>" + text + "</a>", false},
		"text at the end": {fill + text, false},
		"long tag":        {fill + "<a b='" + long + "'/>", false}, "> in quotes": {fill + "<a " + strings.Repeat(`b=">" `, maxTag/6+1) + "/>", false},
		"tag not closed": {fill + "<" + long, false}, "ends after <?": {fill + "<?", true}, "ends after <": {fill + "<", true},
		"long comment": {fill + "<!--" + text + "-->", false}, "long CDATA": {fill + "<![CDATA[" + text + "]]>", false},
		"long instruction": {fill + "<?" + text + "?>", false}, "comment holds tags": {fill + "<!--" + strings.Repeat("<", maxTag+9) + "-->" + fill, true},
		"comment not closed": {fill + "<!-- " + long, true},
	} {
		if got := tokensFit([]byte(c.xml)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
