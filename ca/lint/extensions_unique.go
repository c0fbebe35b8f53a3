package lint

// extensionsUnique: with two of one kind, two verifiers may read two different
// certificates.
func extensionsUnique() Lint {
	return Lint{ID: "extensions.unique", Clause: "RFC 5280 4.2", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		seen := map[string]bool{}
		for _, e := range in.View.Extensions {
			if seen[e.ID.String()] {
				return fail("extension stands twice: " + e.ID.String())
			}
			seen[e.ID.String()] = true
		}
		return pass()
	}}
}
