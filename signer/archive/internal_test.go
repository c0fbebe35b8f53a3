package archive

import "testing"

// Each column of the list counts: when one digest falls, the other stands.
func TestEveryColumnOfTheListCounts(t *testing.T) {
	a := listed{"a", 1, "sm3", "sha"}
	for name, c := range map[string]struct {
		have   []listed
		reason string
	}{
		"size": {[]listed{{"a", 2, "sm3", "sha"}}, ReasonChanged}, "SM3": {[]listed{{"a", 1, "x", "sha"}}, ReasonChanged},
		"SHA-256": {[]listed{{"a", 1, "sm3", "x"}}, ReasonChanged}, "missing": {nil, ReasonMissing}, "extra": {[]listed{a, {"b", 1, "sm3", "sha"}}, ReasonExtra},
	} {
		if f := compare([]listed{a}, c.have); f == nil || f.reason != c.reason {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := compare([]listed{a}, []listed{a}); f != nil {
		t.Errorf("%+v", f)
	}
}

func TestNumberOfARenewal(t *testing.T) {
	for name, want := range map[string]int{
		"renewals/0001/list.json": 1, "renewals/0012/revocation/a.crl": 12, "renewals/1/x": 0, "renewals/00001/x": 0, "renewals/+001/x": 0, "renewals/ 001/x": 0,
		"renewals/0001": 0, "renewals/000x/y": 0, "document/0001/x": 0, "renewals/0000/x": 0,
	} {
		if got := numberOf(name); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}
