package verify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// dot is the smallest picture: what a seal looks like is not judged.
func dot(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// sealPDF seals a PDF as the product does; change may forge the request, and f
// the value.
func (w *world) sealPDF(doc []byte, f *forged, change func(*pdf.Request)) []byte {
	w.tb.Helper()
	r := pdf.Request{
		Picture: dot(w.tb), X: 120, Y: 200, W: 42, H: 42, Time: signed, Reserve: len(w.seal) + 4096,
	}
	if change != nil {
		change(&r)
	}
	q, err := pdf.Prepare(doc, r)
	w.must(err)
	h := sm3.New()
	w.must(q.Digest(h))
	var value []byte
	if f == nil {
		value, err = seal.Sign(seal.SignSpec{
			SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed, DataHash: h.Sum(nil), Property: "/" + q.Field(),
		}, w.signer.key)
		w.must(err)
	} else {
		var covered bytes.Buffer
		w.must(q.Digest(&covered))
		value = w.value(*f, covered.Bytes(), "/Seal1")
	}
	out, err := q.Finish(value)
	w.must(err)
	return out
}

func pdfStyles() map[string]pdftest.Options {
	return map[string]pdftest.Options{
		"table": {}, "stream": {Style: pdftest.Stream, Form: true}, "hybrid": {Style: pdftest.Hybrid, Rotate: 270, Pages: 2},
		"table with form": {Form: true, NoEOL: true},
	}
}

func TestPDFValid(t *testing.T) {
	w := newWorld(t)
	for name, o := range pdfStyles() {
		doc := pdftest.Letter(o)
		if rep := w.judge(doc); rep.Integrity != Unsigned || rep.Verdict != Indeterminate || rep.Format != "pdf" {
			t.Errorf("%s, unsealed: %+v", name, rep)
		}
		once := w.sealPDF(doc, nil, nil)
		for seals, out := range map[int][]byte{1: once, 2: w.sealPDF(once, nil, nil)} {
			rep := w.judge(out)
			if rep.Verdict != Valid || rep.Integrity != Intact || len(rep.Signatures) != seals {
				t.Errorf("%s, %d seals: %+v", name, seals, rep)
			}
			if s := rep.Signatures[0]; s.Kind != "seal" || s.Standard != "GB/T 38540-2020" || s.SealID == "" {
				t.Errorf("%s: %+v", name, s)
			}
			if later := slices.ContainsFunc(rep.Warnings, func(w Warning) bool { return w.Code == WarnLater }); later != (seals == 2) {
				t.Errorf("%s, %d seals: warnings %v", name, seals, rep.Warnings)
			}
		}
	}
}

// Every known pair of names is read, an unknown one is read and shown.
func TestPDFNames(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		filter, format pdf.Name
		warned         bool
	}{
		{"GM.PKILite", "GM.sm2seal", false}, {"Gomain.GMPkiLite", "GM.sm2seal", false}, {"GM.PKILite", "GM.SM2", false},
		{"Foo.Bar", "GM.sm2seal", true}, {"GM.PKILite", "GBT.38540", true}, {"Adobe.PPKLite", "adbe.pkcs7.detached", true},
	} {
		rep := w.judge(w.sealPDF(pdftest.Letter(pdftest.Options{}), nil, func(r *pdf.Request) { r.Filter, r.SubFilter = c.filter, c.format }))
		warned := slices.ContainsFunc(rep.Warnings, func(w Warning) bool {
			return w.Code == WarnNames && strings.Contains(w.Path, string(c.format))
		})
		if rep.Verdict != Valid || warned != c.warned {
			t.Errorf("%s %s: %s, %v", c.filter, c.format, rep.Verdict, rep.Warnings)
		}
	}
}

func TestPDFAttacks(t *testing.T) {
	w := newWorld(t)
	letter := pdftest.Letter(pdftest.Options{})
	sealed := w.sealPDF(letter, nil, nil)
	other := w.sealPDF(pdftest.Letter(pdftest.Options{Pages: 2}), nil, nil)
	stranger := w.issue(nil, nil)
	late := w.sealPDF(letter, &forged{by: w.signer, seal: w.seal, at: start.AddDate(2, 0, 0)}, nil)
	for name, c := range map[string]struct {
		doc       []byte
		verdict   Verdict
		integrity Integrity
		check     string
		reason    string
	}{
		"page text changed":                {bytes.Replace(sealed, []byte("(Letter, page 1)"), []byte("(Lottery page 1)"), 1), Invalid, Altered, CheckDataHash, ReasonDigestDiffer},
		"seal of another document":         {transplant(t, sealed, other), Invalid, Altered, CheckDataHash, ReasonDigestDiffer},
		"page replaced by an update":       {pdftest.Revise(sealed, "7 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj\n"), Indeterminate, Partial, CheckCoverage, ReasonTail},
		"page replaced, then sealed again": {w.sealPDF(pdftest.Revise(sealed, "7 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj\n"), nil, nil), Indeterminate, Partial, CheckCoverage, ReasonChangedAfter},
		"bytes behind the end":             {append(bytes.Clone(sealed), "\n% more"...), Indeterminate, Partial, CheckCoverage, ReasonTail},
		"gap widened":                      {gap(t, sealed, -1), Invalid, Altered, CheckDataHash, ReasonDigestDiffer},
		"signed with wide gap":             {w.sealWideGap(letter), Indeterminate, Partial, CheckRange, pdf.RangeGap},
		"off the page":                     {w.sealPDF(letter, nil, func(r *pdf.Request) { r.X = 700 }), Invalid, Intact, CheckStamp, ReasonStampOff},
		"signer not listed":                {w.sealPDF(letter, &forged{by: stranger, seal: w.seal, at: signed}, nil), Invalid, Intact, CheckCertList, ReasonNotListed},
		"outside its period":               {late, Invalid, Intact, CheckSealPeriod, ReasonPeriod},
		"not a seal":                       {w.sealValue(letter, []byte{0x30, 6, 2, 1, 1, 2, 1, 1}), Indeterminate, Partial, CheckSES, ReasonRaw},
		"garbage in a sequence":            {w.sealValue(letter, []byte{0x30, 2, 4, 0}), Invalid, Altered, CheckSES, ReasonMalformed},
		"end cut off":                      {sealed[:len(sealed)-8], Invalid, Altered, CheckPDF, ReasonPDFBroken},
	} {
		rep := w.judge(c.doc)
		if rep.Verdict != c.verdict || rep.Integrity != c.integrity || !has(rep, c.check, c.reason) {
			t.Errorf("%s: %s %s, want %s %s by %s %s\n%+v", name, rep.Verdict, rep.Integrity, c.verdict, c.integrity, c.check, c.reason, rep)
		}
	}
	// A form that lost its fields: unsigned, and what is left is named.
	stripped := pdftest.Revise(sealed, "1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n")
	rep := w.judge(stripped)
	if rep.Integrity != Unsigned || !slices.ContainsFunc(rep.Warnings, func(w Warning) bool { return w.Code == WarnOrphan }) {
		t.Errorf("stripped: %+v", rep)
	}
	encrypted := bytes.Replace(letter, []byte("/Root 1 0 R"), []byte("/Root 1 0 R /Encrypt <<>>"), 1)
	if rep := w.judge(encrypted); rep.Verdict != Indeterminate || rep.Checks[0].Reason != ReasonPDFEncrypted {
		t.Errorf("encrypted: %+v", rep)
	}
	if _, err := Document(context.Background(), []byte("%PDF-1.7\n%%EOF\n"), Options{}); !errors.Is(err, ErrNotDocument) {
		t.Errorf("no document: %v", err)
	}
}

func has(rep Report, check, reason string) bool {
	all := rep.Checks
	for _, s := range rep.Signatures {
		all = append(all, s.Checks...)
	}
	return slices.ContainsFunc(all, func(c Check) bool { return c.ID == check && c.Reason == reason })
}

func theSignature(t testing.TB, doc []byte) *pdf.Signature {
	t.Helper()
	d, err := pdf.OpenBytes(doc)
	if err != nil {
		t.Fatal(err)
	}
	sigs, err := d.Signatures()
	if err != nil || len(sigs) == 0 {
		t.Fatalf("%d signatures, %v", len(sigs), err)
	}
	return sigs[0]
}

// transplant puts the value of one document into another.
func transplant(t testing.TB, to, from []byte) []byte {
	t.Helper()
	a, b := theSignature(t, to).Range, theSignature(t, from).Range
	out := bytes.Clone(to)
	copy(out[a[1]:a[2]], from[b[1]:b[2]])
	return out
}

// gap moves the start of the gap.
func gap(t testing.TB, doc []byte, by int64) []byte {
	t.Helper()
	r := theSignature(t, doc).Range
	return bytes.Replace(doc, fmt.Appendf(nil, "%-11d", r[1]), fmt.Appendf(nil, "%-11d", r[1]+by), 1)
}

// sealWideGap signs a range that leaves out a byte beside the value: the hole in
// which signature wrapping puts its forgery.
func (w *world) sealWideGap(doc []byte) []byte {
	w.tb.Helper()
	out := gap(w.tb, w.sealPDF(doc, nil, nil), -1)
	return w.reseal(out, 0)
}

func (w *world) sealValue(doc, value []byte) []byte {
	w.tb.Helper()
	q, err := pdf.Prepare(doc, pdf.Request{Reserve: 64})
	w.must(err)
	out, err := q.Finish(value)
	w.must(err)
	return out
}

// revise appends a revision with one object, as any editor does.
func revise(t testing.TB, doc []byte, object string) []byte {
	t.Helper()
	var prev, num int
	i := bytes.LastIndex(doc, []byte("startxref\n"))
	if _, err := fmt.Sscanf(string(doc[i:]), "startxref\n%d", &prev); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(object, "%d", &num); err != nil {
		t.Fatal(err)
	}
	start := len(doc) + len(object)
	out := append(bytes.Clone(doc), object...)
	return fmt.Appendf(out, "xref\n%d 1\n%010d 00000 n\r\ntrailer\n<</Size 100 /Root 1 0 R /Info 4 0 R /Prev %d>>\nstartxref\n%d\n%%%%EOF\n", num, len(doc), prev, start)
}

// A CMS signature of the international track (ETSI EN 319 142-1), and of SM2.
func TestPDFSignedData(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Signer"}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	w.must(err)
	sign := func(spec signeddata.Spec, format pdf.Name, by func(signeddata.Spec) ([]byte, error)) []byte {
		q, err := pdf.Prepare(pdftest.Letter(pdftest.Options{}), pdf.Request{Filter: pdf.FilterCMS, SubFilter: format, Time: signed, Reserve: 8192})
		w.must(err)
		d, err := signeddata.DigestFor(spec.CertDER)
		w.must(err)
		h := d.New()
		w.must(q.Digest(h))
		spec.Digest = h.Sum(nil)
		value, err := by(spec)
		w.must(err)
		out, err := q.Finish(value)
		w.must(err)
		return out
	}
	ec := func(s signeddata.Spec) ([]byte, error) { return signeddata.Sign(s, key) }
	sm := func(s signeddata.Spec) ([]byte, error) { return signeddata.Sign(s, w.signer.key) }
	trust := NewTrust(der, w.root.cert.Raw)
	for name, c := range map[string]struct {
		doc      []byte
		standard string
	}{
		"PAdES":  {sign(signeddata.Spec{CertDER: der}, pdf.SubFilterCAdES, ec), "ETSI EN 319 142-1"},
		"PKCS7":  {sign(signeddata.Spec{CertDER: der, Time: signed}, pdf.SubFilterPKCS7, ec), "ISO 32000-1"},
		"SM2 GM": {sign(signeddata.Spec{CertDER: w.signer.cert.Raw, Time: signed}, pdf.SubFilterPKCS7, sm), "GB/T 35275-2017"},
	} {
		rep, err := Document(context.Background(), c.doc, Options{Trust: trust, Now: w.clock})
		w.must(err)
		if rep.Verdict != Valid || rep.Integrity != Intact || rep.Signatures[0].Standard != c.standard || rep.Signatures[0].Kind != "pdf" {
			t.Errorf("%s: %+v", name, rep)
		}
		bad := bytes.Replace(c.doc, []byte("(Letter, page 1)"), []byte("(Lottery page 1)"), 1)
		if rep, err = Document(context.Background(), bad, Options{Trust: trust, Now: w.clock}); err != nil || rep.Integrity != Altered || !has(rep, CheckDataHash, ReasonDigestDiffer) {
			t.Errorf("%s, changed: %+v, %v", name, rep, err)
		}
		if rep, err = Document(context.Background(), c.doc, Options{Now: w.clock}); err != nil || rep.Verdict != Indeterminate || rep.Integrity != Intact {
			t.Errorf("%s, no anchor: %s %s, %v", name, rep.Verdict, rep.Integrity, err)
		}
	}
}
