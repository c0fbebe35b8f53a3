package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

var quoted = []cite.Citation{{
	Consent: "consent-1", Consumer: "11110102000000002B", Note: "表 1", Provider: "11110102000000001A", ProviderName: "样例区民政局", Resource: "res-1", Title: "低保名单",
}, {
	Consent: "consent-2", Consumer: "11110102000000002B", Provider: "11110102000000003C", ProviderName: "样例区人社局", Resource: "res-2", Title: "参保信息",
}}

// register answers like one that keeps consents, and notes what it was asked.
type consentRegister struct {
	answers map[string]string // consent → reason
	asked   []Quote
	err     error
}

func (r *consentRegister) Consented(_ context.Context, q Quote) (string, bool, error) {
	r.asked = append(r.asked, q)
	why, known := r.answers[q.Consent]
	return why, known, r.err
}

// citing seals a document that says that it quotes something, the way the
// product does.
func (w *world) citing(custom []ofd.CustomData) []byte {
	w.tb.Helper()
	p, err := ofd.Open(w.notice())
	w.must(err)
	q, err := ofd.Prepare(p, ofd.SealRequest{
		Provider: ofd.Provider{Name: "yinxin"}, SealDER: w.seal, SignTime: signed, Custom: custom,
		Stamps: []ofd.Place{{Page: 1, X: 120, Y: 200, W: 42, H: 42}},
	})
	w.must(err)
	value, err := seal.Sign(seal.SignSpec{SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed, DataHash: q.DataHash(), Property: q.Property()}, w.signer.key)
	w.must(err)
	out, err := q.Finish(value)
	w.must(err)
	return out
}

func customOf(t *testing.T, list []cite.Citation) (out []ofd.CustomData) {
	t.Helper()
	texts, err := cite.Encode(list)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range texts {
		out = append(out, ofd.CustomData{Name: cite.OFDName(i), Value: s})
	}
	return out
}

// citationCheck is the check of a report, zero when it has none.
func citationCheck(rep Report) Check {
	for _, c := range rep.Checks {
		if c.ID == CheckCitations {
			return c
		}
	}
	return Check{}
}

func results(rep Report) (out []string) {
	for _, c := range rep.Citations {
		out = append(out, string(c.Result)+" "+c.Reason)
	}
	return out
}

// BJ17-19b: a stranger reads source, provider and consent of what is cited; the
// verdict is that of the seal until somebody knows better.
func TestBJ17_19b_CitationsInTheReport(t *testing.T) {
	w := newWorld(t)
	doc := w.citing(customOf(t, quoted))
	for name, tc := range map[string]struct {
		consents *consentRegister
		verdict  Verdict
		check    Result
		reason   string
		results  []string
		warnings int
	}{
		"offline":        {nil, Valid, Skipped, ReasonCitationUnasked, []string{"skipped citation.unasked", "skipped citation.unasked"}, 1},
		"both consented": {&consentRegister{answers: map[string]string{"consent-1": "", "consent-2": ""}}, Valid, Pass, "", []string{"pass ", "pass "}, 0},
		"one of another house": {&consentRegister{answers: map[string]string{"consent-1": ""}}, Valid, Skipped, ReasonCitationUnasked,
			[]string{"pass ", "skipped citation.unasked"}, 1},
		"withdrawn": {&consentRegister{answers: map[string]string{"consent-1": ConsentWithdrawn, "consent-2": ""}}, Invalid, Fail, ConsentWithdrawn,
			[]string{"fail consent.withdrawn", "pass "}, 0},
		"false beside unknown": {&consentRegister{answers: map[string]string{"consent-2": ConsentConsumer}}, Invalid, Fail, ConsentConsumer,
			[]string{"skipped citation.unasked", "fail consent.consumer"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			opt := w.options(nil)
			if tc.consents != nil {
				opt.Consents = tc.consents
			}
			rep, err := Document(context.Background(), doc, opt)
			w.must(err)
			got := citationCheck(rep)
			if rep.Verdict != tc.verdict || rep.Integrity != Intact || rep.Signatures[0].Verdict != Valid || got.Result != tc.check || got.Reason != tc.reason {
				t.Errorf("%s %s, check %+v", rep.Verdict, rep.Integrity, got)
			}
			if !reflect.DeepEqual(results(rep), tc.results) || rep.Citations[0].Citation != quoted[0] || rep.Citations[1].Citation != quoted[1] {
				t.Errorf("%+v", rep.Citations)
			}
			n := 0
			for _, warn := range rep.Warnings {
				if warn.Code == WarnConsent {
					n++
				}
			}
			if n != tc.warnings {
				t.Errorf("%d warnings: %+v", n, rep.Warnings)
			}
			if tc.consents != nil {
				q := tc.consents.asked[0]
				if !q.At.Equal(signed) || len(q.File) != 64 || !reflect.DeepEqual(q.Seals, []string{"41010012345678"}) {
					t.Errorf("asked %+v", q)
				}
			}
		})
	}
	opt := w.options(nil)
	opt.Consents = &consentRegister{err: errors.New("register is down")}
	if _, err := Document(context.Background(), doc, opt); err == nil {
		t.Error("a register that is down answers for a consent")
	}
	if rep := w.judge(w.citing(nil)); citationCheck(rep).ID != "" || rep.Citations != nil || rep.Verdict != Valid {
		t.Errorf("a document that cites nothing: %+v", rep.Checks)
	}
}

// A flipped byte of a citation breaks the seal; a citation that nobody sealed is
// nobody's, and what is not one in form is a failure.
func TestBJ17_19b_CitationsAreSealed(t *testing.T) {
	w := newWorld(t)
	good := customOf(t, quoted)
	doc := w.citing(good)
	consents := &consentRegister{answers: map[string]string{"consent-1": "", "consent-2": ""}}
	opt := w.options(nil)
	opt.Consents = consents
	try := func(doc []byte) Report {
		t.Helper()
		rep, err := Document(context.Background(), doc, opt)
		w.must(err)
		return rep
	}
	flipped := edit(t, doc, "OFD.xml", func(b []byte) []byte { return bytes.Replace(b, []byte("consent-1"), []byte("consent-3"), 1) })
	if rep := try(flipped); rep.Integrity != Altered || rep.Verdict != Invalid || citationCheck(rep).Reason != ReasonCitationOpen || rep.Citations[0].Result != CannotTell {
		t.Errorf("flipped: %s, %+v", rep.Integrity, rep.Citations)
	}
	plain := edit(t, w.notice(), "OFD.xml", func(b []byte) []byte {
		return bytes.Replace(b, []byte("</ofd:DocInfo>"), []byte(`<ofd:CustomDatas><ofd:CustomData Name="yinxin.citation.1">`+xmlText(good[0].Value)+`</ofd:CustomData></ofd:CustomDatas></ofd:DocInfo>`), 1)
	})
	if rep := try(plain); rep.Integrity != Unsigned || rep.Verdict != Indeterminate || citationCheck(rep).Reason != ReasonCitationOpen || len(rep.Citations) != 1 {
		t.Errorf("unsealed: %s %s %+v", rep.Verdict, rep.Integrity, rep.Citations)
	}
	if len(consents.asked) != 0 {
		t.Errorf("asked about what nobody sealed: %+v", consents.asked)
	}
	for name, custom := range map[string][]ofd.CustomData{
		"no JSON":  {{Name: cite.OFDName(0), Value: "低保名单"}},
		"a gap":    {{Name: cite.OFDName(1), Value: good[1].Value}},
		"no name":  {{Name: cite.OFDName(0), Value: strings.Replace(good[0].Value, "样例区民政局", "", 1)}},
		"trailing": {{Name: cite.OFDName(0), Value: good[0].Value + "x"}},
	} {
		if rep := try(w.citing(custom)); rep.Verdict != Invalid || rep.Integrity != Intact || citationCheck(rep).Reason != ReasonCitationForm || rep.Citations != nil {
			t.Errorf("%s: %s %s %+v", name, rep.Verdict, rep.Integrity, citationCheck(rep))
		}
	}
	if rep := try(w.citing([]ofd.CustomData{{Name: "other.program", Value: "x"}})); rep.Verdict != Valid || citationCheck(rep).ID != "" {
		t.Errorf("custom data of others: %+v", rep.Checks)
	}
}

func xmlText(s string) string { return strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(s) }

// In a PDF the same holds: read from the document information, and a later
// revision that changes it takes the protection away.
func TestBJ17_19b_CitationsInPDF(t *testing.T) {
	w := newWorld(t)
	entry, err := cite.ToPDF(quoted)
	w.must(err)
	put := func(doc []byte, info []pdf.Info) []byte {
		t.Helper()
		p, err := pdf.Prepare(doc, pdf.Request{Time: signed, Reserve: len(w.seal) + len(w.signer.cert.Raw) + 1<<10, Info: info})
		w.must(err)
		h := sm3.New()
		w.must(p.Digest(h))
		value, err := seal.Sign(seal.SignSpec{SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed, DataHash: h.Sum(nil), Property: "/" + p.Field()}, w.signer.key)
		w.must(err)
		out, err := p.Finish(value)
		w.must(err)
		return out
	}
	doc := put(pdftest.Letter(pdftest.Options{}), []pdf.Info{{Key: cite.PDFKey, Value: entry}})
	consents := &consentRegister{answers: map[string]string{"consent-1": "", "consent-2": ""}}
	opt := w.options(nil)
	opt.Consents = consents
	try := func(doc []byte) Report {
		t.Helper()
		rep, err := Document(context.Background(), doc, opt)
		w.must(err)
		return rep
	}
	for name, d := range map[string][]byte{"one seal": doc, "two seals": put(doc, nil)} {
		if rep := try(d); rep.Verdict != Valid || citationCheck(rep).Result != Pass || len(rep.Citations) != 2 || rep.Citations[1].Citation != quoted[1] {
			t.Errorf("%s: %s %+v %+v", name, rep.Verdict, citationCheck(rep), rep.Citations)
		}
	}
	// The document information is object 4 of the letter: a later revision gives it
	// another body.
	tail := doc[bytes.LastIndex(doc, []byte("trailer\n")):]
	size := strings.Fields(string(tail[bytes.Index(tail, []byte("/Size ")):]))[1]
	prev := strings.Fields(string(tail[bytes.Index(tail, []byte("startxref\n")):]))[1]
	later := append([]byte{}, doc...)
	at := len(later)
	later = append(later, "4 0 obj\n<</YinxinCitations (x)>>\nendobj\n"...)
	start := len(later)
	later = append(later, "xref\n4 1\n"+fmt.Sprintf("%010d", at)+" 00000 n\r\ntrailer\n<</Size "+strings.TrimSuffix(size, ">>")+" /Root 1 0 R /Info 4 0 R /Prev "+prev+">>\nstartxref\n"+fmt.Sprint(start)+"\n%%EOF\n"...)
	if rep := try(later); rep.Verdict == Valid || rep.Integrity == Intact || citationCheck(rep).Reason != ReasonCitationOpen {
		t.Errorf("a later revision: %s %s %+v", rep.Verdict, rep.Integrity, citationCheck(rep))
	}
	flipped := append([]byte{}, doc...)
	flipped[bytes.LastIndex(doc, []byte("/YinxinCitations <"))+len("/YinxinCitations <FEFF007B")] ^= 1
	if rep := try(flipped); rep.Integrity != Altered {
		t.Errorf("flipped: %s", rep.Integrity)
	}
}
