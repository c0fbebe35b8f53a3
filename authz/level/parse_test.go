package level

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func ExampleParse() {
	l, err := Parse("L3/S3A3[personal]")
	fmt.Println(l, err)
	// Output: L3/S3A3[personal] <nil>
}

func TestParseRefuses(t *testing.T) {
	for s, want := range map[string]error{
		"": ErrInvalid, "L5/S3A3": ErrInvalid, "L3/S0A3": ErrInvalid, "L3/S3A3[]": ErrInvalid,
		"L3/S3A3[cat_]": ErrInvalid, "L3/S3A3[cat_secret]": ErrStateSecret, "L3/S3A3[x]": ErrInvalid, "L3/S3A3[secret]": ErrStateSecret, " L3/S3A3": ErrInvalid, "3": ErrInvalid,
		"L4/S5A5[机密]": ErrStateSecret, "L4/S5A5[personal, 绝密 ]": ErrStateSecret, "L4/S5A5[个人]": ErrInvalid, "L4/S5A5[a]]": ErrInvalid,
	} {
		if _, err := Parse(s); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
}

// A level that is not a known level stops at the type: no string, fraction or list
// becomes one, and what is left out is no valid label.
func TestLabelIsTyped(t *testing.T) {
	for _, lv := range []string{`"4"`, `4.0`, `4e0`, `[]`, `{}`, `true`, `-1`, `256`, `null`, `0`, `5`} {
		var l Label
		err := json.Unmarshal([]byte(`{"level":`+lv+`,"required_s":3,"required_a":3}`), &l)
		if err == nil {
			err = l.Validate()
		}
		if err == nil || l.Dominates(Label{Level: 1, RequiredS: 1, RequiredA: 1}) {
			t.Errorf("level %s is taken for %v", lv, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("L3/S3A3[personal,sensitive]")
	f.Add("L1/S1A1[public_disclosure]")
	f.Add("L4/S5A5[cat_any,cat_population]")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(l.String())
		if err != nil || again.String() != l.String() {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
	})
}
