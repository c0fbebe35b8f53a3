package lint

import (
	"encoding/asn1"
	"strings"
	"unicode/utf8"
)

// nameEncoding: names are written as UTF8String or PrintableString, the country
// as PrintableString. GBK bytes in an old string type are what breaks other
// people's parsers.
func nameEncoding() Lint {
	country := asn1.ObjectIdentifier{2, 5, 4, 6}
	return Lint{ID: "name.encoding", Clause: "RFC 5280 4.1.2.4, 4.1.2.6", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		for _, name := range [][]Attribute{in.View.Subject, in.View.Issuer} {
			for _, a := range name {
				switch {
				case a.Tag == asn1.TagPrintableString && printable(a.Value):
				case a.Tag == asn1.TagUTF8String && utf8.ValidString(a.Value) && !a.Type.Equal(country):
				default:
					return fail("attribute " + a.Type.String() + " is not a well-formed UTF8String or PrintableString")
				}
			}
		}
		return pass()
	}}
}

func printable(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(" '()+,-./:=?", c) < 0 {
			return false
		}
	}
	return true
}
