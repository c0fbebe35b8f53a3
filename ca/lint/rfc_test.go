package lint_test

import (
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/lint/rfc"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// spoiledForZlint are certificates that only zlint refuses: one thing wrong, and
// the name of the check that has to see it.
func spoiledForZlint() map[string]func(*sample) {
	extension := func(id asn1.ObjectIdentifier, critical bool, value []byte) func(*sample) {
		return func(s *sample) {
			s.template.ExtraExtensions = append(s.template.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
		}
	}
	long := strings.Repeat("样", 65)
	return map[string]func(*sample){
		"e_subject_common_name_max_length": subject(func(n *pkix.Name) { n.CommonName = long }),
		"e_subject_locality_name_max_length": subject(func(n *pkix.Name) {
			n.Locality = []string{strings.Repeat("样", 129)}
		}),
		"e_subject_organizational_unit_name_max_length": subject(func(n *pkix.Name) { n.OrganizationalUnit = []string{long} }),
		"e_subject_postal_code_max_length":              subject(func(n *pkix.Name) { n.PostalCode = []string{strings.Repeat("1", 17)} }),
		"e_subject_dn_serial_number_max_length":         subject(func(n *pkix.Name) { n.SerialNumber = strings.Repeat("1", 65) }),
		"e_ext_ian_no_entries":                          extension(asn1.ObjectIdentifier{2, 5, 29, 18}, false, []byte{0x30, 0}),
		"e_subject_info_access_marked_critical":         extension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 11}, true, []byte{0x30, 0}),
		"e_ext_subject_directory_attr_critical":         extension(asn1.ObjectIdentifier{2, 5, 29, 9}, true, []byte{0x30, 0}),
		"e_ext_freshest_crl_marked_critical":            extension(asn1.ObjectIdentifier{2, 5, 29, 46}, true, []byte{0x30, 0}),
		"e_inhibit_any_policy_not_critical":             extension(asn1.ObjectIdentifier{2, 5, 29, 54}, false, []byte{2, 1, 0}),
		"e_ext_policy_constraints_empty":                extension(asn1.ObjectIdentifier{2, 5, 29, 36}, true, []byte{0x30, 0}),
	}
}

// What our own checks do not look at is refused by zlint, before the signature.
func TestZlintRefusesADraftThatOurChecksPass(t *testing.T) {
	b := newBench(t, profile.ECDSA)
	l := lint.New()
	for id, spoil := range spoiledForZlint() {
		t.Run(id, func(t *testing.T) {
			in := b.input(profile.ECDSALeaf, spoil)
			if in.View.Cert == nil {
				t.Fatal("does not parse, which is not zlint's to say")
			}
			in.View = must(lint.ParseTBS(in.View.Cert.RawTBSCertificate))
			var failed []string
			for _, r := range l.Run(in) {
				if r.Result == lint.Fail {
					failed = append(failed, r.ID)
				}
			}
			if !slices.Contains(failed, "rfc."+id) {
				t.Errorf("failed: %v", failed)
			}
			if l.Check(in) == nil {
				t.Error("would be signed")
			}
		})
	}
}

// A root has no issuer's key identifier of its own to carry; without its
// signature zlint would not know it for a root.
func TestZlintReadsADraftAsItWillBe(t *testing.T) {
	key := newKey(t, profile.ECDSA)
	p := must(profile.Get(profile.ECDSARoot))
	d, err := ca.NewDraft(p, site(), profile.Fields{
		Serial: serial(), Public: key.Public().(*ecdsa.PublicKey), Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Subject: profile.Subject{CommonName: "根", Organization: "样例区信息办"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := rfc.New()
	before, err := l.Certificate(d.View.DER, true)
	if err != nil {
		t.Fatal(err)
	}
	after, err := l.Certificate(must(d.Sign(nil, key)), false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, after) {
		t.Errorf("before the signature %v\nafter it %v", before, after)
	}
}

// SM2 is not for zlint: nothing is said, where it could only say that it
// cannot read.
func TestZlintIsSilentOnSM2(t *testing.T) {
	for _, r := range lint.New().Run(newBench(t, profile.SM2).input(profile.SM2Sign, nil)) {
		if strings.HasPrefix(r.ID, "rfc.") {
			t.Errorf("%s: %s", r.ID, r.Result)
		}
	}
}

func TestWhatZlintCannotReadIsRefused(t *testing.T) {
	l := rfc.New()
	for name, der := range map[string][]byte{"nothing": nil, "empty": {0x30, 0}, "cut": {0x30, 0x82, 1}, "another thing": must(asn1.Marshal("text"))} {
		if _, err := l.Certificate(der, false); !errors.Is(err, rfc.ErrRead) {
			t.Errorf("%s as certificate: %v", name, err)
		}
		if _, err := l.List(der); !errors.Is(err, rfc.ErrRead) {
			t.Errorf("%s as list: %v", name, err)
		}
	}
	if got := lint.Second(nil, rfc.ErrRead); len(got) != 1 || got[0].Result != lint.Fail {
		t.Errorf("%+v", got)
	}
}

func BenchmarkLintOfADraft(b *testing.B) {
	for _, track := range []profile.Algorithm{profile.SM2, profile.ECDSA} {
		name := profile.SM2Sign
		if track == profile.ECDSA {
			name = profile.ECDSALeaf
		}
		b.Run(string(track), func(b *testing.B) {
			in, l := newBench(&testing.T{}, track).input(name, nil), lint.New()
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Check(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
