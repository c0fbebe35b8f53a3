// Package uscc is the arithmetic of unified social credit codes (统一社会信用代码,
// GB 32100-2015), for the register of agencies and for rooms that may not ask it: a
// certificate or an archive package is judged even where no register is.
package uscc

import "strings"

// Length of a code.
const Length = 18

// Alphabet is the code set of GB 32100-2015 4.2: digits and capital letters without
// I, O, S, V, Z. A character's value is its index.
const Alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// Valid reports whether length, code set and check character are right.
func Valid(code string) bool {
	return len(code) == Length && strings.Trim(code, Alphabet) == "" && code[Length-1] == Check(code[:Length-1])
}

// Check is the check character of a body of the code set: 31 − Σ Cᵢ·3^(i−1) mod 31
// (GB 32100-2015 4.6). Since 31 is prime and no weight is a multiple of it, any
// change of one character changes the sum.
func Check(body string) byte {
	sum, weight := 0, 1
	for i := range len(body) {
		sum += strings.IndexByte(Alphabet, body[i]) * weight
		weight = weight * 3 % 31
	}
	return Alphabet[(31-sum%31)%31]
}
