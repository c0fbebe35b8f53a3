// Package uscc checks unified social credit codes (统一社会信用代码, GB 32100-2015)
// for rooms that may not ask the register of agencies: a certificate or an archive
// package is judged even where no register is.
package uscc

import "strings"

// Length of a code.
const Length = 18

const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100-2015 table 1: no I, O, S, V, Z

// Valid computes C18 = 31 - (Σ Ci·3^(i-1) mod 31), GB 32100-2015 4.6.
func Valid(code string) bool {
	if len(code) != Length {
		return false
	}
	sum, weight := 0, 1
	for i := range Length {
		v := strings.IndexByte(alphabet, code[i])
		if v < 0 {
			return false
		}
		if i == Length-1 {
			return v == (31-sum%31)%31
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	return false
}
