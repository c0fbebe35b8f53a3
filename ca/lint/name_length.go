package lint

import (
	"strconv"
	"unicode/utf8"
)

// nameLength: the upper bounds of a name, counted in characters. Verifiers that
// keep them refuse the certificate, others cut the name.
func nameLength() Lint {
	bounds := map[string]int{
		"2.5.4.3": 64, "2.5.4.4": 40, "2.5.4.5": 64, "2.5.4.6": 2, "2.5.4.7": 128, "2.5.4.8": 128,
		"2.5.4.10": 64, "2.5.4.11": 64, "2.5.4.12": 64, "2.5.4.42": 16, "2.5.4.97": 256,
	}
	return Lint{ID: "name.length", Clause: "RFC 5280 A.1 (upper bounds); X.520", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		for _, name := range [][]Attribute{in.View.Subject, in.View.Issuer} {
			for _, a := range name {
				bound, known := bounds[a.Type.String()]
				if n := utf8.RuneCountInString(a.Value); n == 0 || known && n > bound {
					return fail("attribute " + a.Type.String() + " has " + strconv.Itoa(n) + " characters")
				}
			}
		}
		return pass()
	}}
}
