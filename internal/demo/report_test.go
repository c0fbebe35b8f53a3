package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/app"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// TestReportOfOwnDocuments: of what this house sealed it says who, by which
// approval and with which key; a key in software leaves (1) and (2) of art. 13
// open all the same; of any other byte it knows nothing (电子签名法 art. 13;
// 商用密码管理条例 art. 30).
func TestReportOfOwnDocuments(t *testing.T) {
	d := demo(t)
	plain, err := os.ReadFile(filepath.Join(d.dir, d.Manifest.Samples.Plain))
	ok(t, err)
	var out told
	w := *d.walk
	w.tell = teller{out: &out, words: w.cfg.Words}
	a := w.agencies[provider]
	once, err := w.useSeal(bg, a, plain, "once")
	ok(t, err)
	twice, err := w.useSeal(bg, a, once, "twice")
	ok(t, err)
	ask := func(doc []byte, known bool) report.Report {
		r, judged, err := w.house.Report(bg, app.ReportRequest{File: "x.ofd", Document: doc, Level: report.Diagnostic, Known: known})
		ok(t, err)
		if judged.Verdict != r.Document.Verdict {
			t.Errorf("%s, reported %s", judged.Verdict, r.Document.Verdict)
		}
		return r
	}
	seen := map[string]bool{}
	for name, doc := range map[string][]byte{"once": once, "twice": twice} {
		r := ask(doc, true)
		if r.Document.Verdict != verify.Valid || len(r.Signatures) != map[string]int{"once": 1, "twice": 2}[name] {
			t.Fatalf("%s: %+v", name, r.Document)
		}
		for _, s := range r.Signatures {
			ev := s.Detail.Evidence
			if ev == nil || ev.Operator != a.clerk.ID || ev.Custody != report.CustodySoftware || ev.Key != report.KeyExclusive ||
				ev.Approval == "" || ev.Entry == "" || ev.Seq == 0 || ev.SealState != report.SealActive {
				t.Fatalf("%s, seal %s: %+v", name, s.ID, ev)
			}
			seen[ev.Use] = true
			for _, c := range s.Detail.Article13 {
				switch c.ID {
				case report.ConditionExclusive, report.ConditionControl:
					if c.Result != verify.CannotTell || !slices.Equal(c.Missing, []string{report.MissingHardware}) {
						t.Errorf("%s: %+v", name, c)
					}
				case report.ConditionSignature, report.ConditionContent:
					if c.Result != verify.Pass {
						t.Errorf("%s: %+v", name, c)
					}
				case report.ConditionAccreditation:
					if c.Result != verify.Fail || s.Detail.Accreditation.Status != report.AccreditationSelf {
						t.Errorf("%s: %+v", name, c)
					}
				}
			}
			if s.Effect != report.EffectTechnical {
				t.Errorf("%s: effect %s", name, s.Effect)
			}
		}
	}
	theirs, err := verify.ReadTrust(filepath.Join(d.dir, "out", "anchors"))
	ok(t, err)
	for _, der := range w.house.Trust().Anchors() {
		if l := theirs.Licences(der); len(l) != 1 || !l[0].Internal {
			t.Errorf("copied anchors say %+v", l)
		}
	}
	if len(seen) != 2 {
		t.Errorf("evidence of %d uses for two", len(seen))
	}
	if s := ask(once, false).Signatures[0]; s.Detail.Evidence != nil || s.Detail.Custody != report.CustodyUnknown {
		t.Errorf("told to a stranger: %+v", s.Detail.Evidence)
	}
	other := append(bytes.Clone(once), 0) // one byte behind the container is another document
	if s := ask(other, true).Signatures[0]; s.Detail.Evidence != nil {
		t.Errorf("evidence for other bytes: %+v", s.Detail.Evidence)
	}
}
