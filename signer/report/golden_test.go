package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// update writes the golden files anew; renew makes a new sealed document too.
var (
	update = flag.Bool("update", false, "write the golden files")
	renew  = flag.Bool("renew", false, "make the sealed documents of the golden files anew")
)

// golden is a document sealed once with keys that are gone, and its root.
func golden(t *testing.T, name string, quotes ...cite.Citation) (doc []byte, trust *verify.Trust) {
	t.Helper()
	file, root := filepath.Join("testdata", name+".ofd"), filepath.Join("testdata", name+".pem")
	if *renew {
		w := newWorld(t)
		w.must(os.MkdirAll("testdata", 0o755))
		w.must(os.WriteFile(file, w.put(w.notice(), quotes...), 0o644))
		w.must(os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.cert.Raw}), 0o644))
	}
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	trust = verify.NewTrust(block.Bytes)
	if err := trust.Accredit(block.Bytes, licence(start.AddDate(-1, 0, 0), start.AddDate(4, 0, 0))); err != nil {
		t.Fatal(err)
	}
	return doc, trust
}

// The same document, anchors and moment give the same report, byte for byte, in
// every level and language.
func TestGolden(t *testing.T) {
	doc, trust := golden(t, "sealed")
	citing, other := golden(t, "cited", quoted()...)
	altered := edit(t, doc, "Doc_0/Pages/Page_0/Content.xml", func(b []byte) []byte { return append(b, '\n') })
	soft := full()
	soft.Custody = report.CustodySoftware
	for name, data := range map[string][]byte{"sealed": doc, "altered": altered, "cited": citing} {
		trust := trust
		if name == "cited" {
			trust = other
		}
		for _, level := range []report.Level{report.Simple, report.Detailed, report.Diagnostic} {
			r, _ := made(t, data, ask{trust: trust, revocation: good{}, source: known{ev: soft}, level: level})
			var out bytes.Buffer
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(r); err != nil {
				t.Fatal(err)
			}
			compare(t, name+"-"+string(level)+".json", out.Bytes())
		}
		r, rep := made(t, data, ask{trust: trust, revocation: good{}, source: known{ev: soft}})
		for _, lang := range []text.Lang{text.Zh, text.En} {
			page, err := printer(t).Page(r, lang, report.Pictures(t.Context(), data, rep, words(t), lang, nil))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name+"-"+string(lang)+".html", page)
		}
	}
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update || *renew {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Errorf("%s differs at byte %d:\n got …%.300s\nwant …%.300s\n(go test -run Golden -update writes it anew)", name, at, got[max(0, at-60):], want[max(0, at-60):])
	}
}

// A diagnostic report holds all that a second person needs: judging again with
// nothing but the document and what the report says gives the same report.
func TestDiagnosticReplays(t *testing.T) {
	doc, trust := golden(t, "sealed")
	r, _ := made(t, doc, ask{trust: trust, level: report.Diagnostic})
	again := verify.NewTrust()
	for _, a := range r.Replay.Anchors {
		again = verify.NewTrust(a.DER)
		for _, l := range a.Licences {
			from, err := time.Parse(time.RFC3339, l.ValidFrom)
			if err != nil {
				t.Fatal(err)
			}
			until, err := time.Parse(time.RFC3339, l.ValidUntil)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Accredit(a.DER, verify.Accreditation{Service: l.Service, Licence: l.Licence, URL: l.URL, From: from, Until: until}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.Replay.Options.JudgedAt != judged.Format(time.RFC3339) || !r.Replay.Options.SelfTest || r.Replay.Options.Revocation {
		t.Errorf("%+v", r.Replay.Options)
	}
	second, _ := made(t, doc, ask{trust: again, level: report.Diagnostic})
	one, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(second)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("another report: %v", err)
	}
	m := r.Replay.Signatures[0]
	if len(m.Digests) < 5 || m.Seal == nil || m.Seal.Name == "" || m.TimeStamp == nil || len(m.Chains) < 3 {
		t.Errorf("%+v", m)
	}
	for _, d := range m.Digests {
		if d.Expected == "" || d.Expected != d.Found {
			t.Errorf("%+v", d)
		}
	}
}
