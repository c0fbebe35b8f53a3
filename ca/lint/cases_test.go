package lint_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// drop removes the extension 2.5.29.n, or one by its full id.
func drop(id ...int) func(*tbs) {
	return func(b *tbs) {
		b.Extensions = slices.DeleteFunc(b.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
	}
}

// mark makes one extension critical.
func mark(id ...int) func(*tbs) {
	return func(b *tbs) {
		for i, e := range b.Extensions {
			b.Extensions[i].Critical = e.Critical || e.Id.Equal(id)
		}
	}
}

// period writes a validity with the types of time that a case wants.
func period(fromTag int, from string, untilTag int, until string) asn1.RawValue {
	both := append(must(asn1.Marshal(asn1.RawValue{Tag: fromTag, Bytes: []byte(from)})), must(asn1.Marshal(asn1.RawValue{Tag: untilTag, Bytes: []byte(until)}))...)
	return asn1.RawValue{FullBytes: must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: both}))}
}

func rdn(id asn1.ObjectIdentifier, tag int, value string) asn1.RawValue {
	pair := must(asn1.Marshal(struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue
	}{id, asn1.RawValue{Tag: tag, Bytes: []byte(value)}}))
	one := must(asn1.Marshal(asn1.RawValue{Class: 0, Tag: asn1.TagSet, IsCompound: true, Bytes: pair}))
	return asn1.RawValue{FullBytes: must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: one}))}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func subject(change func(*pkix.Name)) func(*sample) {
	return func(s *sample) { change(&s.template.Subject) }
}

func structure(change func(*tbs)) func(*sample) { return func(s *sample) { s.tbs = change } }

// failing has, for each lint, certificates that it has to refuse. The passing
// ones are made by the same bench without the change.
func failing() map[string][]func(*sample) {
	explicit := asn1.RawValue{FullBytes: must(asn1.Marshal(struct{ Version int }{1}))}
	return map[string][]func(*sample){
		"der.parses":        {structure(func(b *tbs) { b.Extensions = append(b.Extensions, b.Extensions[0]) })},
		"extensions.unique": {structure(func(b *tbs) { b.Extensions = append(b.Extensions, b.Extensions[0]) })},
		"extensions.critical": {
			structure(mark(2, 5, 29, 14)), structure(mark(2, 5, 29, 35)), structure(mark(2, 5, 29, 17)), structure(mark(2, 5, 29, 31)),
			structure(mark(1, 3, 6, 1, 5, 5, 7, 1, 1)),
			structure(func(b *tbs) {
				b.Extensions = append(b.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 156, 10260, 4, 1, 1}, Critical: true, Value: asn1.NullBytes})
			}),
		},
		"validity.encoding": {
			structure(func(b *tbs) {
				b.Validity = period(asn1.TagGeneralizedTime, "20260302000000Z", asn1.TagUTCTime, "270302000000Z")
			}),
			structure(func(b *tbs) {
				b.Validity = period(asn1.TagUTCTime, "260302000000Z", asn1.TagGeneralizedTime, "20491231235959Z")
			}),
		},
		"name.length": {
			subject(func(n *pkix.Name) { n.CommonName = strings.Repeat("样", 65) }),
			subject(func(n *pkix.Name) { n.Organization = []string{strings.Repeat("样", 65)} }),
			subject(func(n *pkix.Name) { n.Locality = []string{""} }),
			structure(func(b *tbs) { b.Issuer = rdn(asn1.ObjectIdentifier{2, 5, 4, 6}, asn1.TagPrintableString, "CHN") }),
		},
		"unique_ids.absent": {
			structure(func(b *tbs) { b.IssuerID = asn1.BitString{Bytes: []byte{1}, BitLength: 8} }),
			structure(func(b *tbs) { b.SubjectID = asn1.BitString{Bytes: []byte{1}, BitLength: 8} }),
		},
		"usage.pair": {
			func(s *sample) { s.template.KeyUsage |= smx509.KeyUsageKeyAgreement },
			func(s *sample) {
				s.profile, s.template.KeyUsage = nil, smx509.KeyUsageDigitalSignature|smx509.KeyUsageKeyEncipherment
			},
			func(s *sample) { s.template.KeyUsage = smx509.KeyUsageCertSign | smx509.KeyUsageDataEncipherment },
		},
		"version.v3": {structure(func(b *tbs) { b.Version, b.Extensions = 1, nil })},
		"serial.size": {
			func(s *sample) { s.template.SerialNumber = big.NewInt(7) },
			func(s *sample) { s.template.SerialNumber = new(big.Int).SetBit(big.NewInt(0), 160, 1) },
			structure(func(b *tbs) { b.Serial = new(big.Int).Neg(b.Serial) }),
		},
		"signature.algorithm": {
			structure(func(b *tbs) { b.Signature.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5} }),
			structure(func(b *tbs) { b.Signature.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2} }),
		},
		"validity.order": {func(s *sample) { s.template.NotAfter = s.template.NotBefore.Add(-time.Hour) }},
		"validity.issuer": {
			func(s *sample) { s.template.NotBefore = s.template.NotBefore.AddDate(-1, 0, 0) },
			func(s *sample) { s.template.NotAfter = s.template.NotAfter.AddDate(40, 0, 0) },
		},
		"validity.profile": {func(s *sample) { s.template.NotAfter = s.template.NotAfter.Add(time.Second) }},
		"validity.until": {
			func(s *sample) { s.until = s.template.NotAfter.Add(-time.Second) },
			func(s *sample) { s.until = s.template.NotBefore },
		},
		"subject.test_mark": {
			subject(func(n *pkix.Name) { n.OrganizationalUnit = []string{profile.TestUnit} }),
			func(s *sample) { p := must(profile.Get(profile.SM2SignTest)); s.profile = &p },
		},
		"subject.fields": {
			subject(func(n *pkix.Name) { n.Country = nil }),
			subject(func(n *pkix.Name) { n.Country = []string{"US"} }),
			subject(func(n *pkix.Name) { n.Organization = nil }),
			subject(func(n *pkix.Name) { n.CommonName = "" }),
			subject(func(n *pkix.Name) { n.Organization = []string{"甲", "乙"} }),
		},
		"subject.uscc": {
			subject(func(n *pkix.Name) { n.ExtraNames = nil }),
			subject(func(n *pkix.Name) { n.ExtraNames[0].Value = uscc[:17] + "A" }),
			subject(func(n *pkix.Name) { n.ExtraNames[0].Value = strings.ToLower(uscc) }),
			subject(func(n *pkix.Name) { n.ExtraNames[0].Value = uscc + "0" }),
		},
		"subject.no_personal_number": {
			subject(func(n *pkix.Name) { n.CommonName = "张三 110101199003070011" }),
			subject(func(n *pkix.Name) { n.SerialNumber = "11010119900307001X" }),
			subject(func(n *pkix.Name) { n.ExtraNames[0].Value = "110101199003070012" }),
			func(s *sample) { s.template.DNSNames = []string{"u110101199003070011.gov.internal"} },
		},
		"name.encoding": {
			structure(func(b *tbs) { b.Subject = rdn(asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.TagIA5String, "old") }),
			structure(func(b *tbs) { b.Subject = rdn(asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.TagUTF8String, "\xd6\xd0") }),
			structure(func(b *tbs) { b.Subject = rdn(asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.TagPrintableString, "a@b") }),
			structure(func(b *tbs) { b.Subject = rdn(asn1.ObjectIdentifier{2, 5, 4, 6}, asn1.TagUTF8String, "CN") }),
		},
		"key.named_curve": {
			structure(func(b *tbs) { b.SPKI.Algorithm.Parameters = explicit }),
			structure(func(b *tbs) { b.SPKI.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} }),
			structure(func(b *tbs) {
				b.SPKI.Algorithm.Parameters = asn1.RawValue{FullBytes: must(asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 34}))}
			}),
		},
		"usage.key": {
			func(s *sample) { s.template.KeyUsage |= smx509.KeyUsageKeyAgreement },
			func(s *sample) { s.template.KeyUsage = 0 },
			structure(func(b *tbs) {
				for i := range b.Extensions {
					b.Extensions[i].Critical = false
				}
			}),
		},
		"usage.extended": {
			func(s *sample) { s.template.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny} },
			func(s *sample) { s.template.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} },
			func(s *sample) { // critical, where no time-stamp service is meant
				s.template.ExtraExtensions = append(s.template.ExtraExtensions, pkix.Extension{
					Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8},
				})
			},
		},
		"constraints.ca": {
			func(s *sample) { s.template.KeyUsage |= smx509.KeyUsageCertSign },
			func(s *sample) { s.template.IsCA = true },
			func(s *sample) { s.template.IsCA, s.template.KeyUsage = true, smx509.KeyUsageCertSign },
		},
		"ski.present": {structure(drop(2, 5, 29, 14))},
		"aki.matches": {
			structure(drop(2, 5, 29, 35)),
			structure(func(b *tbs) { b.Issuer = b.Subject }),
		},
		"crl.present": {
			func(s *sample) { s.template.CRLDistributionPoints = nil },
			func(s *sample) { s.template.CRLDistributionPoints = []string{"ldap://ca.gov"} },
		},
		"aia.present": {
			func(s *sample) { s.template.IssuingCertificateURL = nil },
			func(s *sample) { s.template.OCSPServer = []string{"ftp://ca.gov"} },
		},
		"policy.cps": {
			func(s *sample) { s.template.ExtraExtensions = nil },
			func(s *sample) {
				s.template.ExtraExtensions[0].Value = must(asn1.Marshal([][]asn1.ObjectIdentifier{{{1, 2, 3}}}))
			},
		},
		"san.hosts": {
			func(s *sample) { s.template.DNSNames = []string{"evil.example"} },
			func(s *sample) { s.template.DNSNames = []string{"*.gov.internal"} },
			func(s *sample) { s.template.DNSNames = []string{"A.gov.internal"} },
			func(s *sample) { s.template.DNSNames = nil },
			func(s *sample) { s.template.IPAddresses = append(s.template.IPAddresses, loopback) },
			func(s *sample) { s.hosts = []string{} },
			func(s *sample) { p := must(profile.Get(profile.SM2Seal)); s.profile = &p },
		},
		"ocsp.nocheck": {
			func(s *sample) { p := must(profile.Get(profile.SM2OCSP)); s.profile = &p },
			func(s *sample) {
				s.template.ExtraExtensions = append(s.template.ExtraExtensions, pkix.Extension{Id: profile.OCSPNoCheck(), Value: asn1.NullBytes})
			},
			func(s *sample) {
				p := must(profile.Get(profile.SM2OCSP))
				s.profile = &p
				s.template.ExtraExtensions = append(s.template.ExtraExtensions, pkix.Extension{Id: profile.OCSPNoCheck(), Critical: true, Value: asn1.NullBytes})
			},
		},
	}
}

func TestEachLintPassesAGoodAndRefusesABadCertificate(t *testing.T) {
	b := newBench(t, profile.SM2)
	good, cases := b.input(profile.SM2Sign, func(s *sample) { s.until = s.template.NotAfter }), failing()
	for _, l := range lint.All() {
		t.Run(l.ID, func(t *testing.T) {
			if got := outcome(good, l.ID); got != lint.Pass {
				t.Errorf("good certificate: %s", got)
			}
			if len(cases[l.ID]) == 0 {
				t.Error("no failing certificate")
			}
			for i, spoil := range cases[l.ID] {
				if got := outcome(b.input(profile.SM2Sign, spoil), l.ID); got != lint.Fail {
					t.Errorf("bad certificate %d: %s", i, got)
				}
			}
		})
	}
	for id := range cases {
		if !slices.ContainsFunc(lint.All(), func(l lint.Lint) bool { return l.ID == id }) {
			t.Errorf("cases for %s, which is no lint", id)
		}
	}
}

// A unit's code of 18 digits may look like a person; in its place it is none.
func TestACodeInItsPlaceIsNoPerson(t *testing.T) {
	b := newBench(t, profile.SM2)
	code := codeThatLooksLikeAPerson(t)
	for name, c := range map[string]struct {
		profile profile.Name
		change  func(*pkix.Name)
		want    lint.Outcome
	}{
		"identifier":   {profile.SM2Sign, func(n *pkix.Name) { n.ExtraNames[0].Value = code }, lint.Pass},
		"seal":         {profile.SM2Seal, func(n *pkix.Name) { n.Organization = []string{code + "样例局"} }, lint.Pass},
		"common name":  {profile.SM2Sign, func(n *pkix.Name) { n.CommonName = code }, lint.Fail},
		"seal, beside": {profile.SM2Seal, func(n *pkix.Name) { n.Organization = []string{code + "样例局 110101199003070011"} }, lint.Fail},
	} {
		in := b.input(c.profile, func(s *sample) { c.change(&s.template.Subject) })
		if got := outcome(in, "subject.no_personal_number"); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func codeThatLooksLikeAPerson(t *testing.T) string {
	t.Helper()
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	for n := range 1000 {
		code := "110101199003070" + string(rune('0'+n/100)) + string(rune('0'+n/10%10))
		sum, weight := 0, 1
		for i := range code {
			sum += strings.IndexByte(alphabet, code[i]) * weight
			weight = weight * 3 % 31
		}
		if digit := alphabet[(31-sum%31)%31]; digit >= '0' && digit <= '9' {
			return code + string(digit)
		}
	}
	t.Fatal("no such code")
	return ""
}
