package lint

import (
	"fmt"
	"math/big"
)

// serialSize: positive, at most 20 octets, and long enough to hold 64 random
// bits.
func serialSize() Lint {
	return Lint{ID: "serial.size", Clause: "RFC 5280 4.1.2.2", Effective: date(2008, 5, 1), Check: func(in Input) Finding {
		raw := in.View.Serial
		if len(raw) == 0 || raw[0]&0x80 != 0 {
			return fail("serial is not positive")
		}
		bits := new(big.Int).SetBytes(raw).BitLen()
		if bits < 64 || len(raw) > 20 {
			return fail(fmt.Sprintf("serial has %d bits in %d octets, wanted 64 bits to 20 octets", bits, len(raw)))
		}
		return pass()
	}}
}
