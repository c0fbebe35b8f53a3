package crl

import (
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// Number is the CRL number, or nil when it is missing or not an integer.
func (v *View) Number() *big.Int { return v.integer(asn1.ObjectIdentifier{2, 5, 29, 20}) }

// Base is the number of the list that a delta builds on; nil for a full list.
func (v *View) Base() *big.Int { return v.integer(asn1.ObjectIdentifier{2, 5, 29, 27}) }

func (v *View) integer(id asn1.ObjectIdentifier) *big.Int {
	e := v.Extension(id)
	if e == nil {
		return nil
	}
	in, n := cryptobyte.String(e.Value), new(big.Int)
	if !in.ReadASN1Integer(n) || !in.Empty() {
		return nil
	}
	return n
}

// number: there, not critical, not negative, at most 20 octets.
func number() Lint {
	return Lint{ID: "crl.number", Clause: "RFC 5280 5.2.3", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		e, n := in.View.Extension(asn1.ObjectIdentifier{2, 5, 29, 20}), in.View.Number()
		switch {
		case n == nil:
			return fail("CRL number is missing or no integer")
		case n.Sign() < 0 || len(e.Value) > 22:
			return fail("CRL number is negative or longer than 20 octets")
		case e.Critical:
			return fail("CRL number is critical")
		}
		return pass()
	}}
}
