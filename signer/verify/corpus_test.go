package verify

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(ofdtest.Corpus(tb), name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// index reads CORPUS.tsv: file → expected column.
func index(tb testing.TB) map[string]string {
	tb.Helper()
	f, err := os.Open(filepath.Join(ofdtest.Corpus(tb), "CORPUS.tsv"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		cols := strings.Split(sc.Text(), "\t")
		if len(cols) == 7 && strings.Contains(cols[0], ".") {
			out[cols[0]] = cols[6]
		}
	}
	if sc.Err() != nil || len(out) < 44 {
		tb.Fatalf("corpus index has %d files (%v)", len(out), sc.Err())
	}
	return out
}

// pins are the signer and maker certificates found in the document: an anchor may
// be the certificate itself.
func pins(tb testing.TB, data []byte) *Trust {
	tb.Helper()
	p, err := ofd.Open(data)
	if err != nil {
		tb.Fatal(err)
	}
	var ders [][]byte
	for _, s := range p.Signatures() {
		b, err := p.Read(s.ValuePath)
		if err != nil {
			continue
		}
		if ses, err := seal.ParseSignature(b); err == nil {
			ders = append(ders, ses.CertDER, ses.Seal.MakerCertDER)
		} else if msg, err := cms.Parse(b); err == nil {
			ders = append(ders, msg.CertDER)
		}
	}
	return NewTrust(ders...)
}

func judge(tb testing.TB, data []byte, trust *Trust) Report {
	tb.Helper()
	rep, err := Document(context.Background(), data, Options{File: "x.ofd", Trust: trust})
	if err != nil {
		tb.Fatal(err)
	}
	return rep
}

// result is the result of one check, "" when it did not run.
func result(s Signature, id string) Result {
	for _, c := range s.Checks {
		if c.ID == id {
			return c.Result
		}
	}
	return ""
}

func find(s Signature, id string) Check {
	for _, c := range s.Checks {
		if c.ID == id {
			return c
		}
	}
	return Check{}
}

func warned(r Report, code string) bool {
	for _, w := range r.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

// want is the exact verdict without and with the document's certificates pinned.
type want struct {
	verdict, pinned Verdict
	integrity       Integrity
	fails           string // check that must fail, or be indeterminate, with that evidence
	detail          string
}

var sealed = map[string]want{
	"sealed/gen13_ride_v4.ofd":                 {Invalid, Invalid, Intact, CheckCertPeriod, "2026-08-15"},
	"sealed/gen14_v4.ofd":                      {Invalid, Invalid, Intact, CheckSealPeriod, "2022-04-22"},
	"sealed/ride_right_v4.ofd":                 {Indeterminate, Valid, Intact, "", ""},
	"sealed/sesv4_signdoc.ofd":                 {Invalid, Invalid, Intact, CheckCertPeriod, "2026-08-04"},
	"sealed/two_seals_second_breaks_first.ofd": {Invalid, Invalid, Altered, CheckReferences, "/Doc_0/Signs/Signatures.xml"},
	"sealed/koal_test.ofd":                     {Indeterminate, Indeterminate, Partial, CheckCoverage, "/OFD.xml"},
	"sealed/koal_test1_edited.ofd":             {Invalid, Invalid, Altered, CheckReferences, "/Doc_0/Pages/Page_0/Content.xml"},
	"made/v4_continue.ofd":                     {Invalid, Invalid, Intact, CheckCertPeriod, ""},
	"made/v4_whole.ofd":                        {Invalid, Invalid, Intact, CheckCertPeriod, ""},
	"negative/ofdrw_content_flip.ofd":          {Invalid, Invalid, Altered, CheckReferences, "/Doc_0/Pages/Page_0/Content.xml"},
	"negative/ofdrw_dup_entry.ofd":             {Invalid, Invalid, Altered, CheckContainer, "zip.duplicate"},
	"negative/ofdrw_extra_file.ofd":            {Indeterminate, Valid, Intact, "", ""},
	"negative/ofdrw_ref_removed.ofd":           {Invalid, Invalid, Altered, CheckDataHash, "/Doc_0/Signs/Sign_0/Signature.xml"},
	"negative/ofdrw_sealpic_flip.ofd":          {Invalid, Invalid, Altered, CheckValue, ""},
	"negative/ofdrw_sigxml_space.ofd":          {Invalid, Invalid, Altered, CheckDataHash, "/Doc_0/Signs/Sign_0/Signature.xml"},
	"negative/ofdrw_sv_flip.ofd":               {Invalid, Invalid, Altered, CheckValue, ""},
	"negative/koal_docroot_swap.ofd":           {Indeterminate, Indeterminate, Partial, CheckCoverage, "/Doc_1/Document.xml"},
	"negative/koal_dup_first.ofd":              {Invalid, Invalid, Altered, CheckContainer, "zip.duplicate"},
	"made/v1_continue.ofd":                     {Invalid, Invalid, Intact, CheckCertPeriod, "2022-04-2"},
	"made/v1_whole.ofd":                        {Invalid, Invalid, Intact, CheckSealPeriod, "2022-04-22"},
	"made/v5_continue.ofd":                     {Invalid, Invalid, Intact, CheckCertPeriod, "2022-04-21"},
	"made/v5_whole.ofd":                        {Invalid, Invalid, Intact, CheckMaker, "2022-04-21"},
	"made/sign35275_continue.ofd":              {Invalid, Invalid, Intact, CheckCertPeriod, "2022-04-21"},
	"made/sign35275_whole.ofd":                 {Invalid, Invalid, Intact, CheckCertPeriod, "2022-04-21"},
	// A bare r‖s: the digests hold, nobody is known to have signed.
	"sealed/digitalsign_raw_rs.ofd": {Indeterminate, Indeterminate, Intact, CheckCertForm, "SignedValue.dat"},
}

// Every document of the corpus has exactly the verdict of its index, with and
// without anchors.
func TestCorpus(t *testing.T) {
	for name, expected := range index(t) {
		if filepath.Ext(name) != ".ofd" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			data := sample(t, name)
			bare, pinned := judge(t, data, nil), judge(t, data, pins(t, data))
			w, listed := sealed[name]
			if strings.Contains(expected, "NOT_SIGNED") {
				w, listed = want{Indeterminate, Indeterminate, Unsigned, "", ""}, true
			}
			if !listed {
				t.Fatalf("no expectation for: %s", expected)
			}
			if bare.Verdict != w.verdict || pinned.Verdict != w.pinned || bare.Integrity != w.integrity || pinned.Integrity != w.integrity {
				t.Errorf("got %s/%s %s/%s, want %s/%s %s\n%s", bare.Verdict, pinned.Verdict, bare.Integrity, pinned.Integrity,
					w.verdict, w.pinned, w.integrity, dump(pinned))
			}
			if w.fails != "" {
				c := find(pinned.Signatures[0], w.fails)
				if c.Result == Pass || c.Result == "" || !strings.Contains(c.Detail, w.detail) {
					t.Errorf("check %s: %+v, want evidence %q", w.fails, c, w.detail)
				}
			}
			agree(t, expected, pinned)
		})
	}
}

// agree maps the words of the expected column that name single checks.
func agree(t *testing.T, expected string, rep Report) {
	t.Helper()
	if len(rep.Signatures) != 1 {
		return // two seals have words for each
	}
	s := rep.Signatures[0]
	for words, c := range map[string]struct {
		id   string
		want Result
	}{
		"signer_sig=OK": {CheckValue, Pass}, "signer_sig=FAIL": {CheckValue, Fail},
		"maker_sig=OK": {CheckSealSig, Pass}, "maker_sig=FAIL": {CheckSealSig, Fail},
		"in_cert_list=yes": {CheckCertList, Pass}, "time=OK": {CheckCertPeriod, Pass},
		"time=FAIL": {CheckCertPeriod, Fail}, "dataHash=FAIL": {CheckDataHash, Fail},
		"integrity=FAIL": {CheckReferences, Fail}, "integrity=OK": {CheckReferences, Pass},
		"all refs OK": {CheckReferences, Pass}, "coverage=FULL": {CheckCoverage, Pass},
		"coverage=INCOMPLETE": {CheckCoverage, Fail}, "zip=DUPLICATE_ENTRY": {CheckContainer, Fail},
		"Seal.esl != embedded seal": {CheckSealFile, Fail},
	} {
		if strings.Contains(expected, words) && result(s, c.id) != c.want {
			t.Errorf("index says %q, check %s is %q", words, c.id, result(s, c.id))
		}
	}
	if strings.Contains(expected, "UNREFERENCED_FILE") && !warned(rep, WarnUnreferenced) {
		t.Error("extra file is silent")
	}
}

// Every seal of the corpus has what its index says: the mathematics, the period
// now, the maker's certificate when the seal was made, and its time-stamp.
func TestCorpusSeals(t *testing.T) {
	n := 0
	for name, expected := range index(t) {
		if filepath.Ext(name) != ".esl" {
			continue
		}
		n++
		data := sample(t, name)
		e, err := seal.ParseSeal(data)
		if err != nil {
			t.Fatal(name, err)
		}
		now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		rep, err := Seal(context.Background(), data, Options{File: name, Trust: NewTrust(e.MakerCertDER), Now: func() time.Time { return now }})
		if err != nil || rep.Format != "seal" || rep.Integrity != Intact {
			t.Fatal(name, err, dump(rep))
		}
		of := Signature{Checks: rep.Checks}
		for words, c := range map[string]struct {
			id   string
			want Result
		}{
			"maker_sig=OK": {CheckSealSig, Pass}, "EXPIRED now": {CheckSealPeriod, Fail}, "period OK": {CheckSealPeriod, Pass},
			"INVALID(MAKER_CERT)": {CheckMaker, Fail}, "timestamp=UNPARSEABLE": {CheckSealToken, CannotTell},
		} {
			if strings.Contains(expected, words) && result(of, c.id) != c.want {
				t.Errorf("%s: index says %q, check %s is %q", name, words, c.id, result(of, c.id))
			}
		}
		if rep.Verdict != Invalid { // each of them has a period that is over
			t.Error(name, dump(rep))
		}
		forged := bytes.Clone(data)
		forged[len(forged)/2] ^= 1
		if rep, err := Seal(context.Background(), forged, Options{}); err == nil && rep.Integrity != Altered {
			t.Error(name, dump(rep))
		}
	}
	if n != 4 {
		t.Errorf("%d seals in the corpus", n)
	}
}

// A seal of our own, now and after its time.
func TestSealByItself(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		der  []byte
		now  time.Time
		bare bool
		want Verdict
	}{
		"valid": {w.seal, later, false, Valid}, "no anchor": {w.seal, later, true, Indeterminate},
		"over": {w.seal, start.AddDate(2, 0, 0), false, Invalid}, "not yet": {w.seal, start.AddDate(0, 0, -1), false, Invalid},
	} {
		opt := w.options(opinionTrue)
		opt.Now = func() time.Time { return c.now }
		if c.bare {
			opt.Trust = nil
		}
		rep, err := Seal(context.Background(), c.der, opt)
		if err != nil || rep.Verdict != c.want || rep.Integrity != Intact {
			t.Errorf("%s: %v %s", name, err, dump(rep))
		}
	}
	if _, err := Seal(context.Background(), []byte("x"), Options{}); !errors.Is(err, seal.ErrFormat) {
		t.Error(err)
	}
}

func TestStrippedSealLeavesAWarning(t *testing.T) {
	rep := judge(t, sample(t, "negative/ofdrw_stripped.ofd"), nil)
	if rep.Integrity != Unsigned || !warned(rep, WarnOrphan) {
		t.Fatal(dump(rep))
	}
}

// Each signature has its own verdict: the second seal of the two holds.
func TestSecondSealBreaksOnlyTheFirst(t *testing.T) {
	data := sample(t, "sealed/two_seals_second_breaks_first.ofd")
	rep := judge(t, data, pins(t, data))
	if len(rep.Signatures) != 2 || rep.Signatures[0].Verdict != Invalid || rep.Signatures[1].Verdict != Valid {
		t.Fatal(dump(rep))
	}
}

// Seal objects and other files are no documents.
func TestNotADocument(t *testing.T) {
	hello := sample(t, "plain/helloworld.ofd")
	for name, data := range map[string][]byte{
		"esl": sample(t, "esl/user_v4.esl"), "empty": {}, "text": []byte("hello"),
		"truncated": hello[:len(hello)-40], "half": hello[:len(hello)/2],
	} {
		if _, err := Document(context.Background(), data, Options{}); !errors.Is(err, ErrNotDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func dump(r Report) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %v\n", r.Verdict, r.Integrity, r.Warnings)
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %+v\n", c)
	}
	for _, s := range r.Signatures {
		fmt.Fprintf(&b, " %s %s %s %s %s %v\n", s.ID, s.Verdict, s.Signer, s.Seal, s.SignedAt, s.Coverage)
		for _, c := range s.Checks {
			fmt.Fprintf(&b, "  %+v\n", c)
		}
	}
	return b.String()
}
