package identity

import (
	"fmt"
	"strings"
)

// usccAlphabet is the code set of GB 32100-2015 4.2: digits and capital
// letters without I, O, S, V, Z. A character's value is its index.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

const usccLength = 18

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
	if len(c) != usccLength {
		return fmt.Errorf("%w: %d characters, not %d", ErrUSCC, len(c), usccLength)
	}
	for i := range len(c) {
		if strings.IndexByte(usccAlphabet, c[i]) < 0 {
			return fmt.Errorf("%w: character %d is outside the code set", ErrUSCC, i+1)
		}
		if i >= 2 && i < 8 && (c[i] < '0' || c[i] > '9') {
			return fmt.Errorf("%w: characters 3 to 8 are a division code of digits", ErrUSCC)
		}
	}
	if want := checkCharacter(string(c[:usccLength-1])); c[usccLength-1] != want {
		return fmt.Errorf("%w: check character is %c, should be %c", ErrUSCC, c[usccLength-1], want)
	}
	return nil
}

// checkCharacter is 31 − Σ Cᵢ·3^(i−1) mod 31. Since 31 is prime and no weight is a
// multiple of it, any change of one character changes the sum.
func checkCharacter(body string) byte {
	sum, weight := 0, 1
	for i := range len(body) {
		sum += strings.IndexByte(usccAlphabet, body[i]) * weight
		weight = weight * 3 % 31
	}
	return usccAlphabet[(31-sum%31)%31]
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
	return USCC(body + string(checkCharacter(body))), nil
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
