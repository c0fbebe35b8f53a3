package crl

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// oidInvalidityDate names the extension of an entry that says since when its key
// is not trusted.
func oidInvalidityDate() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 24} }

// InvalidityDate is that extension.
func InvalidityDate(at time.Time) (pkix.Extension, error) {
	var b cryptobyte.Builder
	b.AddASN1GeneralizedTime(at.UTC().Truncate(time.Second))
	der, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("crl: encode invalidity date: %w", err)
	}
	return pkix.Extension{Id: oidInvalidityDate(), Value: der}, nil
}

// Invalidity is the date of an entry as encoded, nil when it has none.
func (e Entry) Invalidity() []byte {
	for _, x := range e.Extensions {
		if x.ID.Equal(oidInvalidityDate()) {
			return x.Value
		}
	}
	return nil
}

// entryInvalidity: a GeneralizedTime in seconds of UTC, once.
func entryInvalidity() Lint {
	return Lint{ID: "crl.entry_invalidity", Clause: "RFC 5280 5.3.2", Effective: rfc5280(), Check: func(in Input) lint.Finding {
		for _, e := range in.View.Entries {
			n := 0
			for _, x := range e.Extensions {
				if !x.ID.Equal(oidInvalidityDate()) {
					continue
				}
				var at time.Time
				der := cryptobyte.String(x.Value)
				if n++; n > 1 || len(der) != 2+len("YYYYMMDDHHMMSSZ") || !der.ReadASN1GeneralizedTime(&at) || !der.Empty() {
					return fail("invalidity date of " + e.Serial.Text(16))
				}
			}
		}
		return pass()
	}}
}
