package catest

import (
	"testing"

	"github.com/yinxin-gov/yinxin/ca"
)

func TestFakeKeepsLineage(t *testing.T) {
	reg := New()
	RunLineage(t, reg, func(c ca.Certificate) ca.Origin {
		got, err := reg.Certificate(t.Context(), c.Issuer, c.Serial)
		if err != nil {
			t.Fatal(err)
		}
		return got.Origin
	})
}
