package text

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
)

// organizationIdentifier is where certificates of agencies carry the unified
// social credit code (ETSI EN 319 412-1, 5.1.4). The standard library has no
// name for it and prints such values as hex of their DER.
var organizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

// Name is a name in a certificate as people read it (RFC 4514), with the
// identifier of the organisation by its name. It is foreign text still: see Plain.
func Name(n pkix.Name) string {
	var seq pkix.RDNSequence
	if n.ExtraNames == nil { // what was read and has no field, as pkix.Name.String shows it
		for _, a := range n.Names {
			if !hasField(a.Type) {
				seq = append(seq, pkix.RelativeDistinguishedNameSET{a})
			}
		}
	}
	return Sequence(append(seq, n.ToRDNSequence()...))
}

// Sequence is Name for a name in the order in which it was written.
func Sequence(seq pkix.RDNSequence) string {
	parts := make([]string, 0, len(seq))
	for _, set := range slices.Backward(seq) {
		if len(set) != 1 || !set[0].Type.Equal(organizationIdentifier) {
			parts = append(parts, pkix.RDNSequence{set}.String())
			continue
		}
		s, text := set[0].Value.(string)
		if !text {
			parts = append(parts, pkix.RDNSequence{set}.String())
			continue
		}
		// The standard library escapes a value of a type that it knows.
		known := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: s}
		parts = append(parts, "organizationIdentifier="+strings.TrimPrefix(pkix.RDNSequence{{known}}.String(), "O="))
	}
	return strings.Join(parts, ",")
}

// hasField: pkix.Name keeps attributes of this type in a field of their own.
func hasField(t asn1.ObjectIdentifier) bool {
	return len(t) == 4 && t[:3].Equal(asn1.ObjectIdentifier{2, 5, 4}) && slices.Contains([]int{3, 5, 6, 7, 8, 9, 10, 11, 17}, t[3])
}
