package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Every code that a report can hold has words in both languages (design §2 law 6).
func TestVerifyWordsAreComplete(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for prefix, codes := range map[string][]string{
		"verify.check.": verify.Checks(), "verify.reason.": verify.Reasons(), "verify.warning.": verify.Warnings(),
		"verify.verdict.":   {string(verify.Valid), string(verify.Invalid), string(verify.Indeterminate)},
		"verify.integrity.": {string(verify.Intact), string(verify.Partial), string(verify.Altered), string(verify.Unsigned)},
		"verify.result.":    {string(verify.Pass), string(verify.Fail), string(verify.CannotTell), string(verify.Skipped)},
		"verify.kind.":      {"seal", "sign", "pdf", "cms"},
	} {
		known := map[string]bool{}
		for _, c := range codes {
			known[prefix+c] = true
			if !words.Has(prefix + c) {
				t.Errorf("no words for %s%s", prefix, c)
			}
		}
		for _, k := range words.Keys(prefix) {
			if !known[k] {
				t.Errorf("words for %s, which no report holds", k)
			}
		}
	}
}

// Exit codes of design §9 on real files, in both forms of output; every code in
// the report is one that the catalogue test knows.
func TestVerifyExitCodes(t *testing.T) {
	dir := ofdtest.Corpus(t)
	for file, want := range map[string]int{
		"plain/helloworld.ofd": exitUnsigned, "negative/ofdrw_stripped.ofd": exitUnsigned,
		"sealed/ride_right_v4.ofd": exitIndeterminate, "sealed/koal_test.ofd": exitIndeterminate,
		"made/v1_whole.ofd": exitInvalid, "sealed/digitalsign_raw_rs.ofd": exitIndeterminate,
		"sealed/gen14_v4.ofd": exitInvalid, "negative/koal_dup_first.ofd": exitInvalid,
		"negative/ofdrw_content_flip.ofd": exitInvalid, "esl/user_v1.esl": exitUsage,
	} {
		t.Run(file, func(t *testing.T) {
			for _, form := range [][]string{{"verify"}, {"verify", "--json"}} {
				var out, errw bytes.Buffer
				args := append(form, filepath.Join(dir, file))
				if got := run(context.Background(), args, nil, &out, &errw); got != want {
					t.Fatalf("%v: exit %d, want %d\n%s%s", form, got, want, &out, &errw)
				}
				switch {
				case want == exitUsage:
					if out.Len() > 0 || !strings.Contains(errw.String(), "提示 / hint") {
						t.Fatalf("no hint, or output: %s%s", &out, &errw)
					}
				case errw.Len() > 0:
					t.Fatalf("stderr: %s", &errw)
				case len(form) == 2:
					var rep verify.Report
					dec := json.NewDecoder(&out)
					dec.DisallowUnknownFields()
					if err := dec.Decode(&rep); err != nil || dec.More() {
						t.Fatalf("not one object: %v", err)
					}
					known(t, rep)
				case strings.Contains(out.String(), "verify."):
					t.Fatalf("a key without words:\n%s", &out)
				}
			}
		})
	}
}

// known checks that the report uses only listed codes.
func known(t *testing.T, rep verify.Report) {
	t.Helper()
	checks, reasons, warnings := set(verify.Checks()), set(verify.Reasons()), set(verify.Warnings())
	all := rep.Checks
	for _, s := range rep.Signatures {
		all = append(all, s.Checks...)
	}
	for _, c := range all {
		if !checks[c.ID] || c.Reason != "" && !reasons[c.Reason] || c.Clause == "" || (c.Result == verify.Pass) != (c.Reason == "") {
			t.Errorf("check %+v", c)
		}
	}
	for _, w := range rep.Warnings {
		if !warnings[w.Code] {
			t.Errorf("warning %+v", w)
		}
	}
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// A document chooses its names; it may not write to the terminal with them.
func TestPrintableDisarmsControlSequences(t *testing.T) {
	var out bytes.Buffer
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	u := &ui{out: &out, words: words}
	u.line("", "verify.line.verdict", data("mark", "?"), data("file", "a\x1b[2J\u202e{verdict}\n"), word("verdict", "verify.verdict.invalid"))
	if s := strings.TrimSuffix(out.String(), "\n"); strings.ContainsAny(s, "\x1b\u202e\n") || !strings.Contains(s, "{verdict}") {
		t.Fatalf("%q", out.String())
	}
}

// A document whose anchors are given is valid: exit 0 and a tick, with PEM and DER
// anchors alike.
func TestVerifyWithTrust(t *testing.T) {
	doc := filepath.Join(ofdtest.Corpus(t), "sealed", "ride_right_v4.ofd")
	raw, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ofd.Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	value, err := p.Read(p.Signatures()[0].ValuePath)
	if err != nil {
		t.Fatal(err)
	}
	ses, err := seal.ParseSignature(value)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	anchor := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ses.CertDER})
	for name, b := range map[string][]byte{"signer.pem": anchor, "maker.CER": ses.Seal.MakerCertDER, "notes.txt": []byte("x")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errw bytes.Buffer
	if code := run(context.Background(), []string{"verify", "--trust", dir, doc}, nil, &out, &errw); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, &out, &errw)
	}
	if !strings.HasPrefix(out.String(), "✓ ") || !strings.Contains(out.String(), "technical verification only") {
		t.Fatal(out.String())
	}
}

// verify --second-opinion asks about every SM2 signature of every file of the
// corpus: the two implementations agree, and no verdict changes.
func TestSecondOpinionOnTheCorpus(t *testing.T) {
	dir := ofdtest.Corpus(t)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ofd"))
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	asked := 0
	for _, f := range files {
		reports := [2]verify.Report{}
		for i, args := range [][]string{{"verify", "--json", f}, {"verify", "--json", "--second-opinion", f}} {
			var out, errw bytes.Buffer
			run(context.Background(), args, nil, &out, &errw)
			if err := json.Unmarshal(out.Bytes(), &reports[i]); err != nil {
				t.Fatalf("%s: %v %s", f, err, &errw)
			}
		}
		if reports[0].Verdict != reports[1].Verdict || reports[0].Integrity != reports[1].Integrity {
			t.Errorf("%s: %s %s", f, reports[0].Verdict, reports[1].Verdict)
		}
		known(t, reports[1])
		for _, s := range reports[1].Signatures {
			last := s.Checks[len(s.Checks)-1]
			if last.ID != verify.CheckSecond || last.Result != verify.Pass && last.Result != verify.Skipped {
				t.Errorf("%s: %+v", f, last)
			}
			if last.Result == verify.Pass {
				asked++
			}
		}
	}
	if asked < 15 {
		t.Fatalf("only %d signatures had a second opinion", asked)
	}
}
