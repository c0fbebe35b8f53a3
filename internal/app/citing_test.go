package app

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// office is a unit of the town with a leader, a clerk and a seal.
type office struct {
	unit          identity.USCC
	leader, clerk identity.Person
	seal          string
}

// town is a house with units that seal and share.
type town struct {
	*House
	t       *testing.T
	at      time.Time
	officer identity.Person
	keeper  identity.Person // of seals
	units   []office
}

const townPIN = "pin-of-the-town"

func newTown(t *testing.T, units int) *town {
	t.Helper()
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	w := &town{t: t, at: time.Now().UTC().Truncate(time.Second)}
	cfg.Now = func() time.Time { return w.at }
	h, _, err := Found(bg, cfg, three)
	ok(t, err)
	w.House = h
	t.Cleanup(func() { ok(t, h.Close()) })
	own := identity.USCC(h.cfg.USCC)
	w.officer = w.person(own, identity.RoleRAOfficer)
	_, err = h.CertifyPerson(bg, h.service(), w.officer.ID)
	ok(t, err)
	w.keeper = w.person(own, identity.RoleSealAdministrator)
	for i := range units {
		code, err := identity.SampleUSCC("110100", 10+i)
		ok(t, err)
		_, _, err = h.Identity.RegisterAgency(bg, identity.Agency{USCC: code, Name: "样例局" + []string{"甲", "乙", "丙"}[i], Kind: identity.KindOrgan, District: "110100"}, h.service())
		ok(t, err)
		o := office{unit: code, leader: w.certified(code, identity.RoleUnitLeader), clerk: w.certified(code, identity.RoleClerk)}
		o.seal = w.newSeal(o, 10+i)
		w.units = append(w.units, o)
	}
	return w
}

func (w *town) person(unit identity.USCC, role identity.Role) identity.Person {
	w.t.Helper()
	p, _, err := w.Identity.RegisterPerson(bg, identity.Person{Name: "样例" + string(role), Agency: unit}, w.service())
	ok(w.t, err)
	_, _, err = w.Identity.AssignPost(bg, identity.Post{Person: p.ID, Agency: unit, Role: role, Title: string(role), From: w.at.Add(-time.Minute)}, w.service())
	ok(w.t, err)
	ok(w.t, w.MakePersonKey(bg, p.ID, townPIN))
	return p
}

func (w *town) certified(unit identity.USCC, role identity.Role) identity.Person {
	w.t.Helper()
	p := w.person(unit, role)
	s, err := w.PersonOrder(bg, p.ID)
	ok(w.t, err)
	w.sign(s, w.officer, true)
	_, err = w.CertifyPerson(bg, w.service(), p.ID)
	ok(w.t, err)
	p, err = w.rooms.Identity.Person(bg, p.ID)
	ok(w.t, err)
	return p
}

// newSeal makes the unit's seal and walks it until it may be used.
func (w *town) newSeal(o office, n int) string {
	w.t.Helper()
	order := SealOrder{ID: fmt.Sprintf("110100%08d", n), Unit: o.unit, Name: "样章"}
	applied, _, err := w.ApplySeal(bg, w.actor(o.clerk), order)
	ok(w.t, err)
	w.sign(applied, o.leader, true)
	_, _, err = w.Life.Settle(bg, w.actor(o.clerk), order.ID)
	ok(w.t, err)
	s, err := w.PrepareSeal(bg, order, o.leader.ID)
	ok(w.t, err)
	w.sign(s, w.officer, true)
	keeper := w.actor(w.keeper)
	_, _, err = w.MakeSeal(bg, keeper, order)
	ok(w.t, err)
	_, _, err = w.Life.File(bg, keeper, order.ID, life.Filing{})
	ok(w.t, err)
	_, _, err = w.Life.Activate(bg, keeper, order.ID)
	ok(w.t, err)
	return order.ID
}

func (w *town) sign(s approval.Subject, p identity.Person, yes bool) {
	w.t.Helper()
	reason := ""
	if !yes {
		reason = "不同意"
	}
	_, _, err := w.Approve(bg, s, p.ID, townPIN, yes, reason)
	ok(w.t, err)
}

func (w *town) actor(p identity.Person) ledger.Actor { return w.PersonActor(p.ID, p.Agency) }

func (w *town) resource(id string, provider office) {
	w.t.Helper()
	_, _, err := w.Sharing.RegisterResource(bg, sharing.Resource{
		ID: id, Name: "样例" + id, Provider: provider.unit, Label: level.Label{Level: 1, RequiredS: 1, RequiredA: 1}, ShareType: sharing.ShareUnconditional,
		Regime: sharing.RegimeBeijing2017, Items: []string{"x"}, SecrecyReview: "保审1",
	}, w.actor(provider.clerk))
	ok(w.t, err)
}

func (w *town) asked(resource, document string, by office) sharing.Consent {
	w.t.Helper()
	c, _, err := w.Consents.Ask(bg, sharing.Consent{
		Resource: resource, Title: "年度报告", Purpose: "引用统计", Document: document, NotBefore: w.at, NotAfter: w.at.Add(time.Hour),
	}, w.actor(by.clerk))
	ok(w.t, err)
	return c
}

func (w *town) consent(resource, document string, by, provider office) sharing.Consent {
	w.t.Helper()
	c := w.asked(resource, document, by)
	w.sign(ConsentSubject(c), provider.leader, true)
	c, _, err := w.Consents.Decide(bg, c.ID, w.actor(by.clerk))
	ok(w.t, err)
	return c
}

func (w *town) cite(c sharing.Consent) cite.Citation {
	w.t.Helper()
	got, err := w.Cite(bg, c.ID, "表 1")
	ok(w.t, err)
	return got
}

func (w *town) request(o office, doc []byte, list ...cite.Citation) (signer.Use, error) {
	u, _, err := w.Signer.RequestUse(bg, w.actor(o.clerk), signer.UseRequest{Seal: o.seal, Document: doc, Title: "年度报告", Citations: list})
	return u, err
}

func (w *town) approved(o office, u signer.Use) signer.Use {
	w.t.Helper()
	s, err := w.UseSubject(bg, u)
	ok(w.t, err)
	w.sign(s, o.leader, true)
	u, _, err = w.Signer.MarkApproved(bg, w.actor(o.clerk), u.ID)
	ok(w.t, err)
	return u
}

func (w *town) sealed(o office, doc []byte, list ...cite.Citation) []byte {
	w.t.Helper()
	u, err := w.request(o, doc, list...)
	ok(w.t, err)
	got, err := w.Signer.Seal(bg, w.actor(o.clerk), w.approved(o, u).ID, doc, signer.Placement{})
	ok(w.t, err)
	return got.Document
}

func paper(t *testing.T, title string) []byte {
	t.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{Title: title, Issuer: "样例局", Body: []string{"各单位："}, Date: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	ok(t, err)
	return doc
}

func citationResult(rep verify.Report) (verify.Result, string) {
	for _, c := range rep.Checks {
		if c.ID == verify.CheckCitations {
			return c.Result, c.Reason
		}
	}
	return "", ""
}

// TestBJ17_19b_InTheHouse has one house for both, because people's keys are slow
// to make.
func TestBJ17_19b_InTheHouse(t *testing.T) {
	w := newTown(t, 3)
	w.citationsInTheHouse()
	w.batchInTheHouse()
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
	check("sealed before the withdrawal", out, verify.Valid, verify.Pass, "")
	// Nor does it lose it when the leader who signed has a new certificate.
	_, err = w.CertifyPerson(bg, w.service(), provider.leader.ID)
	ok(t, err)
	if p, err := w.rooms.Identity.Person(bg, provider.leader.ID); err != nil || bytes.Equal(p.CertDER, provider.leader.CertDER) {
		t.Errorf("the leader's certificate was not renewed: %v", err)
	}
	check("after the leader's certificate was renewed", out, verify.Valid, verify.Pass, "")
}

// refusals: sealed docs with citations lacking consent = 0.
func (w *town) refusals(provider, consumer, third office, series, bound sharing.Consent) {
	t := w.t
	refused := w.asked("res-1", "", consumer)
	w.sign(ConsentSubject(refused), provider.leader, false)
	_, _, err := w.Consents.Decide(bg, refused.ID, w.actor(consumer.clerk))
	ok(t, err)
	// The leader of another unit signs, whatever he says in whose name he does.
	usurped := w.asked("res-1", "", consumer)
	s := ConsentSubject(usurped)
	s.Unit = third.unit
	w.sign(s, third.leader, true)
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

// batchInTheHouse: a batch goes through the house: one signature of the leader, one seal and two
// records for each document; the leader of another unit approves nothing here.
func (w *town) batchInTheHouse() {
	t := w.t
	o, other := w.units[0], w.units[1]
	f := &shelf{docs: map[string][]byte{}, kept: map[string][]byte{}}
	var m signer.Manifest
	for _, name := range []string{"a/1.ofd", "a/2.ofd", "b.ofd"} {
		doc := paper(t, name)
		f.docs[name] = doc
		m = append(m, signer.Listed{SM3: signer.Digest(doc), Size: int64(len(doc)), Path: name})
	}
	clerk := w.actor(o.clerk)
	b, _, err := w.Signer.RequestBatch(bg, clerk, signer.BatchRequest{Seal: o.seal, Title: "一批", Manifest: m})
	ok(t, err)
	s, err := w.UseSubject(bg, b)
	ok(t, err)
	if s.Digest != m.Digest() {
		t.Errorf("the leader signs %s, the manifest is %s", s.Digest, m.Digest())
	}
	usurped, _, err := w.Signer.RequestBatch(bg, clerk, signer.BatchRequest{Seal: o.seal, Title: "一批", Manifest: m})
	ok(t, err)
	foreign, err := w.UseSubject(bg, usurped)
	ok(t, err)
	foreign.Unit = other.unit
	w.sign(foreign, other.leader, true)
	_, _, err = w.Signer.MarkApproved(bg, clerk, usurped.ID)
	wantErr(t, err, signer.ErrNotApproved)

	w.approved(o, b)
	before := w.Ledger.Head().Size
	out, err := w.Signer.SealBatch(bg, clerk, b.ID, signer.Placement{}, f)
	ok(t, err)
	if out.Sealed != 3 || len(out.Refused)+len(out.Open) > 0 || len(f.kept) != 3 {
		t.Errorf("%+v", out)
	}
	if n := w.Ledger.Head().Size - before; n != 3*3+1 { // activation, time-stamp and seal of each
		t.Errorf("%d records for three documents and the end of the batch", n)
	}
	for name, doc := range f.kept {
		rep, err := w.Verify(bg, doc)
		ok(t, err)
		u, err := w.rooms.Seals.SealedAs(bg, signer.Digest(doc))
		ok(t, err)
		if rep.Verdict != verify.Valid || u.Title != name || u.Batch != b.ID {
			t.Errorf("%s: %s, %+v", name, rep.Verdict, u)
		}
	}
	out, err = w.Signer.SealBatch(bg, clerk, b.ID, signer.Placement{}, f)
	if err != nil || out.Before != 3 || out.Sealed != 0 {
		t.Errorf("again: %+v, %v", out, err)
	}
}

// shelf is a folder of documents.
type shelf struct{ docs, kept map[string][]byte }

func (f *shelf) Open(_ context.Context, path string) ([]byte, error) { return f.docs[path], nil }

func (f *shelf) Keep(_ context.Context, path string, s signer.Sealed) error {
	f.kept[path] = s.Document
	return nil
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
