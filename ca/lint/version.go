package lint

import "strconv"

// version: extensions exist in version 3 only.
func version() Lint {
	return Lint{ID: "version.v3", Clause: "RFC 5280 4.1.2.1", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		if in.View.Version != 3 {
			return fail("version " + strconv.Itoa(in.View.Version))
		}
		return pass()
	}}
}
