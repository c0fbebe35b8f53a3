package lint

import (
	"bytes"
	"encoding/asn1"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// ocspNoCheck: only a responder's certificate says that nobody needs to ask for
// its own status; anywhere else the mark would switch revocation off.
func ocspNoCheck() Lint {
	return Lint{ID: "ocsp.nocheck", Clause: "RFC 6960 4.2.2.2.1", Effective: date(2013, 6, 1), Check: profiled(func(in Input, _ *smx509.Certificate, p profile.Profile) Finding {
		e := in.View.extension(profile.OCSPNoCheck())
		switch {
		case e == nil && p.NoCheck:
			return fail("id-pkix-ocsp-nocheck is missing")
		case e != nil && !p.NoCheck:
			return fail("profile " + string(p.Name) + " is no OCSP responder")
		case e != nil && (e.Critical || !bytes.Equal(e.Value, asn1.NullBytes)):
			return fail("id-pkix-ocsp-nocheck is critical or not NULL")
		}
		return pass()
	})}
}
