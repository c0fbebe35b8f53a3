package report_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Every code of a report has words in both languages (design §2 law 6).
func TestWordsAreComplete(t *testing.T) {
	w := words(t)
	custodies, statuses, effects := []string{}, []string{}, []string{}
	for _, c := range report.Custodies() {
		custodies = append(custodies, string(c))
	}
	for _, s := range report.AccreditationStatuses() {
		statuses = append(statuses, string(s))
	}
	for _, e := range report.Effects() {
		effects = append(effects, string(e))
	}
	facts := report.Facts()[1:] // a check stands with its own name
	for prefix, codes := range map[string][]string{
		"report.block.": report.Blocks(), "report.condition.": report.Conditions(), "report.missing.": report.MissingCodes(), "report.fact.": facts,
		"report.custody.": custodies, "report.accreditation.": statuses, "report.effect.": effects,
		"report.factor.": {report.FactorGeneration, report.FactorIntegrity, report.FactorSender, report.FactorOther},
		"report.limit.":  {report.LimitCustody, report.LimitCoercion, report.LimitShown, report.LimitContent, report.LimitModule, report.LimitFinding},
		"report.key.":    {string(report.KeyExclusive), string(report.KeyShared)},
	} {
		have := map[string]bool{}
		for _, c := range codes {
			have[prefix+c] = true
			if !w.Has(prefix + c) {
				t.Errorf("no words for %s%s", prefix, c)
			}
		}
		for _, k := range w.Keys(prefix) {
			if !have[k] {
				t.Errorf("words for %s, which no report holds", k)
			}
		}
	}
}

// Every check of the verifier stands in one block: none gets lost, and none but
// what is new here falls to "other".
func TestBlocksHoldEveryCheck(t *testing.T) {
	var all []verify.Check
	for _, id := range verify.Checks() {
		all = append(all, verify.Check{ID: id, Result: verify.Pass, Clause: "c"})
	}
	rep := verify.Report{Format: "ofd", Signatures: []verify.Signature{{ID: "s", Checks: all}}, Checks: all[:3]}
	r, err := report.Make(t.Context(), report.Input{Judged: rep, Document: strings.NewReader("x"), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, b := range r.Signatures[0].Detail.Blocks {
		for _, c := range b.Checks {
			seen[c.ID]++
		}
	}
	for _, id := range verify.Checks() {
		if seen[id] != 1 {
			t.Errorf("%s stands %d times", id, seen[id])
		}
	}
}

// Everything that a document says is hostile: markup, direction marks, control
// characters, names of 10 kB.
func TestPage_HostileText(t *testing.T) {
	w := newWorld(t)
	doc := w.put(w.notice())
	evil := "</td><script>alert(1)</script><img src=x onerror=alert(1)>\u202egpj.exe\u2066\x1b[2J{{.}}</style>"
	long := strings.Repeat("长", 10_000)
	rep, err := verify.Document(t.Context(), doc, verify.Options{Trust: w.trust(), SelfTest: true, Now: func() time.Time { return judged }})
	w.must(err)
	for _, bad := range []string{evil, long, strings.Repeat(evil, 100)} {
		rep.File = bad
		s := &rep.Signatures[0]
		s.ID, s.Signer, s.Seal, s.SealID, s.Standard, s.SignedAt, s.TrustedTime = bad, bad, bad, bad, bad, bad, bad
		for i := range s.Checks {
			s.Checks[i].Detail = bad
		}
		s.Coverage.Uncovered = append(make([]string, 0), bad)
		s.Coverage.Covered = strings.Split(strings.Repeat(bad+"|", 100), "|")
		rep.Citations = []verify.Citation{{
			Citation: cite.Citation{Consent: bad, Consumer: bad, Note: bad, Provider: bad, ProviderName: bad, Resource: bad, Title: bad}, Result: verify.Fail, Reason: verify.ConsentNone,
		}}
		rep.Warnings = append(rep.Warnings, verify.Warning{Code: verify.WarnUnreferenced, Path: bad, Signature: bad})
		ev := full()
		ev.Register, ev.Operator, ev.Use, ev.Approval, ev.Entry, ev.SealState, ev.Agreement = bad, bad, bad, bad, bad, bad, bad
		ev.Custody, ev.Key = report.Custody(bad), report.KeyUse(bad)
		r, err := report.Make(t.Context(), report.Input{
			Judged: rep, Document: bytes.NewReader(doc), Size: int64(len(doc)), Trust: w.trust(), Source: known{ev: ev}, Version: bad,
		})
		w.must(err)
		for _, lang := range []text.Lang{text.Zh, text.En, "fr"} {
			page, err := printer(t).Page(r, lang, []report.Picture{{Number: 1, Error: "preview.error.page"}, {Number: 2, URI: "javascript:alert(1)"}})
			w.must(err)
			for _, never := range []string{"<script", "<img src=x", "\u202e", "\u2066", "\x1b", strings.Repeat("长", 401)} {
				if bytes.Contains(page, []byte(never)) {
					t.Errorf("%s: the page holds %.40q", lang, never)
				}
			}
			if len(page) > 400<<10 || strings.Count(string(page), "</style>") != 1 {
				t.Errorf("%s: %d bytes", lang, len(page))
			}
		}
	}
	if _, err := printer(t).Page(report.Report{Level: report.Simple}, text.Zh, nil); err == nil {
		t.Error("a page of a simple report")
	}
}

// Every file of the corpus gives all three levels and the page in both
// languages, with no code left without words.
func TestCorpus(t *testing.T) {
	dir := ofdtest.Corpus(t)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ofd"))
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	pr := printer(t)
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		for _, level := range []report.Level{report.Simple, report.Detailed, report.Diagnostic} {
			r, _ := made(t, doc, ask{level: level, file: name})
			for _, s := range r.Signatures {
				if s.Effect != report.EffectTechnical {
					t.Errorf("%s: effect %s without an anchor", name, s.Effect)
				}
				if level != report.Simple && len(s.Detail.Article13) != len(report.Conditions()) {
					t.Errorf("%s: %d conditions", name, len(s.Detail.Article13))
				}
			}
			if level != report.Detailed {
				continue
			}
			for _, lang := range []text.Lang{text.Zh, text.En} {
				page, err := pr.Page(r, lang, nil)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, key := range []string{">report.", " report.", "verify.reason", "verify.check.", "verify.warning."} {
					if bytes.Contains(bytes.ReplaceAll(page, []byte("yinxin.report/1"), nil), []byte(key)) {
						t.Errorf("%s: a key without words near %q", name, key)
					}
				}
			}
		}
	}
}

// A browser prints the page, without script and under its own policy; a reader of
// the paper finds verdict, statement and the table of art. 13.
func TestPage_Printed(t *testing.T) {
	tools := map[string]string{}
	for _, name := range []string{"chromium", "pdftotext"} {
		path, err := exec.LookPath(name)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("no %s in PATH: deploy/testing/install-servers.sh installs it", name)
			}
			t.Skipf("SKIPPED: no %s in PATH; the page was not printed", name)
		}
		tools[name] = path
	}
	doc, trust := golden(t, "cited")
	r, rep := made(t, doc, ask{trust: trust, revocation: good{}})
	for lang, want := range map[text.Lang][]string{
		text.Zh: {"电子印章与签名核验报告", "✓ 有效", "专有", "仅由签名人", "? 无法判定", "仅为技术核验", "信息来源", "低保名单", "样例区民政局", "consent-2", "不是司法鉴定意见", "第八条", "1/"},
		text.En: {"Verification report", "✓ valid", "signing data belong", "? cannot tell", "technical verification only", "consent-1", "res-2", "not a court finding", "1/"},
	} {
		pr := printer(t)
		page, err := pr.Page(r, lang, report.Pictures(t.Context(), doc, rep, words(t), lang, nil))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		html, paper := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.pdf")
		if err := os.WriteFile(html, page, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, tools["chromium"], "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr", "--user-data-dir="+filepath.Join(dir, "profile"),
			"--no-pdf-header-footer", "--print-to-pdf="+paper, "file://"+html)
		cmd.WaitDelay = 5 * time.Second
		log, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		if bytes.Contains(log, []byte("Content Security Policy")) {
			t.Errorf("the page breaks its own policy:\n%s", log)
		}
		out, err := exec.CommandContext(ctx, tools["pdftotext"], "-layout", paper, "-").Output()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strings.Fields(string(out)), " ")
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("%s: no %q on paper:\n%s", lang, s, out)
			}
		}
		if shots := os.Getenv("YINXIN_SHOTS"); shots != "" {
			if err := os.WriteFile(filepath.Join(shots, "report-"+string(lang)+".html"), page, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
