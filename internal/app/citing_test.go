package app

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func citationResult(rep verify.Report) (verify.Result, string) {
	for _, c := range rep.Checks {
		if c.ID == verify.CheckCitations {
			return c.Result, c.Reason
		}
	}
	return "", ""
}

// TestBJ17_19b_X11_24a_X11_24b_InTheHouse has one house for all of it, because people's keys
// are slow to make.
func TestBJ17_19b_X11_24a_X11_24b_InTheHouse(t *testing.T) {
	w := newTown(t, 3)
	w.consentsOnPages()
	w.grantsOnPages()
	w.reclassOnPages()
	w.regradeInTheHouse()
	w.citationsInTheHouse()
	w.batchInTheHouse()
	w.agreementInTheHouse()
}

// citationsInTheHouse walks the requirement through the whole house:
// asked, consented by a signature, sealed, verified by a stranger and here; and
// everything that lacks a consent is refused with nothing sealed.
func (w *town) citationsInTheHouse() {
	t := w.t
	provider, consumer, third := w.units[0], w.units[1], w.units[2]
	w.resource("res-1", provider)
	w.resource("res-2", provider)
	doc := paper(t, "引用统计的报告")
	series, bound := w.consent("res-1", "", consumer, provider), w.consent("res-2", signer.Digest(doc), consumer, provider)
	list := []cite.Citation{w.cite(series), w.cite(bound)}
	out := w.sealed(consumer, doc, list...)

	check := func(name string, doc []byte, verdict verify.Verdict, result verify.Result, reason string) {
		t.Helper()
		rep, err := w.Verify(bg, doc)
		ok(t, err)
		if got, why := citationResult(rep); rep.Verdict != verdict || got != result || why != reason {
			t.Errorf("%s: %s, citations %s %s", name, rep.Verdict, got, why)
		}
	}
	check("here", out, verify.Valid, verify.Pass, "")
	rep, err := verify.Document(bg, out, verify.Options{Trust: w.Trust(), Now: w.cfg.Now})
	ok(t, err)
	if got, _ := citationResult(rep); rep.Verdict != verify.Valid || got != verify.Skipped || len(rep.Citations) != 2 ||
		rep.Citations[0].Citation != list[0] || rep.Citations[0].Title != "样例res-1" || rep.Citations[0].ProviderName != "样例局甲" || rep.Citations[0].Consent != series.ID {
		t.Errorf("a stranger: %s %+v", rep.Verdict, rep.Citations)
	}
	// A second seal, of another unit, on the document with its bound consent.
	twice := w.sealed(third, out)
	check("two seals", twice, verify.Valid, verify.Pass, "")
	flipped := flip(t, out, series.ID)
	check("a flipped byte", flipped, verify.Invalid, verify.CannotTell, verify.ReasonCitationOpen)
	if rep, err = w.Verify(bg, flipped); err != nil || rep.Integrity != verify.Altered {
		t.Errorf("%s, %v", rep.Integrity, err)
	}

	// The clerk names the consent on the page; the rest comes from the register.
	id, err := w.Desk.Submit(bg, console.Person{ID: consumer.clerk.ID, Unit: string(consumer.unit)}, console.UseForm{
		Seal: consumer.seal, Title: "页面", Consents: []string{series.ID}, Papers: []console.Paper{{Name: "a.ofd", Bytes: paper(t, "页面")}},
	})
	ok(t, err)
	want := list[0]
	want.Note = ""
	if asked, err := w.Signer.Use(bg, id); err != nil || !slices.Equal(asked.Citations, []cite.Citation{want}) {
		t.Errorf("%+v, %v", asked.Citations, err)
	}

	w.mayQuote(consumer, true)
	w.mayQuote(third, false)
	w.refusals(provider, consumer, third, series, bound)
	w.offline(consumer, third, series, bound)

	// After a withdrawal what was sealed before keeps its consent.
	u, err := w.request(consumer, paper(t, "第三份"), list[0])
	ok(t, err)
	u = w.approved(consumer, u)
	w.at = w.at.Add(time.Minute)
	_, _, err = w.Consents.Withdraw(bg, series.ID, "数据有误", w.actor(provider.leader))
	ok(t, err)
	w.at = w.at.Add(time.Minute)
	size := w.Ledger.Head().Size
	_, err = w.Signer.Seal(bg, w.actor(consumer.clerk), u.ID, paper(t, "第三份"), signer.Placement{})
	wantErr(t, err, signer.ErrCitation)
	if w.Ledger.Head().Size != size {
		t.Error("something was recorded for a seal that was refused")
	}
	w.mayQuote(consumer, false)
	check("sealed before the withdrawal", out, verify.Valid, verify.Pass, "")
	// Nor does it lose it when the leader who signed has a new certificate.
	_, err = w.CertifyPerson(bg, w.service(), provider.leader.ID)
	ok(t, err)
	if p, err := w.rooms.Identity.Person(bg, provider.leader.ID); err != nil || bytes.Equal(p.CertDER, provider.leader.CertDER) {
		t.Errorf("the leader's certificate was not renewed: %v", err)
	}
	check("after the leader's certificate was renewed", out, verify.Valid, verify.Pass, "")
}

// mayQuote asks the decision point whether a unit may quote the resource in a report:
// the consent on the register counts there, too.
func (w *town) mayQuote(o office, may bool) {
	w.t.Helper()
	d, err := w.PDP.Decide(bg, authz.Request{SubjectType: authz.SubjectAgency, SubjectID: string(o.unit), Action: authz.ActionDerive, Resource: "res-1", CitedIn: "年度报告"})
	ok(w.t, err)
	if refused := slices.ContainsFunc(d.Reasons, func(r authz.Reason) bool { return r.Code == "E29_citation" }); refused == may {
		w.t.Errorf("%s may quote: %v, reasons %+v", o.unit, may, d.Reasons)
	}
}

// refusals: sealed docs with citations lacking consent = 0.
func (w *town) refusals(provider, consumer, third office, series, bound sharing.Consent) {
	t := w.t
	refused := w.asked("res-1", "", consumer)
	w.sign(w.ConsentSubject(refused), provider.leader, false)
	_, _, err := w.Consents.Decide(bg, refused.ID, w.actor(consumer.clerk))
	ok(t, err)
	// The leader of another unit signs, whatever he says in whose name he does.
	usurped := w.asked("res-1", "", consumer)
	s := w.ConsentSubject(usurped)
	s.Unit = third.unit
	w.refusedAnswer(s, third.leader)
	_, _, err = w.Consents.Decide(bg, usurped.ID, w.actor(consumer.clerk))
	wantErr(t, err, sharing.ErrConsent)

	other := w.cite(series)
	other.Resource = "res-2"
	renamed := w.cite(series)
	renamed.Title = "别的来源"
	invented := w.cite(series)
	invented.Consent = "no-such-consent"
	for name, tc := range map[string]struct {
		by   office
		list []cite.Citation
	}{
		"without a consent":  {consumer, []cite.Citation{invented}},
		"asked only":         {consumer, []cite.Citation{w.cite(w.asked("res-1", "", consumer))}},
		"refused":            {consumer, []cite.Citation{w.cite(refused)}},
		"another's leader":   {consumer, []cite.Citation{w.cite(usurped)}},
		"another resource":   {consumer, []cite.Citation{other}},
		"another source":     {consumer, []cite.Citation{renamed}},
		"another consumer":   {third, []cite.Citation{w.cite(series)}},
		"another document":   {consumer, []cite.Citation{w.cite(bound)}},
		"one of two without": {consumer, []cite.Citation{w.cite(series), invented}},
	} {
		size := w.Ledger.Head().Size
		if _, err := w.request(tc.by, paper(t, name), tc.list...); !errors.Is(err, signer.ErrCitation) {
			t.Errorf("%s: %v", name, err)
		}
		if w.Ledger.Head().Size != size {
			t.Errorf("%s: recorded", name)
		}
	}
}

// offline: what was sealed past the service with false citations is found here.
func (w *town) offline(consumer, third office, series, bound sharing.Consent) {
	t := w.t
	seal := func(o office, c cite.Citation) []byte {
		t.Helper()
		e, err := w.rooms.Seals.Seal(bg, o.seal)
		ok(t, err)
		key, err := w.custody.Signer(bg, e.KeyID)
		ok(t, err)
		p, err := signer.Prepare(paper(t, "离线"), signer.Job{SealDER: e.DER, CertDER: e.CertDER, Time: w.at, Citations: []cite.Citation{c}}, key.Public())
		ok(t, err)
		out, err := p.Sign(context.WithoutCancel(bg), key)
		ok(t, err)
		return out
	}
	invented, other, abroad := w.cite(series), w.cite(series), w.cite(series)
	invented.Consent, other.Resource = "no-such-consent", "res-2"
	abroad.Provider = "11110102000000001A" // on no register of ours
	for name, tc := range map[string]struct {
		doc     []byte
		verdict verify.Verdict
		result  verify.Result
		reason  string
	}{
		"a good one":                     {seal(consumer, w.cite(series)), verify.Valid, verify.Pass, ""},
		"an invented consent":            {seal(consumer, invented), verify.Invalid, verify.Fail, verify.ConsentNone},
		"another resource":               {seal(consumer, other), verify.Invalid, verify.Fail, verify.ConsentResource},
		"another unit's seal":            {seal(third, w.cite(series)), verify.Invalid, verify.Fail, verify.ConsentConsumer},
		"a provider of another house":    {seal(consumer, abroad), verify.Valid, verify.Skipped, verify.ReasonCitationUnasked},
		"bound, to a file unknown to us": {seal(consumer, w.cite(bound)), verify.Valid, verify.Skipped, verify.ReasonCitationUnasked},
	} {
		rep, err := w.Verify(bg, tc.doc)
		ok(t, err)
		if got, why := citationResult(rep); rep.Verdict != tc.verdict || got != tc.result || why != tc.reason || rep.Integrity != verify.Intact {
			t.Errorf("%s: %s %s, citations %s %s", name, rep.Verdict, rep.Integrity, got, why)
		}
	}
}

// flip changes one byte of a text in OFD.xml, in a package made anew.
func flip(t *testing.T, doc []byte, text string) []byte {
	t.Helper()
	return rezipped(t, doc, "OFD.xml", func(b []byte) []byte {
		i := bytes.Index(b, []byte(text))
		if i < 0 {
			t.Fatalf("no %s in OFD.xml", text)
		}
		b[i] ^= 1
		return b
	})
}

// rezipped makes a package anew with one file changed.
func rezipped(t *testing.T, doc []byte, name string, change func([]byte) []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(doc), int64(len(doc)))
	ok(t, err)
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		ok(t, err)
		b, err := io.ReadAll(in)
		ok(t, err)
		if f.Name == name {
			b = change(b)
		}
		to, err := zw.Create(f.Name)
		ok(t, err)
		_, err = to.Write(b)
		ok(t, err)
	}
	ok(t, zw.Close())
	return out.Bytes()
}
