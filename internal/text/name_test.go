package text

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// read is a name as a parser gives it.
func read(t *testing.T, seq pkix.RDNSequence) pkix.Name {
	t.Helper()
	der, err := asn1.Marshal(seq)
	if err != nil {
		t.Fatal(err)
	}
	var back pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &back); err != nil {
		t.Fatal(err)
	}
	var n pkix.Name
	n.FillFromRDNSequence(&back)
	return n
}

func TestName(t *testing.T) {
	one := func(id int, value any) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, id}, Value: value}}
	}
	for name, tc := range map[string]struct {
		in   pkix.RDNSequence
		want string
	}{
		"an agency": {
			pkix.RDNSequence{one(6, "CN"), one(10, "样例局"), one(97, "11110100MB00000015"), one(3, "样例")},
			"CN=样例,O=样例局,C=CN,organizationIdentifier=11110100MB00000015",
		},
		"nothing of the kind": {pkix.RDNSequence{one(6, "CN"), one(3, "a+b")}, `CN=a\+b,C=CN`},
		"a value that would be another attribute": {
			pkix.RDNSequence{one(3, "x"), one(97, `1,CN=root`)}, `CN=x,organizationIdentifier=1\,CN=root`,
		},
		"not a string": {pkix.RDNSequence{one(3, "x"), one(97, 5)}, "CN=x,2.5.4.97=#020105"},
		"a set of two": {pkix.RDNSequence{{one(3, "x")[0], one(10, "y")[0]}}, "CN=x,O=y"},
		"another type without a field": {
			pkix.RDNSequence{one(3, "x"), one(41, "y")}, "CN=x,2.5.4.41=#130179",
		},
	} {
		n := read(t, tc.in)
		if got := Name(n); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if !strings.Contains(tc.want, "organizationIdentifier") && n.String() != tc.want {
			t.Errorf("%s: the standard library says %s", name, n.String())
		}
	}
}
