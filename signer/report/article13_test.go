package report_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func condition(tb testing.TB, r report.Report, id string) report.Condition {
	tb.Helper()
	for _, c := range r.Signatures[0].Detail.Article13 {
		if c.ID == id {
			return c
		}
	}
	tb.Fatalf("no condition %s", id)
	return report.Condition{}
}

// 电子签名法 art. 13: each condition by what is known, and what it says is missing.
func TestArticle13(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice())
	forLife := w.trust(licence(start.AddDate(-1, 0, 0), start.AddDate(4, 0, 0)))
	but := func(change func(*report.Evidence)) report.Source {
		ev := full()
		change(ev)
		return known{ev: ev}
	}
	bare, err := signer.Prepare(w.notice(), signer.Job{SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed}, w.signer.key.Public())
	w.must(err)
	unstamped, err := bare.Sign(t.Context(), w.signer.key)
	w.must(err)
	altered := edit(t, doc, "Doc_0/Pages/Page_0/Content.xml", func(b []byte) []byte { return append(b, '\n') })
	broken := edit(t, doc, "Doc_0/Signs/Sign_0/Signature.xml", func(b []byte) []byte { return append(b, '\n') })
	const pass, fail, open = verify.Pass, verify.Fail, verify.CannotTell
	for name, tc := range map[string]struct {
		doc     []byte
		ask     ask
		id      string
		want    verify.Result
		missing string
	}{
		"(1) hardware, one key":    {doc, ask{source: known{ev: full()}}, report.ConditionExclusive, pass, ""},
		"(1) nobody knows":         {doc, ask{}, report.ConditionExclusive, open, report.MissingEvidence},
		"(1) another document":     {doc, ask{source: known{document: "ab", ev: full()}}, report.ConditionExclusive, open, report.MissingEvidence},
		"(1) software":             {doc, ask{source: but(func(e *report.Evidence) { e.Custody = report.CustodySoftware })}, report.ConditionExclusive, open, report.MissingHardware},
		"(1) software, shared":     {doc, ask{source: but(func(e *report.Evidence) { e.Custody, e.Key = report.CustodyVault, report.KeyShared })}, report.ConditionExclusive, open, report.MissingKeyShared},
		"(1) custody unknown":      {doc, ask{source: but(func(e *report.Evidence) { e.Custody = "" })}, report.ConditionExclusive, open, report.MissingCustody},
		"(1) custody made up":      {doc, ask{source: but(func(e *report.Evidence) { e.Custody = "strongbox" })}, report.ConditionExclusive, open, report.MissingHardware},
		"(1) shared":               {doc, ask{source: but(func(e *report.Evidence) { e.Key = report.KeyShared })}, report.ConditionExclusive, fail, report.MissingKeyShared},
		"(1) key unknown":          {doc, ask{source: but(func(e *report.Evidence) { e.Key = "" })}, report.ConditionExclusive, open, report.MissingKey},
		"(1) value does not hold":  {broken, ask{trust: verify.NewTrust(), source: known{ev: full()}}, report.ConditionExclusive, open, report.MissingCheckOpen},
		"(2) all records":          {doc, ask{source: known{ev: full()}}, report.ConditionControl, pass, ""},
		"(2) software":             {doc, ask{source: but(func(e *report.Evidence) { e.Custody = report.CustodySoftware })}, report.ConditionControl, open, report.MissingHardware},
		"(2) no approval":          {doc, ask{source: but(func(e *report.Evidence) { e.Approval = "" })}, report.ConditionControl, open, report.MissingApproval},
		"(2) no operator":          {doc, ask{source: but(func(e *report.Evidence) { e.Operator = "" })}, report.ConditionControl, open, report.MissingOperator},
		"(2) no activation":        {doc, ask{source: but(func(e *report.Evidence) { e.Entry = "" })}, report.ConditionControl, open, report.MissingActivation},
		"(3) holds, self-test":     {doc, ask{}, report.ConditionSignature, pass, ""},
		"(3) no self-test":         {doc, ask{noSelfTest: true}, report.ConditionSignature, open, report.MissingCheck},
		"(4) holds":                {doc, ask{}, report.ConditionContent, pass, ""},
		"(4) content changed":      {altered, ask{}, report.ConditionContent, fail, report.MissingCheckFailed},
		"(4) Signature.xml":        {broken, ask{}, report.ConditionContent, fail, report.MissingIntegrity},
		"agreed: none":             {doc, ask{source: known{ev: full()}}, report.ConditionAgreed, open, report.MissingAgreement},
		"agreed":                   {doc, ask{source: but(func(e *report.Evidence) { e.Agreement = "g-1" })}, report.ConditionAgreed, pass, ""},
		"art. 16: licensed":        {doc, ask{trust: forLife}, report.ConditionAccreditation, pass, ""},
		"art. 16: claimed time":    {unstamped, ask{trust: forLife}, report.ConditionAccreditation, open, report.MissingTrustedTime},
		"art. 16: internal":        {doc, ask{trust: w.trust(verify.Accreditation{Internal: true})}, report.ConditionAccreditation, fail, report.MissingInternal},
		"art. 16: lapsed":          {doc, ask{trust: w.trust(licence(start, signed))}, report.ConditionAccreditation, fail, report.MissingLicence},
		"art. 16: not said":        {doc, ask{}, report.ConditionAccreditation, open, report.MissingAccreditation},
		"art. 16: no anchor":       {doc, ask{trust: verify.NewTrust()}, report.ConditionAccreditation, open, report.MissingAnchor},
		"valid then":               {doc, ask{revocation: good{}, source: known{ev: full()}}, report.ConditionValidity, pass, ""},
		"valid: no revocation":     {doc, ask{source: known{ev: full()}}, report.ConditionValidity, open, report.MissingRevocation},
		"valid: no time-stamp":     {unstamped, ask{revocation: good{}, source: known{ev: full()}}, report.ConditionValidity, open, report.MissingTrustedTime},
		"valid: seal state":        {doc, ask{revocation: good{}}, report.ConditionValidity, open, report.MissingSealState},
		"valid: seal suspended":    {doc, ask{revocation: good{}, source: but(func(e *report.Evidence) { e.SealState = "suspended" })}, report.ConditionValidity, fail, report.MissingSealActive},
		"valid: revocation is mum": {doc, ask{revocation: mum{}, source: known{ev: full()}}, report.ConditionValidity, open, report.MissingRevocation},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.ask.trust == nil {
				tc.ask.trust = w.trust()
			}
			r, _ := made(t, tc.doc, tc.ask)
			c := condition(t, r, tc.id)
			if c.Result != tc.want || (tc.missing == "") != (len(c.Missing) == 0) || tc.missing != "" && !slices.Contains(c.Missing, tc.missing) {
				t.Errorf("%+v", c)
			}
			if len(r.Signatures[0].Detail.Article13) != len(report.Conditions()) {
				t.Error("a line is missing")
			}
		})
	}
}

// mum never knows.
type mum struct{}

func (mum) RevokedAt(context.Context, []byte) (time.Time, bool, error) {
	return time.Time{}, false, nil
}

// The sentence of art. 14 stands on one path only: over random combinations of
// everything that a report rests on it appears exactly when all of it holds
// (电子签名法 art. 13, 14; 商用密码管理条例 art. 30).
func TestEffectHasOnePath(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice())
	two := w.put(doc)
	altered := edit(t, doc, "Doc_0/Pages/Page_0/Content.xml", func(b []byte) []byte { return append(b, '\n') })
	extra := edit(t, two, "Doc_0/Signs/Signatures.xml", func(b []byte) []byte { return b[:len(b)/2] })
	bare, err := signer.Prepare(w.notice(), signer.Job{SealDER: w.seal, CertDER: w.signer.cert.Raw, Time: signed}, w.signer.key.Public())
	w.must(err)
	unstamped, err := bare.Sign(t.Context(), w.signer.key)
	w.must(err)
	stranger := newWorld(t)
	mixed := w.put(stranger.put(w.notice())) // our seal holds, the one before it is nobody's
	r := rand.New(rand.NewPCG(13, 14))
	one := func(n int) bool { return r.IntN(n) == 0 } // rarely wrong, so that all right happens too
	equal := 0
	for range 150 {
		right := true
		wrong := func(yes bool) bool { right = right && !yes; return yes }
		data, a := doc, ask{revocation: good{}}
		if wrong(one(6)) {
			data = [][]byte{altered, extra, unstamped, mixed}[r.IntN(4)]
		} else if one(4) {
			data = two
		}
		life := licence(start.AddDate(-1, 0, 0), start.AddDate(4, 0, 0))
		a.trust = w.trust(life)
		if wrong(one(6)) {
			a.trust = []*verify.Trust{
				w.trust(), w.trust(licence(start, signed)), w.trust(verify.Accreditation{Internal: true}), nil, verify.NewTrust(w.signer.cert.Raw, w.maker.cert.Raw, w.clock.cert.Raw),
			}[r.IntN(5)]
		}
		if wrong(one(8)) {
			a.revocation = []verify.Revocation{nil, mum{}}[r.IntN(2)]
		}
		a.noSelfTest = wrong(one(10))
		ev := full()
		if wrong(one(3)) {
			[]func(){
				func() { ev.Custody = report.CustodySoftware }, func() { ev.Custody = report.CustodyVault }, func() { ev.Custody = report.CustodyUnknown },
				func() { ev.Key = report.KeyShared }, func() { ev.Key = "" }, func() { ev.Operator = "" }, func() { ev.Approval = "" }, func() { ev.Use = "" },
				func() { ev.Entry = "" }, func() { ev.Approved = "" }, func() { ev.SealState = "cancelled" }, func() { ev.SealState = "" }, func() { ev = nil },
			}[r.IntN(13)]()
		}
		if ev != nil && one(2) {
			ev.Agreement = "g-1" // is no substitute
		}
		a.source = known{ev: ev}
		got, judged := made(t, data, a)
		for _, s := range got.Signatures {
			if (s.Effect == report.EffectEqual) != right {
				t.Fatalf("effect %s, everything right: %t\n%+v\n%+v", s.Effect, right, s.Detail.Article13, judged.Verdict)
			}
			if (s.Effect == report.EffectTechnical) != (s.Detail.Accreditation.Status != report.Accredited) {
				t.Fatalf("effect %s of an issuer that is %s", s.Effect, s.Detail.Accreditation.Status)
			}
			if right {
				equal++
			}
		}
	}
	if equal < 10 {
		t.Fatalf("the sentence appeared %d times: nothing was tried", equal)
	}
}

// A PAdES signature has no seal: its lines need none, and the self-test is that
// of its own value.
func TestArticle13_PDF(t *testing.T) {
	w := newWorld(t)
	out, err := signer.SignPDF(t.Context(), pdftest.Letter(pdftest.Options{}), signer.PDFSignature{CertDER: w.signer.cert.Raw, Time: signed, Stamper: w}, w.signer.key)
	w.must(err)
	a := ask{trust: w.trust(licence(start, start.AddDate(5, 0, 0))), revocation: good{}, source: known{ev: full()}, level: report.Diagnostic}
	r, _ := made(t, out, a)
	if s := r.Signatures[0]; s.Effect != report.EffectEqual {
		t.Errorf("%+v", s.Detail.Article13)
	}
	m := r.Replay.Signatures[0]
	if len(m.Digests) != 1 || m.Digests[0].Expected != m.Digests[0].Found || len(m.Digests[0].Found) != 64 || m.TimeStamp == nil || m.TimeStamp.Time == "" || len(m.Certificates) != 3 {
		t.Errorf("%+v", m)
	}
	tail := append(slices.Clone(out), "% more\n"...)
	if r, _ = made(t, tail, a); condition(t, r, report.ConditionContent).Result != verify.Fail || r.Signatures[0].Effect != report.EffectOpen {
		t.Errorf("bytes behind the signature: %+v", r.Signatures[0])
	}
	sealed := w.put(pdftest.Letter(pdftest.Options{}))
	if r, _ = made(t, sealed, a); r.Signatures[0].Effect != report.EffectEqual || r.Replay.Signatures[0].Seal == nil {
		t.Errorf("a sealed PDF: %+v", r.Signatures[0].Detail.Article13)
	}
}

// A report without the evidence that there is would be a wrong one.
func TestMake_Errors(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice())
	rep, err := verify.Document(t.Context(), doc, verify.Options{Trust: w.trust()})
	w.must(err)
	down := errors.New("register is down")
	in := report.Input{Judged: rep, Document: strings.NewReader(string(doc)), Size: int64(len(doc)), Source: known{err: down}}
	if _, err := report.Make(t.Context(), in); !errors.Is(err, down) {
		t.Errorf("register is down: %v", err)
	}
	in.Source, in.Size = nil, in.Size+1
	if _, err := report.Make(t.Context(), in); err == nil {
		t.Error("a document that is shorter than it says")
	}
}
