package catest

import (
	"context"
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
)

// PersonStore is a registry that finds the certificates of persons.
type PersonStore interface {
	ca.Registry
	ca.Persons
}

// RunPersons: those of a person in every state, oldest first; nobody has none.
func RunPersons(t *testing.T, reg PersonStore) {
	ctx := context.Background()
	want := map[string]bool{}
	for n, person := range []string{"p-1", "", "p-1", "p-2"} {
		row, der := signed(t)
		row.Person = person
		if _, err := reg.Reserve(ctx, []ca.Certificate{row}, nil, event()); err != nil {
			t.Fatal(err)
		}
		if row.DER = der; n > 0 { // the first stays pending
			if _, err := reg.Activate(ctx, []ca.Certificate{row}, event()); err != nil {
				t.Fatal(err)
			}
		}
		want[row.Serial] = person == "p-1"
	}
	for person, n := range map[string]int{"p-1": 2, "p-2": 1, "": 0, "p-3": 0} {
		got, err := reg.CertificatesOfPerson(ctx, person)
		if err != nil || len(got) != n {
			t.Errorf("%q: %d certificates, %v", person, len(got), err)
		}
		for _, c := range got {
			if c.Person != person || want[c.Serial] != (person == "p-1") {
				t.Errorf("%q: %+v", person, c)
			}
		}
	}
}
