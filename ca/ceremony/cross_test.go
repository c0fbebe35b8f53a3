package ceremony_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// crossed is an order for what new roots need beside their self-signed
// certificates: the key of each root certified by the other, here of one track.
func crossed(t testing.TB, old, fresh *smx509.Certificate) ceremony.Order {
	t.Helper()
	o := ceremony.NewOrder("样例区", moment)
	for _, c := range []struct{ subject, by *smx509.Certificate }{{fresh, old}, {old, fresh}} {
		o.Items = append(o.Items, ceremony.Item{Kind: ceremony.KindCross, Issuer: ca.IssuerID(c.by), Profile: profile.SM2Cross, TBS: crossTBS(t, c.subject, c.by, c.subject.Subject.CommonName, c.subject.NotAfter)})
	}
	return o
}

func crossTBS(t testing.TB, subject, by *smx509.Certificate, name string, until time.Time) []byte {
	t.Helper()
	p, err := profile.Get(profile.SM2Cross)
	check(t, err)
	serial, err := ca.NewSerial(rand.Reader)
	check(t, err)
	at := site()
	at.OCSP = ""
	d, err := ca.NewDraft(p, at, profile.Fields{
		Serial: serial, Public: subject.PublicKey.(*ecdsa.PublicKey), Issuer: by, Now: moment, NotAfter: until,
		Subject: profile.Subject{CommonName: name, Organization: "样例区"},
	})
	check(t, err)
	return d.TBS
}

// RFC 4210 4.4: two pairs of roots sign in one ceremony, of which each is at work
// with its own custodians; the record names and is signed by all of them.
func TestRootsCertifyEachOther(t *testing.T) {
	old, fresh := makeRoots(t), makeRoots(t)
	both := append(append([]ceremony.Root{}, old...), fresh...)
	four := append(certs(old), certs(fresh)...)
	o := crossed(t, old[0].Certificate, fresh[0].Certificate)
	rec := record()
	if out, err := ceremony.Sign(encode(t, o), both, rec, rand.Reader, now); !errors.Is(err, ceremony.ErrRecord) || len(out.Signatures) != 0 {
		t.Errorf("without custodians of the second pair: %v", err)
	}
	if _, err := ceremony.Sign(encode(t, o), old, rec, rand.Reader, now); !errors.Is(err, ceremony.ErrOrder) {
		t.Errorf("by the old roots alone: %v", err)
	}
	rec.Others = []ceremony.Division{division()}
	out, err := ceremony.Sign(encode(t, o), both, rec, rand.Reader, now)
	check(t, err)
	raw, err := out.Encode()
	check(t, err)
	if out, err = ceremony.ReadOutcome(raw); err != nil {
		t.Fatal(err)
	}
	got, _, err := out.Verify(four)
	check(t, err)
	if len(got.Keys) != 4 || got.Keys[2].SM3 != got.Acts[0].Names || got.Acts[0].Root != got.Keys[0].SM3 || got.Acts[1].Names != got.Keys[0].SM3 {
		t.Errorf("%+v", got)
	}
	for i, item := range o.Items {
		signature, err := out.Signed(find(four, item.Issuer), item.TBS)
		check(t, err)
		der, err := lint.Assemble(item.TBS, signature)
		check(t, err)
		c, err := smx509.ParseCertificate(der)
		check(t, err)
		check(t, c.CheckSignatureFrom(find(four, item.Issuer)))
		if i == 0 && ca.IssuerID(c) != ca.IssuerID(fresh[0].Certificate) {
			t.Error("it is of another authority than the new root")
		}
	}
	hidden := out
	hidden.Proof = out.Proof[:2]
	for name, roots := range map[string][]*smx509.Certificate{"the old roots": certs(old), "the new roots": certs(fresh), "another pair": append(certs(old), certs(makeRoots(t))...)} {
		if _, _, err := out.Verify(roots); !errors.Is(err, ceremony.ErrRecord) {
			t.Errorf("verified by %s: %v", name, err)
		}
		if _, _, err := hidden.Verify(roots); !errors.Is(err, ceremony.ErrRecord) {
			t.Errorf("half the signatures, by %s: %v", name, err)
		}
	}
}

func find(all []*smx509.Certificate, id string) *smx509.Certificate {
	for _, c := range all {
		if ca.IssuerID(c) == id {
			return c
		}
	}
	return nil
}

// What no root certifies of another, whoever asks. Nothing of the order is signed.
func TestRootsCertifyNoOtherKey(t *testing.T) {
	old, fresh, stranger := makeRoots(t), makeRoots(t), makeRoots(t)
	was, is := old[0].Certificate, fresh[0].Certificate
	both := append(append([]ceremony.Root{}, old...), fresh...)
	_, rows := house(t, old)
	rec := record()
	rec.Others = []ceremony.Division{division()}
	for name, spoil := range map[string]func(*ceremony.Item){
		"of a root that is not here": func(i *ceremony.Item) {
			i.TBS = crossTBS(t, stranger[0].Certificate, was, is.Subject.CommonName, is.NotAfter)
		},
		"its own key":                 func(i *ceremony.Item) { i.TBS = crossTBS(t, was, was, was.Subject.CommonName, was.NotAfter) },
		"under another name":          func(i *ceremony.Item) { i.TBS = crossTBS(t, is, was, "另一根", is.NotAfter) },
		"an issuing authority":        func(i *ceremony.Item) { i.Profile, i.TBS = profile.SM2Issuing, rows[0].TBS },
		"an authority, said to cross": func(i *ceremony.Item) { i.TBS = rows[0].TBS },
		"signed by the other one":     func(i *ceremony.Item) { i.Issuer = ca.IssuerID(is) },
		"of the other track":          func(i *ceremony.Item) { i.Profile = profile.ECDSACross },
		"a root":                      func(i *ceremony.Item) { i.Profile, i.TBS = profile.SM2Root, is.RawTBSCertificate },
		"said to be an authority":     func(i *ceremony.Item) { i.Kind = ceremony.KindAuthority },
		"a list":                      func(i *ceremony.Item) { i.Kind = ceremony.KindList },
	} {
		o := crossed(t, was, is)
		spoil(&o.Items[0])
		out, err := ceremony.Sign(encode(t, o), both, rec, rand.Reader, now)
		if !errors.Is(err, ceremony.ErrOrder) || len(out.Signatures)+len(out.Proof) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
