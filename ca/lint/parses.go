package lint

// parses: what a strict parser refuses is not issued.
func parses() Lint {
	return Lint{ID: "der.parses", Clause: "RFC 5280 4.1", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		if in.View.Refused != nil {
			return fail(in.View.Refused.Error())
		}
		return pass()
	}}
}
