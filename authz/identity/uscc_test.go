package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz/identity"
)

// Published codes, and ways to spoil them.
func TestUSCC_GB32100_Clause4(t *testing.T) {
	for code, valid := range map[string]bool{
		"91350100M000100Y43":  true, // the worked example of the standard
		"9144030071526726XG":  true, // published codes of three firms
		"914403001922038216":  true,
		"91110000802100433B":  true,
		"91350100M000100Y44":  false, // 4.6: check character
		"91350100m000100y43":  false, // 4.2: lower case
		"91350100I000100Y43":  false, // 4.2: I is not in the set
		"913501O0M000100Y43":  false, // 4.2: O for 0
		"91350100M000100Y4":   false, // 4.1: 17 characters
		"91350100M000100Y433": false, // 4.1: 19 characters
		" 1350100M000100Y43":  false,
		"9135010AM000100Y43":  false, // 4.4: division code of digits
		"91350100M000100Y4３":  false, // full width
		"":                    false,
	} {
		_, err := identity.ParseUSCC(code)
		if (err == nil) != valid {
			t.Errorf("%q: got %v, want valid %t", code, err, valid)
		}
		if err != nil && !errors.Is(err, identity.ErrUSCC) {
			t.Errorf("%q: no sentinel: %v", code, err)
		}
	}
}

// Any change of one character is caught; exhaustive over positions and bytes.
func TestUSCC_OneChangedCharacterIsCaught(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		code, err := identity.SampleUSCC(fmt.Sprintf("%06d", rng.IntN(1_000_000)), rng.IntN(10_000))
		if err != nil {
			t.Fatal(err)
		}
		if err := code.Validate(); err != nil {
			t.Fatalf("sample %s: %v", code, err)
		}
		for i := range len(code) {
			for c := range 256 {
				if byte(c) == code[i] {
					continue
				}
				changed := []byte(code)
				changed[i] = byte(c)
				if identity.USCC(changed).Validate() == nil {
					t.Fatalf("%s and %s are both valid", code, changed)
				}
			}
		}
	}
}

func TestSampleUSCC(t *testing.T) {
	seen := map[identity.USCC]bool{}
	for n := range 10_000 {
		c, err := identity.SampleUSCC("110102", n)
		if err != nil || c.Validate() != nil || seen[c] || !strings.HasPrefix(string(c), "111101029999") {
			t.Fatalf("%d: %s, %v", n, c, err)
		}
		seen[c] = true
	}
	for _, c := range []struct {
		division string
		n        int
	}{{"11010", 1}, {"11010a", 1}, {"110102", -1}, {"110102", 10_000}} {
		if _, err := identity.SampleUSCC(c.division, c.n); !errors.Is(err, identity.ErrUSCC) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func ExampleParseUSCC() {
	_, err := identity.ParseUSCC("91350100M000100Y44")
	fmt.Println(err)
	// Output: identity: not a unified social credit code: check character is 4, should be 3
}
