package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// entries adds the signed list of all files that GM/T 0099-2020, annex D has;
// names may change what is listed, m what signs it.
func (w *world) entries(data []byte, names func([]string) []string, m message) []byte {
	w.tb.Helper()
	files := unzip(w.tb, data)
	var listed []string
	for _, f := range files {
		listed = append(listed, "/"+f.name)
	}
	if names != nil {
		listed = names(listed)
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ofd:DocEntries xmlns:ofd="http://www.ofdspec.org/2016" ID="1" CreatorName="x" Version="1" CreationDate="2026-03-11"><ofd:SignedValueLoc>/signedvalue.dat</ofd:SignedValueLoc><ofd:FileList>`)
	for i, f := range listed {
		fmt.Fprintf(&b, `<ofd:File ID="%d" FileLoc="%s"/>`, i+2, f)
	}
	b.WriteString(`</ofd:FileList></ofd:DocEntries>`)
	m.w, m.plain = w, true
	return rezip(w.tb, append(files, zfile{"OFDEntries.xml", []byte(b.String())}, zfile{"signedvalue.dat", m.value([]byte(b.String()))}))
}

// GM/T 0099-2020, 7.4 and annex D: the list of all files of a package.
func TestEntriesGMT0099AnnexD(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	whole := w.entries(base, nil, message{})
	other := w.issue(&w.root, nil)
	late := w.put(base, false)
	for name, c := range map[string]struct {
		data    []byte
		verdict Verdict
		state   Integrity
		reason  string
		detail  string
	}{
		"none":                   {base, Valid, Intact, ReasonNoEntries, ""},
		"complete":               {whole, Valid, Intact, "", ""},
		"smuggled file":          {rezip(t, append(unzip(t, whole), zfile{"Doc_0/Res/evil.bin", []byte("x")})), Invalid, Altered, ReasonSmuggled, "/Doc_0/Res/evil.bin"},
		"listed and missing":     {w.entries(base, func(l []string) []string { return append(l, "/Doc_0/gone.xml") }, message{}), Invalid, Altered, ReasonEntryMissing, "/Doc_0/gone.xml"},
		"list edited":            {edit(t, whole, "OFDEntries.xml", replace(`CreatorName="x"`, `CreatorName="y"`)), Invalid, Altered, ReasonSigXMLHash, "/OFDEntries.xml"},
		"list is no XML":         {edit(t, whole, "OFDEntries.xml", func([]byte) []byte { return []byte("<a>") }), Invalid, Altered, ofd.ProblemXML, "/OFDEntries.xml"},
		"value gone":             {drop(t, whole, "signedvalue.dat"), Invalid, Altered, ReasonEntriesValue, ""},
		"value is none":          {edit(t, whole, "signedvalue.dat", func([]byte) []byte { return []byte("0\x03\x06\x01\x00") }), Invalid, Altered, ReasonMalformed, ""},
		"bare value":             {edit(t, whole, "signedvalue.dat", func([]byte) []byte { return []byte("0\x06\x02\x01\x01\x02\x01\x01") }), Indeterminate, Intact, ReasonRaw, ""},
		"signed by another key":  {w.entries(base, nil, message{cert: other.cert.Raw}), Invalid, Altered, ReasonSignature, ""},
		"sealed after":           {rezip(t, append(unzip(t, late), unzip(t, whole)[len(unzip(t, base)):]...)), Indeterminate, Intact, ReasonEntriesLater, "Sign_1"},
		"list gone, value stays": {drop(t, whole, "OFDEntries.xml"), Indeterminate, Partial, ReasonNoEntries, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.judge(c.data)
			if rep.Verdict != c.verdict || rep.Integrity != c.state {
				t.Errorf("got %s %s, want %s %s", rep.Verdict, rep.Integrity, c.verdict, c.state)
			}
			for _, k := range rep.Checks {
				if k.ID == CheckEntries && (k.Reason != c.reason || !strings.Contains(k.Detail, c.detail)) {
					t.Errorf("%+v, want %s %q", k, c.reason, c.detail)
				}
			}
			if t.Failed() {
				t.Log(dump(rep))
			}
		})
	}
	// The product does not break such a list.
	p, err := ofd.Open(whole)
	w.must(err)
	if _, err := ofd.Prepare(p, ofd.SealRequest{Type: ofd.TypeSign, SignTime: signed}); err == nil {
		t.Error("a package with a signed list of its files was signed again")
	}
}
