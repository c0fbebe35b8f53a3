package lint

import "encoding/asn1"

// subjectFields: the holder is named by C=CN, O and CN, the issuer by O and CN.
func subjectFields() Lint {
	country := asn1.ObjectIdentifier{2, 5, 4, 6}
	organization := asn1.ObjectIdentifier{2, 5, 4, 10}
	common := asn1.ObjectIdentifier{2, 5, 4, 3}
	return Lint{ID: "subject.fields", Clause: "电子签名法 art. 21; GM/T 0015", Effective: date(2012, 11, 22), Check: func(in Input) Finding {
		if c := attribute(in.View.Subject, country); len(c) != 1 || c[0] != "CN" {
			return fail("subject needs C=CN, once")
		}
		for _, want := range []struct {
			who  string
			name []Attribute
			id   asn1.ObjectIdentifier
			text string
		}{
			{"subject", in.View.Subject, organization, "O"},
			{"subject", in.View.Subject, common, "CN"},
			{"issuer", in.View.Issuer, organization, "O"},
			{"issuer", in.View.Issuer, common, "CN"},
		} {
			if got := attribute(want.name, want.id); len(got) != 1 || got[0] == "" {
				return fail(want.who + " needs " + want.text + ", once and not empty")
			}
		}
		return pass()
	}}
}
