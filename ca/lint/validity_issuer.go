package lint

// validityIssuer: the period lies inside the issuer's, so that a certificate
// never outlives what it hangs on.
func validityIssuer() Lint {
	return Lint{ID: "validity.issuer", Clause: "GM/T 0034; house rule", Effective: date(2014, 2, 13), Check: func(in Input) Finding {
		if in.Profile != nil && in.Profile.SelfSigned {
			return na("self-signed")
		}
		if in.Issuer == nil {
			return na("no issuer given")
		}
		if in.View.NotBefore.Before(in.Issuer.NotBefore) || in.View.NotAfter.After(in.Issuer.NotAfter) {
			return fail("period is not inside the issuer's")
		}
		return pass()
	}}
}
