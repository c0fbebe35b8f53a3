package lint

// uniqueIDs: the unique identifiers of X.509 version 2 are not used; names are
// never given to another.
func uniqueIDs() Lint {
	return Lint{ID: "unique_ids.absent", Clause: "RFC 5280 4.1.2.8", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		if in.View.UniqueIDs {
			return fail("issuer or subject unique identifier")
		}
		return pass()
	}}
}
