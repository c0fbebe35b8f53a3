package identity

import (
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// ParseUSCC returns s as a code, or ErrUSCC with what is wrong. It takes no
// lower case, no spaces and no full-width digits: a code is an identifier, and
// two spellings of one agency would be two agencies.
func ParseUSCC(s string) (USCC, error) {
	c := USCC(s)
	return c, c.Validate()
}

// Validate checks length, code set, division code and check character
// (GB 32100-2015 4.1, 4.2, 4.6).
func (c USCC) Validate() error {
	if len(c) != uscc.Length {
		return fmt.Errorf("%w: %d characters, not %d", ErrUSCC, len(c), uscc.Length)
	}
	for i := range len(c) {
		if strings.IndexByte(uscc.Alphabet, c[i]) < 0 {
			return fmt.Errorf("%w: character %d is outside the code set", ErrUSCC, i+1)
		}
		if i >= 2 && i < 8 && (c[i] < '0' || c[i] > '9') {
			return fmt.Errorf("%w: characters 3 to 8 are a division code of digits", ErrUSCC)
		}
	}
	if want := uscc.Check(string(c[:uscc.Length-1])); c[uscc.Length-1] != want {
		return fmt.Errorf("%w: check character is %c, should be %c", ErrUSCC, c[uscc.Length-1], want)
	}
	return nil
}

// SampleUSCC makes the n-th code for sample data (样例) of a division: valid in
// form, in the organ category (11), with an organisation number 9999nnnn that
// is kept for samples. Never for a real agency. n is 0 to 9999.
func SampleUSCC(division string, n int) (USCC, error) {
	if !divisionForm.MatchString(division) || n < 0 || n > 9999 {
		return "", fmt.Errorf("%w: sample %d of division %q", ErrUSCC, n, division)
	}
	org := fmt.Sprintf("9999%04d", n)
	body := "11" + division + org + string(orgCheck(org))
	return USCC(body + string(uscc.Check(body))), nil
}

// orgCheck is the check character of an organisation code (GB 11714-1997),
// which a social credit code carries inside.
func orgCheck(org string) byte {
	sum := 0
	for i, w := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(org[i]-'0') * w
	}
	switch c := 11 - sum%11; c {
	case 10:
		return 'X'
	case 11:
		return '0'
	default:
		return byte('0' + c)
	}
}
