package uscc_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/internal/uscc"
)

func TestValidGB32100(t *testing.T) {
	const good = "11110102MB1234567M"
	if !uscc.Valid(good) {
		t.Error("a right code is refused")
	}
	for _, bad := range []string{"", good[:17], good + "0", "11110102MB1234567N", "11110103MB1234567M", "11110102mb1234567m", "11110102IB1234567M"} {
		if uscc.Valid(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}
