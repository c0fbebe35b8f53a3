package report_test

import (
	"context"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// refused is a register of consents that knows one consent, and that it was
// withdrawn.
type refused struct{ consent string }

func (r refused) Consented(_ context.Context, q verify.Quote) (string, bool, error) {
	return verify.ConsentWithdrawn, q.Consent == r.consent, nil
}

// 京政发〔2017〕37号 art. 19 (BJ17-19b): a report of every level names source,
// provider and consent of what the document quotes, with what is known of the
// consent; the page shows them in both languages.
func TestBJ17_19b_CitationsInReports(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice(), quoted()...)
	for _, level := range []report.Level{report.Simple, report.Detailed, report.Diagnostic} {
		r, _ := made(t, doc, ask{trust: w.trust(), consents: refused{"consent-2"}, level: level})
		if len(r.Citations) != 2 || r.Citations[0].Citation != quoted()[0] || r.Citations[0].Result != verify.Skipped ||
			r.Citations[1].Result != verify.Fail || r.Citations[1].Reason != verify.ConsentWithdrawn {
			t.Fatalf("%s: %+v", level, r.Citations)
		}
		if level == report.Simple {
			continue
		}
		found := false
		for _, b := range r.Detail.Blocks {
			found = found || b.ID == report.BlockContent && b.Result == verify.Fail && len(b.Checks) == 1 && b.Checks[0].ID == verify.CheckCitations
			if b.ID == report.BlockOther {
				t.Errorf("%s: checks without a place: %+v", level, b.Checks)
			}
		}
		if !found {
			t.Errorf("%s: %+v", level, r.Detail.Blocks)
		}
		for lang, want := range map[text.Lang]string{text.Zh: "盖章前提供方已撤回同意", text.En: "the provider withdrew the consent before the seal"} {
			page, err := printer(t).Page(r, lang, nil)
			w.must(err)
			for _, s := range []string{want, "低保名单", "res-1", "样例区民政局", "11110102000000001A", "consent-1", "表 1"} {
				if !strings.Contains(string(page), s) {
					t.Errorf("%s: no %q on the page", lang, s)
				}
			}
		}
	}
	if r, _ := made(t, w.put(w.notice()), ask{trust: w.trust()}); r.Citations != nil {
		t.Errorf("a document that quotes nothing: %+v", r.Citations)
	}
}
