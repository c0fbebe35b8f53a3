package ceremony_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

var moment = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

func now() time.Time { return moment }

func site() profile.Site {
	return profile.Site{CPS: "http://ca.gov.internal/cps", CRL: "http://ca.gov.internal/crl/{issuer}.crl", OCSP: "http://ca.gov.internal/ocsp", Issuers: "http://ca.gov.internal/issuers/{issuer}.cer"}
}

func makeRoots(t testing.TB) []ceremony.Root {
	t.Helper()
	s, err := sm2.GenerateKey(rand.Reader)
	check(t, err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	roots, err := ceremony.MakeRoots(ceremony.RootSpec{Organization: "样例区", CPS: site().CPS, SM2: s, ECDSA: e, Now: moment, Rand: rand.Reader})
	check(t, err)
	return roots
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func certs(roots []ceremony.Root) []*smx509.Certificate {
	return []*smx509.Certificate{roots[0].Certificate, roots[1].Certificate}
}

func record() ceremony.Record {
	return ceremony.Record{
		Kind: ceremony.RecordSign, Organization: "样例区", Place: "样例机房", Operator: "甲", Witnesses: []string{"乙", "丙"}, Division: division(),
	}
}

func division() ceremony.Division {
	return ceremony.Division{Need: 2, Of: 3, Split: "ab", Custodians: []ceremony.Present{{Number: 1, Name: "丁"}, {Number: 3, Name: "戊"}}}
}

// house is the other side: it records what the roots shall sign.
func house(t testing.TB, roots []ceremony.Root) (ca.Offline, []ca.Certificate) {
	t.Helper()
	s, err := sm2.GenerateKey(rand.Reader)
	check(t, err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	o := ca.Offline{
		Organization: "样例区", Agency: "11110102MB1234567M", Site: site(), SM2Root: roots[0].Certificate, ECDSARoot: roots[1].Certificate, SM2Issuing: &s.PublicKey, ECDSAIssuing: &e.PublicKey,
		Registry: catest.New(), Actor: ledger.Actor{Kind: "service", ID: "init"}, Now: now, Rand: rand.Reader, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	}
	rows, err := o.Prepare(t.Context())
	check(t, err)
	return o, rows
}

func orderOf(t testing.TB, rows []ca.Certificate) ceremony.Order {
	t.Helper()
	o := ceremony.NewOrder("样例区", moment)
	for i, name := range []profile.Name{profile.SM2Issuing, profile.ECDSAIssuing} {
		o.Items = append(o.Items, ceremony.Item{Kind: ceremony.KindAuthority, Issuer: rows[i].Issuer, Profile: name, TBS: rows[i].TBS})
	}
	return o
}

func encode(t testing.TB, o ceremony.Order) []byte {
	t.Helper()
	raw, err := o.Encode()
	check(t, err)
	return raw
}

// Design law 4 across two machines: what was recorded is, byte for byte, what the
// roots signed, and what the house then makes good; twice is once.
func TestAuthoritiesAreSignedAsRecorded(t *testing.T) {
	roots := makeRoots(t)
	o, rows := house(t, roots)
	out, err := ceremony.Sign(encode(t, orderOf(t, rows)), roots, record(), rand.Reader, now)
	check(t, err)
	raw, err := out.Encode()
	check(t, err)
	if out, err = ceremony.ReadOutcome(raw); err != nil {
		t.Fatal(err)
	}
	rec, sum, err := out.Verify(certs(roots))
	check(t, err)
	if len(rec.Acts) != 2 || rec.Acts[0].TBSSM3 != rows[0].TBSSM3 || len(rec.Script) != 2 || rec.Keys[0].CheckValue == "" {
		t.Errorf("%+v", rec)
	}
	var tbs, signatures [2][]byte
	for i, root := range certs(roots) {
		tbs[i] = rows[i].TBS
		signatures[i], err = out.Signed(root, tbs[i])
		check(t, err)
	}
	swapped := [2][]byte{signatures[1], signatures[0]}
	if _, err := o.Complete(t.Context(), tbs, swapped, sum); err == nil {
		t.Error("signatures of the other track were taken")
	}
	first, err := o.Complete(t.Context(), tbs, signatures, sum)
	check(t, err)
	again, err := o.Complete(t.Context(), tbs, signatures, sum)
	check(t, err)
	if string(again.SM2Issuing) != string(first.SM2Issuing) {
		t.Error("the second time made another certificate")
	}
	issuing, err := smx509.ParseCertificate(first.SM2Issuing)
	check(t, err)
	check(t, issuing.CheckSignatureFrom(roots[0].Certificate))
	if !issuing.IsCA || len(issuing.OCSPServer) != 0 || len(issuing.CRLDistributionPoints) != 1 {
		t.Errorf("%+v", issuing)
	}
	row, err := o.Registry.Certificate(t.Context(), rows[0].Issuer, rows[0].Serial)
	check(t, err)
	if row.State != ca.StateGood {
		t.Errorf("%s", row.State)
	}
}

// What a root does not sign. Nothing of the order is signed then.
func TestRootSignsNothingElse(t *testing.T) {
	roots := makeRoots(t)
	_, rows := house(t, roots)
	strangers := makeRoots(t)
	_, foreign := house(t, strangers)
	leaf := leafTBS(t, roots[0].Certificate)
	for name, spoil := range map[string]func(*ceremony.Order){
		"a leaf":                     func(o *ceremony.Order) { o.Items[0].Profile, o.Items[0].TBS = profile.SM2Ledger, leaf },
		"a leaf said to be more":     func(o *ceremony.Order) { o.Items[0].TBS = leaf },
		"another root":               func(o *ceremony.Order) { o.Items[0].Profile = profile.SM2Root },
		"the other track":            func(o *ceremony.Order) { o.Items[0].TBS = o.Items[1].TBS },
		"for another root":           func(o *ceremony.Order) { o.Items[0].Issuer = foreign[0].Issuer },
		"named for this, of another": func(o *ceremony.Order) { o.Items[0].TBS = foreign[0].TBS },
		"no list":                    func(o *ceremony.Order) { o.Items[0].Kind = ceremony.KindList },
		"no kind":                    func(o *ceremony.Order) { o.Items[0].Kind = "record" },
		"not DER":                    func(o *ceremony.Order) { o.Items[1].TBS = []byte("yinxin/ceremony-record/v1\n{}") },
		"from tomorrow":              func(o *ceremony.Order) { o.MadeAt = moment.AddDate(0, 0, 1) },
		"nothing":                    func(o *ceremony.Order) { o.Items = nil },
		"too much": func(o *ceremony.Order) {
			for range 32 {
				o.Items = append(o.Items, o.Items[0])
			}
		},
		"a cross certificate said to be an authority": func(o *ceremony.Order) { o.Items[0].Profile = profile.SM2Cross },
		"another version": func(o *ceremony.Order) { o.Version = "v2" },
	} {
		o := orderOf(t, rows)
		spoil(&o)
		out, err := ceremony.Sign(encode(t, o), roots, record(), rand.Reader, now)
		if !errors.Is(err, ceremony.ErrOrder) || len(out.Signatures)+len(out.Proof) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func leafTBS(t *testing.T, root *smx509.Certificate) []byte {
	t.Helper()
	k, err := sm2.GenerateKey(rand.Reader)
	check(t, err)
	p, err := profile.Get(profile.SM2Ledger)
	check(t, err)
	serial, err := ca.NewSerial(rand.Reader)
	check(t, err)
	d, err := ca.NewDraft(p, site(), profile.Fields{Serial: serial, Public: &k.PublicKey, Issuer: root, Now: moment, Subject: profile.Subject{CommonName: "x", Organization: "y"}})
	check(t, err)
	if _, err := lint.ParseTBS(d.TBS); err != nil {
		t.Fatal(err)
	}
	return d.TBS
}

func TestRecordNeedsItsPeople(t *testing.T) {
	roots := makeRoots(t)
	for name, spoil := range map[string]func(*ceremony.Record){
		"one witness":          func(r *ceremony.Record) { r.Witnesses = r.Witnesses[:1] },
		"one witness twice":    func(r *ceremony.Record) { r.Witnesses[1] = r.Witnesses[0] },
		"operator as witness":  func(r *ceremony.Record) { r.Witnesses[1] = r.Operator },
		"no operator":          func(r *ceremony.Record) { r.Operator = "" },
		"no place":             func(r *ceremony.Record) { r.Place = "" },
		"too few custodians":   func(r *ceremony.Record) { r.Custodians = r.Custodians[:1] },
		"one would be enough":  func(r *ceremony.Record) { r.Need = 1 },
		"of another kind":      func(r *ceremony.Record) { r.Kind = "party" },
		"more needed than are": func(r *ceremony.Record) { r.Of = 1 },
	} {
		r := record()
		spoil(&r)
		if _, err := ceremony.Seal(r, roots, rand.Reader, now); !errors.Is(err, ceremony.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := ceremony.Seal(record(), roots, rand.Reader, now)
	check(t, err)
	if _, _, err := out.Verify(certs(makeRoots(t))); !errors.Is(err, ceremony.ErrRecord) {
		t.Errorf("other roots: %v", err)
	}
	if strings.Contains(string(out.Record), "PRIVATE") {
		t.Error("a secret in the record")
	}
}

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

// FuzzReadOutcome: whatever comes in, an outcome that verifies was signed by the
// roots that it names.
func FuzzReadOutcome(f *testing.F) {
	roots := makeRoots(f)
	out, err := ceremony.Seal(record(), roots, rand.Reader, now)
	check(f, err)
	raw, err := out.Encode()
	check(f, err)
	f.Add(raw)
	f.Add([]byte(`{"record":"e30=","proof":[],"roots":["",""]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := ceremony.ReadOutcome(in)
		if err != nil {
			return
		}
		if rec, _, err := got.Verify(certs(roots)); err == nil && (rec.Operator != "甲" || string(got.Record) != string(out.Record)) {
			t.Errorf("verified: %+v", rec)
		}
		if named, err := got.RootCertificates(); err == nil && len(named)%2 != 0 {
			t.Errorf("%d roots", len(named))
		}
	})
}

// FuzzReadOrder: no order makes the room sign what is no authority or list.
func FuzzReadOrder(f *testing.F) {
	roots := makeRoots(f)
	_, rows := house(f, roots)
	f.Add(encode(f, orderOf(f, rows)))
	f.Add([]byte(`{"version":"yinxin/ceremony-order/v1","items":[{"kind":"crl","tbs":"MAA="}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		o, err := ceremony.ReadOrder(in)
		if err != nil {
			return
		}
		acts, err := o.Check(certs(roots), moment)
		if err == nil && len(acts) != len(o.Items) {
			t.Errorf("%d acts of %d items", len(acts), len(o.Items))
		}
	})
}
