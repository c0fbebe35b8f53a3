package lint

// validityOrder: a certificate ends after it begins.
func validityOrder() Lint {
	return Lint{ID: "validity.order", Clause: "RFC 5280 4.1.2.5; 电子签名法 art. 21", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		if !in.View.NotBefore.Before(in.View.NotAfter) {
			return fail("ends before it begins")
		}
		return pass()
	}}
}
