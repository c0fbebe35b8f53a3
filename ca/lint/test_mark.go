package lint

import (
	"encoding/asn1"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// testMark: a test certificate says so in its subject, and no other one does.
func testMark() Lint {
	return Lint{ID: "subject.test_mark", Clause: "市政办发〔2018〕69号 art. 17; house rule", Effective: date(2026, 1, 1), Check: profiled(func(in Input, _ *smx509.Certificate, p profile.Profile) Finding {
		marked := false
		for _, a := range in.View.Subject {
			marked = marked || a.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 11}) && a.Value == profile.TestUnit
		}
		if marked != p.Test {
			return fail("profile " + string(p.Name) + " and the mark of test certificates do not go together")
		}
		return pass()
	})}
}
