package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/report"
)

func verifyCommand(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), append([]string{"verify"}, args...), nil, &o, &e)
	return code, o.String(), e.String()
}

// --report prints one object of the level asked for; the exit code stays the
// verdict's.
func TestVerifyReport_Levels(t *testing.T) {
	file := filepath.Join(ofdtest.Corpus(t), "sealed", "ride_right_v4.ofd")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sm3.Sum(raw)
	for _, level := range []string{"simple", "detailed", "diagnostic"} {
		for _, form := range [][]string{{}, {"--json"}} {
			code, out, errs := verifyCommand(t, append(form, "--report", level, file)...)
			var r report.Report
			dec := json.NewDecoder(strings.NewReader(out))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&r); err != nil || dec.More() || code != exitIndeterminate || errs != "" {
				t.Fatalf("%s: exit %d, %v\n%s%s", level, code, err, out, errs)
			}
			if string(r.Level) != level || r.Document.SM3 != hex.EncodeToString(sum[:]) || r.Program.Version != version ||
				(r.Detail != nil) == (level == "simple") || (r.Replay != nil) != (level == "diagnostic") {
				t.Errorf("%s: %+v", level, r)
			}
		}
	}
	// Without --report the object is the contract of design §9, with no check more.
	if _, out, _ := verifyCommand(t, "--json", file); strings.Contains(out, "sig.selftest") || strings.Contains(out, "schema") {
		t.Errorf("the judgement changed:\n%s", out)
	}
}

// --page writes whole or not at all, never over a file unasked, and with the exit
// code of the verdict.
func TestVerifyReport_Page(t *testing.T) {
	dir := ofdtest.Corpus(t)
	page := filepath.Join(t.TempDir(), "r.html")
	for file, want := range map[string]struct {
		code int
		text string
	}{
		"sealed/ride_right_v4.ofd":        {exitIndeterminate, "? 无法判定"},
		"negative/ofdrw_content_flip.ofd": {exitInvalid, "✗ 无效"},
		"plain/helloworld.ofd":            {exitUnsigned, "没有签章"},
	} {
		code, out, errs := verifyCommand(t, "--page", page, "--force", filepath.Join(dir, file))
		html, err := os.ReadFile(page)
		if code != want.code || err != nil || !strings.Contains(string(html), want.text) || out == "" || errs != "" {
			t.Errorf("%s: exit %d, %v, %s%s", file, code, err, out, errs)
		}
		for _, never := range []string{"<script", "http-equiv=\"refresh", "src=\"http", "href="} {
			if strings.Contains(string(html), never) {
				t.Errorf("%s: the page holds %q", file, never)
			}
		}
	}
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := verifyCommand(t, "--page", page, filepath.Join(dir, "sealed/ride_right_v4.ofd")); code != exitUsage || out != "" || !strings.Contains(errs, "--force") {
		t.Errorf("over a file: exit %d %s%s", code, out, errs)
	}
	if after, err := os.ReadFile(page); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the old page changed: %v", err)
	}
	if code, out, _ := verifyCommand(t, "--page", page, "--force", "--lang", "en", "--report", "simple", filepath.Join(dir, "sealed/ride_right_v4.ofd")); code != exitIndeterminate || !strings.Contains(out, `"level": "simple"`) {
		t.Errorf("page and report: exit %d %s", code, out)
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "Conditions of art. 13") || !strings.Contains(string(html), "src=\"data:image/svg") {
		t.Errorf("English page: %v", err)
	}
}

// Mistakes are told in one line with a hint, and nothing is written.
func TestVerifyReport_Refusals(t *testing.T) {
	file := filepath.Join(ofdtest.Corpus(t), "plain", "helloworld.ofd")
	for name, args := range map[string][]string{
		"level":      {"--report", "full", file},
		"language":   {"--lang", "fr", "--page", filepath.Join(t.TempDir(), "a.html"), file},
		"no folder":  {"--page", filepath.Join(t.TempDir(), "none", "a.html"), file},
		"a folder":   {"--page", t.TempDir(), "--force", file},
		"not a file": {"--report", "simple", t.TempDir()},
		"no anchor":  {"--trust", t.TempDir(), "--report", "simple", file},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := verifyCommand(t, args...)
			if code != exitUsage || out != "" || !strings.Contains(errs, "提示 / hint") || strings.Count(errs, "\n") != 2 {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
		})
	}
}

// The owner of the anchors says who is accredited; a mistake there is refused
// with its own hint.
func TestVerifyReport_Accreditation(t *testing.T) {
	dir, testdata := t.TempDir(), filepath.Join("..", "..", "signer", "report", "testdata")
	root, err := os.ReadFile(filepath.Join(testdata, "sealed.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("root.pem", string(root))
	_, out, _ := verifyCommand(t, "--trust", dir, "--report", "detailed", filepath.Join(testdata, "sealed.ofd"))
	var r report.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	a := r.Signatures[0].Detail
	if a.Accreditation.Status != report.AccreditationUnknown || a.Anchor == nil {
		t.Fatalf("%+v", a)
	}
	write("accreditation.yaml", "- {certificate: "+a.Anchor.SM3+", service: 样例, licence: L-1, url: 'https://ca.example.cn/', valid_from: 2025-01-01, valid_until: 2029-12-31}\n")
	_, out, _ = verifyCommand(t, "--trust", dir, "--report", "detailed", filepath.Join(testdata, "sealed.ofd"))
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Signatures[0].Detail.Accreditation.Status != report.Accredited || r.Signatures[0].Effect != report.EffectOpen {
		t.Errorf("%v %+v", err, r.Signatures[0].Detail)
	}
	write("accreditation.yaml", "- {certificate: none}\n")
	if code, out, errs := verifyCommand(t, "--trust", dir, filepath.Join(testdata, "sealed.ofd")); code != exitUsage || out != "" || !strings.Contains(errs, "accreditation.yaml") {
		t.Errorf("exit %d %s%s", code, out, errs)
	}
}
