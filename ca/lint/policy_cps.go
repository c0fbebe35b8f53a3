package lint

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// policyCPS: names the practice rules it was issued under and where they stand.
func policyCPS() Lint {
	return Lint{ID: "policy.cps", Clause: "电子签名法 art. 19; RFC 5280 4.2.1.4", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		e := in.View.extension(asn1.ObjectIdentifier{2, 5, 29, 32})
		if e == nil {
			return fail("certificate policies are missing")
		}
		if !hasCPS(e.Value) {
			return fail("no policy has a CPS address")
		}
		return pass()
	}}
}

func hasCPS(der []byte) bool {
	in := cryptobyte.String(der)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) {
		return false
	}
	for !list.Empty() {
		var policy, qualifiers cryptobyte.String
		if !list.ReadASN1(&policy, cbasn1.SEQUENCE) || !policy.SkipASN1(cbasn1.OBJECT_IDENTIFIER) {
			return false
		}
		if policy.Empty() || !policy.ReadASN1(&qualifiers, cbasn1.SEQUENCE) {
			continue
		}
		for !qualifiers.Empty() {
			var q, uri cryptobyte.String
			var id asn1.ObjectIdentifier
			if !qualifiers.ReadASN1(&q, cbasn1.SEQUENCE) || !q.ReadASN1ObjectIdentifier(&id) {
				return false
			}
			if id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}) && q.ReadASN1(&uri, cbasn1.IA5String) && len(uri) > 0 {
				return true
			}
		}
	}
	return false
}
