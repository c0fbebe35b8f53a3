package verify

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

func stamping(c *smx509.Certificate) {
	c.KeyUsage = smx509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageTimeStamping}
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
		Value: []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
}

func (w *world) token(by holder, value []byte, at time.Time, certs bool) []byte {
	w.tb.Helper()
	d, err := signeddata.DigestFor(by.cert.Raw)
	w.must(err)
	der, err := tsp.Sign(tsp.Info{
		Policy: asn1.ObjectIdentifier{1, 2, 3}, Imprint: tsp.Over(d, value), Serial: big.NewInt(9), Time: at,
	}, by.cert.Raw, nil, certs, by.key)
	w.must(err)
	return der
}

const signedValue = "Doc_0/Signs/Sign_0/SignedValue.dat"

// stamped puts a token into a sealed document.
func (w *world) stamped(make func(value []byte) []byte) []byte {
	w.tb.Helper()
	return edit(w.tb, w.put(w.notice(), false), signedValue, func(der []byte) []byte {
		ses, err := seal.ParseSignature(der)
		w.must(err)
		out, err := seal.AddTimeStamp(der, make(ses.Value))
		w.must(err)
		return out
	})
}

// A token over the signature value proves a time; one that does not hold is a
// finding (GB/T 38540-2020, 7.3; GB/T 20520; ofdrw #394).
func TestTimeStampGBT20520(t *testing.T) {
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	stranger := w.issue(nil, stamping)
	at := signed.Add(time.Minute)
	for name, c := range map[string]struct {
		token   func(value []byte) []byte
		verdict Verdict
		reason  string
	}{
		"holds":           {func(v []byte) []byte { return w.token(service, v, at, true) }, Valid, ""},
		"other value":     {func(v []byte) []byte { return w.token(service, append(v, 0), at, true) }, Invalid, ReasonTokenImprint},
		"untrusted":       {func(v []byte) []byte { return w.token(stranger, v, at, true) }, Indeterminate, ReasonUntrusted},
		"older":           {func(v []byte) []byte { return w.token(service, v, signed.Add(-time.Hour), true) }, Invalid, ReasonTokenEarly},
		"from the future": {func(v []byte) []byte { return w.token(service, v, later.Add(time.Hour), true) }, Invalid, ReasonFuture},
		"no certificate":  {func(v []byte) []byte { return w.token(service, v, at, false) }, Indeterminate, ReasonTokenCert},
		"junk":            {func([]byte) []byte { return []byte("junk") }, Invalid, ReasonTokenBad},
		"a signature that is no token": {func(v []byte) []byte {
			der, err := signeddata.Sign(signeddata.Spec{Content: v, CertDER: service.cert.Raw}, service.key)
			w.must(err)
			return der
		}, Invalid, ReasonTokenBad},
		"certificate for anything": {func(v []byte) []byte { return w.anyPurpose(service, v, at) }, Invalid, ReasonTokenUsage},
		"changed": {func(v []byte) []byte {
			der := w.token(service, v, at, true)
			der[len(der)-1] ^= 1
			return der
		}, Invalid, ReasonTokenValue},
	} {
		rep := w.judge(w.stamped(c.token))
		s := rep.Signatures[0]
		if rep.Verdict != c.verdict || rep.Integrity != Intact || c.reason != "" && !has(rep, CheckToken, c.reason) {
			t.Errorf("%s: %s %s\n%+v", name, rep.Verdict, rep.Integrity, s.Checks)
		}
		claimed := slices.ContainsFunc(rep.Warnings, func(w Warning) bool { return w.Code == WarnClaimedTime })
		if holds := name == "holds"; (s.TrustedTime != "") != holds || claimed == holds {
			t.Errorf("%s: trusted time %q, warnings %v", name, s.TrustedTime, rep.Warnings)
		}
	}
}

// anyPurpose makes a token with a certificate of another purpose, which the
// product's own writer refuses to do.
func (w *world) anyPurpose(service holder, value []byte, at time.Time) []byte {
	w.tb.Helper()
	m, err := signeddata.Parse(w.token(service, value, at, true))
	w.must(err)
	der, err := signeddata.Sign(signeddata.Spec{Type: tsp.OIDInfo(), Content: m.Content, CertDER: w.signer.cert.Raw}, w.signer.key)
	w.must(err)
	return der
}

// GM/T 0031-2025: a token over the maker's value of the seal itself.
func TestTimeStampOnTheSeal(t *testing.T) {
	w := newWorld(t)
	service, stranger := w.issue(&w.root, stamping), w.issue(nil, stamping)
	at := start.Add(time.Hour)
	for name, c := range map[string]struct {
		token  func(value []byte) []byte
		reason string
	}{
		"holds":       {func(v []byte) []byte { return w.token(service, v, at, true) }, ""},
		"other value": {func(v []byte) []byte { return w.token(service, append(v, 0), at, true) }, ReasonTokenImprint},
		"untrusted":   {func(v []byte) []byte { return w.token(stranger, v, at, true) }, ReasonUntrusted},
		"dummy":       {func([]byte) []byte { return []byte{1, 2, 3} }, ReasonTokenBad},
	} {
		rep := w.judge(with(newVendor(w), func(v *vendor) { v.version, v.stampSeal = 5, c.token }))
		s := rep.Signatures[0]
		if (rep.Verdict == Valid) != (c.reason == "") || rep.Verdict == Invalid || find(s, CheckSealToken).Reason != c.reason {
			t.Errorf("%s: %s", name, dump(rep))
		}
		if s.TrustedTime != "" || !warned(rep, WarnClaimedTime) {
			t.Errorf("%s: the token of the seal was taken for one of the signature", name)
		}
	}
}

// A revocation after a proven time harms nothing; after a claimed one nobody can
// tell (GM/T 0031-2014, 6.2.3 d).
func TestTimeStampOutlivesRevocation(t *testing.T) {
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	plain := w.put(w.notice(), false)
	proven := w.stamped(func(v []byte) []byte { return w.token(service, v, signed.Add(time.Minute), true) })
	signer := w.signer.cert.Raw
	for name, c := range map[string]struct {
		doc  []byte
		who  []byte
		at   time.Time
		want Verdict
	}{
		"proven before":           {proven, signer, signed.Add(time.Hour), Valid},
		"claimed before":          {plain, signer, signed.Add(time.Hour), Indeterminate},
		"between claim and proof": {proven, signer, signed.Add(30 * time.Second), Indeterminate},
		"revoked before":          {proven, signer, signed.Add(-time.Hour), Invalid},
		"the service is revoked":  {proven, service.cert.Raw, signed.Add(time.Hour), Indeterminate},
	} {
		rep, err := Document(context.Background(), c.doc, Options{Trust: NewTrust(w.root.cert.Raw), Now: w.clock, Revocation: revokedOne{c.who, c.at}})
		if err != nil || rep.Verdict != c.want {
			t.Errorf("%s: %s, %v", name, rep.Verdict, err)
		}
	}
}

// revokedOne knows one revocation.
type revokedOne struct {
	who []byte
	at  time.Time
}

func (r revokedOne) RevokedAt(_ context.Context, certDER []byte) (time.Time, bool, error) {
	if !bytes.Equal(certDER, r.who) {
		return time.Time{}, true, nil
	}
	return r.at, true, nil
}

// A document time-stamp protects a PDF like a signature (ETSI EN 319 142-1, 5.4.3).
func TestPDFDocumentTimeStamp(t *testing.T) {
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	q, err := pdf.Prepare(pdftest.Letter(pdftest.Options{}), pdf.Request{Filter: pdf.FilterCMS, SubFilter: "ETSI.RFC3161", Reserve: 4096})
	w.must(err)
	var covered bytes.Buffer
	w.must(q.Digest(&covered))
	out, err := q.Finish(w.token(service, covered.Bytes(), signed, true))
	w.must(err)
	if rep := w.judge(out); rep.Verdict != Valid || rep.Integrity != Intact || rep.Signatures[0].TrustedTime != stamp(signed) {
		t.Errorf("%+v", rep)
	}
	bad := bytes.Replace(out, []byte("(Letter, page 1)"), []byte("(Lottery page 1)"), 1)
	if rep := w.judge(bad); rep.Verdict != Invalid || rep.Integrity != Altered {
		t.Errorf("changed: %+v", rep)
	}
}
