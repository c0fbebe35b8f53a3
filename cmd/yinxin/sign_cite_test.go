package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

const citeList = `- resource: res-1
  title: 低保名单
  provider: 11110102000000001A
  provider_name: 样例区民政局
  consumer: 11110102000000002B
  consent: consent-1
  note: 表 1
- resource: res-2
  title: 参保信息
  provider: 11110102000000003C
  provider_name: 样例区人社局
  consumer: 11110102000000002B
  consent: consent-2
`

// BJ17-19b: a document that was sealed with citations shows source, provider and
// consent to whoever verifies it, offline, and says that nobody was asked.
func TestBJ17_19b_SignWithCitations(t *testing.T) {
	dir := desk(t)
	for name, b := range map[string][]byte{"cite.yaml": []byte(citeList), "letter.pdf": pdftest.Letter(pdftest.Options{})} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := []string{"sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--cite", "cite.yaml"}
	for _, doc := range []string{"notice.ofd", "letter.pdf"} {
		out := "cited-" + doc
		if code, text, errs := call(t, dir, append(base, "--out", out, doc)...); code != exitOK || !strings.Contains(text, "写入引用 2 条") {
			t.Fatalf("%s: exit %d\n%s%s", doc, code, text, errs)
		}
		code, text, errs := call(t, dir, "verify", "--trust", "trust", out)
		for _, want := range []string{
			"信息来源：低保名单（res-1）；提供单位：样例区民政局（11110102000000001A）；同意编号：consent-1", "引用内容：表 1", "source: 参保信息 (res-2); provider: 样例区人社局", "[未检查",
			"nobody could be asked",
		} {
			if code != exitOK || !strings.Contains(text, want) {
				t.Errorf("%s: exit %d, no %q in\n%s%s", doc, code, want, text, errs)
			}
		}
		code, text, _ = call(t, dir, "verify", "--json", "--trust", "trust", out)
		var rep verify.Report
		if err := json.Unmarshal([]byte(text), &rep); err != nil || code != exitOK || len(rep.Citations) != 2 || rep.Citations[1].Consent != "consent-2" || !strings.Contains(text, `"provider_name":`) {
			t.Errorf("%s: exit %d, %v, %+v", doc, code, err, rep.Citations)
		}
		known(t, rep)
		// A document that cites already takes no other list; its seal takes a second one.
		if err := os.WriteFile(filepath.Join(dir, "other.yaml"), []byte(strings.ReplaceAll(citeList, "consent-", "other-")), 0o600); err != nil {
			t.Fatal(err)
		}
		other := append(append([]string{}, base[:len(base)-1]...), "other.yaml", "--out", "no", out)
		if code, _, errs := call(t, dir, other...); code != exitUsage || !strings.Contains(errs, "already") {
			t.Errorf("%s, another list: exit %d %s", doc, code, errs)
		}
		if code, _, errs := call(t, dir, append(base, "--out", "twice-"+doc, out)...); code != exitOK {
			t.Errorf("%s, the same list again: exit %d %s", doc, code, errs)
		}
	}
	// What is sealed takes no citation.
	if code, _, errs := call(t, dir, "sign", "--seal", "unit.esl", "--key", "unit.pem", "--passphrase-file", "pass.txt", "--out", "plain.ofd", "notice.ofd"); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := call(t, dir, append(base, "--out", "no", "plain.ofd")...); code != exitUsage || !strings.Contains(errs, "covers the description") || !strings.Contains(errs, "takes no more") {
		t.Errorf("sealed already: exit %d %s", code, errs)
	}
	for name, list := range map[string]string{
		"empty": "", "no list": "resource: x\n", "no entry": "[]\n", "unknown field": citeList + "  colour: red\n", "no consent": strings.Replace(citeList, "consent-1", `""`, 1),
		"no code": strings.Replace(citeList, "11110102000000001A", "民政局", 1), "control character": strings.Replace(citeList, "表 1", `"a\u202eb"`, 1),
		"twice": citeList + citeList, "no YAML": "{",
	} {
		if err := os.WriteFile(filepath.Join(dir, "cite.yaml"), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := call(t, dir, append(base, "--out", "no", "notice.ofd")...)
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 2 || strings.Contains(errs, "\u202e") {
			t.Errorf("%s: exit %d %s%s", name, code, out, errs)
		}
		if _, err := os.Stat(filepath.Join(dir, "no")); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}
