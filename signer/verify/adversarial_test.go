package verify

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
)

// budget is what the refusal of a hostile document may hold at any time.
const budget = 100 << 20

// hostile judges a document and reports what that took. Times are printed, not
// asserted: the limit of the issue is one second.
func hostile(t *testing.T, data []byte) (Report, error) {
	t.Helper()
	var before, after runtime.MemStats
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // what is garbage counts for little
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, peak := make(chan bool), make(chan uint64)
	go func() {
		var m runtime.MemStats
		var most uint64
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	from := time.Now()
	rep, err := Document(context.Background(), data, Options{})
	took := time.Since(from)
	stop <- true
	held := max(<-peak, before.HeapAlloc) - before.HeapAlloc
	runtime.ReadMemStats(&after)
	const mb = 1 << 20
	t.Logf("%d bytes: %v, %.1f MB held, %.1f MB allocated in all", len(data), took.Round(time.Millisecond), float64(held)/mb,
		float64(after.TotalAlloc-before.TotalAlloc)/mb)
	if held > budget {
		t.Errorf("%d bytes held", held)
	}
	return rep, err
}

// The bombs of these tests do inflate to what they should.
func TestBombsAreReal(t *testing.T) {
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	if err := errors.Join(zeros(zw, "b", 64<<20, 64<<20), zw.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, flate.NewReader(raw)); n != 64<<20 || err != nil || out.Len() > 1<<20 {
		t.Fatalf("%d bytes of %d: %v", n, out.Len(), err)
	}
}

// Documents that are refused as a whole: the limits of the container.
func TestHostileContainersAreRefused(t *testing.T) {
	w := newWorld(t)
	sealed := w.put(w.notice(), false)
	add := func(write func(*zip.Writer) error) []byte { return addRaw(t, sealed, write) }
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"zip bomb, 1 GB of zeros": {add(func(zw *zip.Writer) error { return zeros(zw, "Doc_0/bomb.bin", 1<<30, 1<<30) }), ErrLimit},
		"zip bomb of many entries": {add(func(zw *zip.Writer) error {
			for i := range 300 {
				if err := zeros(zw, fmt.Sprintf("b%d.bin", i), 4<<20, 4<<20); err != nil {
					return err
				}
			}
			return nil
		}), ErrLimit},
		"4 GB declared":              {declare(t, sealed, 0xffffffff, false), ErrLimit},
		"4 GB declared, stored":      {declare(t, sealed, 0xffffffff, true), ErrNotDocument},
		"4 GB declared by zip64":     {declare64(t, sealed), ErrLimit},
		"1 M entries":                {million(false), ErrLimit},
		"1 M entries, 5 declared":    {million(true), ErrNotDocument},
		"directory of 4 GB declared": {directorySize(sealed, 0xfffffff0), ErrNotDocument},
	} {
		t.Run(name, func(t *testing.T) {
			if rep, err := hostile(t, c.data); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v\n%s", err, c.want, dump(rep))
			}
		})
	}
}

// Documents that open and whose content is hostile: a verdict that is never
// valid, with the check that says why.
func TestHostileContentIsNeverValid(t *testing.T) {
	w := newWorld(t)
	sealed := w.put(w.notice(), false)
	const page, list, sig = "Doc_0/Pages/Page_0/Content.xml", "Doc_0/Signs/Signatures.xml", "Doc_0/Signs/Sign_0/Signature.xml"
	swap := func(name, body string) []byte {
		return edit(t, sealed, name, func([]byte) []byte { return []byte(body) })
	}
	nest := func(n int, inner string) string {
		return strings.Repeat("<a>", n) + inner + strings.Repeat("</a>", n)
	}
	laughs := `<!DOCTYPE l [<!ENTITY l0 "ha">`
	for i := range 30 {
		laughs += fmt.Sprintf(`<!ENTITY l%d "&l%d;&l%d;&l%d;&l%d;&l%d;&l%d;&l%d;&l%d;">`, i+1, i, i, i, i, i, i, i, i)
	}
	laughs += `]><Document>&l30;</Document>`
	salt := func(n int) string { // text that a ratio limit lets pass
		var b strings.Builder
		for x := uint32(1); b.Len() < n; {
			x = x*1664525 + 1013904223
			fmt.Fprintf(&b, "%08x%s", x, strings.Repeat(" ", 400))
		}
		return b.String()
	}
	// A resource that names itself and the document that names the list.
	cyclic := edit(t, edit(t, sealed, "Doc_0/PublicRes.xml", func([]byte) []byte {
		return []byte(`<Res><MultiMedias><MultiMedia><MediaFile>/Doc_0/PublicRes.xml</MediaFile></MultiMedia><MultiMedia><MediaFile>/OFD.xml</MediaFile></MultiMedia></MultiMedias></Res>`)
	}), "Doc_0/Document.xml", func([]byte) []byte {
		return []byte(`<Document><CommonData><PublicRes>Document.xml</PublicRes><PublicRes>PublicRes.xml</PublicRes>` +
			strings.Repeat(`<TemplatePage ID="1" BaseLoc="Document.xml"/>`, 1000) + `</CommonData><Pages>` +
			strings.Repeat(`<Page ID="2" BaseLoc="Document.xml"/>`, 1000) + `</Pages><Annotations>Document.xml</Annotations><Attachments>/OFD.xml</Attachments></Document>`)
	})
	records := func(n int, loc, more string) string {
		var b strings.Builder
		b.WriteString(`<Signatures>`)
		for i := range n {
			fmt.Fprintf(&b, `<Signature ID="s%d" %s Type="Seal" BaseLoc="%s"/>`, i, more, loc)
		}
		return b.String() + `</Signatures>`
	}
	references := `<Signature><SignedInfo><References CheckMethod="SM3">` + strings.Repeat(`<Reference FileRef="/x"><CheckValue/></Reference>`, 40_000) +
		`</References></SignedInfo><SignedValue>/Doc_0/Signs/Sign_0/SignedValue.dat</SignedValue></Signature>`
	for name, c := range map[string]struct {
		data   []byte
		check  string // of the document or the signature, that must not pass
		reason string
	}{
		"100-level XML document":          {swap("Doc_0/Document.xml", nest(100, "")), CheckTree, ofd.ProblemXML},
		"100-level XML page":              {swap(page, `<Page><Content>`+nest(100, "")+`</Content></Page>`), CheckTree, ofd.ProblemXML},
		"100-level signature":             {swap(sig, nest(100, "")), CheckTree, ofd.ProblemXML},
		"1 M levels":                      {addRaw(t, drop(t, sealed, page), stored(page, nest(1_000_000, ""))), CheckTree, ofd.ProblemXML},
		"billion laughs":                  {swap("Doc_0/Document.xml", laughs), CheckTree, ofd.ProblemXML},
		"external entity":                 {swap(page, `<!DOCTYPE a SYSTEM "file:///etc/passwd"><Page/>`), CheckTree, ofd.ProblemXML},
		"one tag of 3 M attributes":       {addRaw(t, drop(t, sealed, page), stored(page, `<Page `+strings.Repeat(`a=">" `, 3_000_000)+`/>`)), CheckTree, ofd.ProblemLimit},
		"text in 1 M pieces":              {addRaw(t, drop(t, sealed, "Doc_0/Document.xml"), stored("Doc_0/Document.xml", `<Document>`+strings.Repeat("a<!---->", 1_000_000)+`</Document>`)), CheckReferences, ReasonFileChanged},
		"XML of 24 MB":                    {addRaw(t, drop(t, sealed, "Doc_0/Document.xml"), stored("Doc_0/Document.xml", `<Document>`+salt(24<<20)+`</Document>`)), CheckTree, ofd.ProblemLimit},
		"1 M elements":                    {addRaw(t, drop(t, sealed, "Doc_0/Document.xml"), stored("Doc_0/Document.xml", `<Document>`+strings.Repeat("<a/>", 1_000_000)+`</Document>`)), CheckTree, ofd.ProblemLimit},
		"cyclic references":               {cyclic, CheckReferences, ReasonFileChanged},
		"list that names itself":          {swap(list, records(1, "/"+list, "")), CheckSES, ReasonSigXML},
		"templates in a circle":           {swap("Doc_0/Document.xml", `<Document><CommonData><TemplatePage ID="1" BaseLoc="Pages/Page_0/Content.xml"/></CommonData><Pages><Page ID="2" BaseLoc="Pages/Page_0/Content.xml"/></Pages></Document>`), CheckReferences, ReasonFileChanged},
		"300,000 stamps":                  {addRaw(t, drop(t, sealed, sig), stored(sig, `<Signature><SignedInfo>`+strings.Repeat(`<StampAnnot/>`, 300_000)+`</SignedInfo></Signature>`)), CheckTree, ofd.ProblemLimit},
		"40,000 stamps on another":        {stampsOn(t, w, sealed), CheckDataHash, ReasonSigXMLHash},
		"6 lists of 20,000 stamps":        {manyStamps(t, w, sealed), CheckTree, ofd.ProblemLimit},
		"100,000 records":                 {swap(list, records(100_000, "/"+sig, "")), CheckTree, ofd.ProblemLimit},
		"10,000 descriptions of the list": {swap("OFD.xml", `<OFD><DocBody><DocRoot>Doc_0/Document.xml</DocRoot>`+strings.Repeat(`<Signatures>/`+list+`</Signatures><Signatures>x</Signatures>`, 10_000)+`</DocBody></OFD>`), CheckTree, ofd.ProblemAmbiguous},
		"bases in a circle":               {swap(list, records(2, "/"+sig, `Relative="s1"`)), CheckSES, ""},
		"5000 records":                    {swap(list, records(5000, "/"+sig, "")), CheckTree, ofd.ProblemLimit},
		"40,000 references":               {addRaw(t, drop(t, sealed, sig), stored(sig, references)), CheckDataHash, ReasonSigXMLHash},
		"SES with 4 GB lengths":           {swap("Doc_0/Signs/Sign_0/SignedValue.dat", "\x30\x84\xff\xff\xff\xff\x30\x84\xff\xff\xff\xf0"), CheckSES, ReasonMalformed},
		"SES nested 100,000 levels":       {swap("Doc_0/Signs/Sign_0/SignedValue.dat", strings.Repeat("\x30\x80", 100_000)), CheckSES, ReasonMalformed},
		"CMS with 4 GB lengths":           {swap("Doc_0/Signs/Sign_0/SignedValue.dat", "\x30\x84\xff\xff\xff\xff\x06\x0a"), CheckCMS, ReasonMalformed},
		"entry that lies about its 1 GB":  {lie(t, sealed), CheckTree, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := hostile(t, c.data)
			if err != nil {
				t.Fatal(err)
			}
			all := append([]Check{}, rep.Checks...)
			for _, s := range rep.Signatures {
				all = append(all, s.Checks...)
			}
			found := c.reason == ""
			for _, k := range all {
				found = found || k.ID == c.check && k.Result != Pass && k.Reason == c.reason
			}
			if rep.Verdict == Valid || rep.Integrity == Intact && c.reason != "" || !found {
				t.Errorf("%s %s: no %s at %s\n%.4000s", rep.Verdict, rep.Integrity, c.reason, c.check, dump(rep))
			}
			if len(rep.Warnings) > maxWarnings {
				t.Errorf("%d warnings", len(rep.Warnings))
			}
		})
	}
}

// A PDF that leads in circles or declares what it has not is refused, or judged
// for what is there.
func TestHostilePDF(t *testing.T) {
	w := newWorld(t)
	letter := pdftest.Letter(pdftest.Options{})
	sealed := w.sealPDF(letter, nil, nil)
	stream := pdftest.Letter(pdftest.Options{Style: pdftest.Stream})
	replaceAll := func(doc []byte, old, new string) []byte {
		if !bytes.Contains(doc, []byte(old)) {
			t.Fatalf("no %q", old)
		}
		return bytes.ReplaceAll(doc, []byte(old), []byte(new))
	}
	update := func(object string) []byte { return revise(t, sealed, object) }
	var prev int
	if _, err := fmt.Sscanf(string(sealed[bytes.LastIndex(sealed, []byte("startxref")):]), "startxref\n%d", &prev); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{
		"pages in a circle":                       update("2 0 obj\n<</Type /Pages /Count 1 /Kids [2 0 R 2 0 R]>>\nendobj\n"),
		"fields in a circle":                      update("1 0 obj\n<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [1 0 R] /Kids [1 0 R]>>>>\nendobj\n"),
		"revisions in a circle":                   fmt.Appendf(bytes.Clone(sealed), "xref\n0 0\ntrailer\n<</Size 100 /Root 1 0 R /Prev %d>>\nstartxref\n%d\n%%%%EOF\n", len(sealed), len(sealed)),
		"an object that is a reference to itself": update("2 0 obj\n2 0 R\nendobj\n"),
		"length in a circle":                      update("7 0 obj\n<</Length 7 0 R>>\nstream\nx\nendstream\nendobj\n"),
		"object streams in a circle":              replaceAll(stream, "/Type /ObjStm", "/Extends 5 0 R /Type /ObjStm"),
		"a table of 4 G entries":                  replaceAll(letter, "xref\n0 ", "xref\n0 4294967295 \n0 "),
		"a table of 9 M rows":                     append([]byte("%PDF-1.7\n"), append([]byte("xref\n0 9000000\n"), append(bytes.Repeat([]byte("0000000009 00000 n\r\n"), 1<<20), "trailer\n<</Size 9000000 /Root 1 0 R>>\nstartxref\n9\n%%EOF\n"...)...)...),
		"kids of 1 M":                             update("2 0 obj\n<</Type /Pages /Count 1000000 /Kids [" + strings.Repeat("3 0 R ", 1_000_000) + "]>>\nendobj\n"),
		"byte range of 4 G":                       replaceAll(sealed, "/ByteRange [0 ", "/ByteRange [0 9"),
		"arrays of 1 M levels":                    update("2 0 obj\n" + strings.Repeat("[", 1_000_000) + "\nendobj\n"),
		"1,000 revisions after a seal":            revisions(t, sealed, 1000),
		"a value of garbage":                      w.sealValue(letter, []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}),
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := hostile(t, doc)
			if err == nil && (rep.Verdict == Valid || rep.Integrity == Intact) {
				t.Error(dump(rep))
			}
		})
	}
}
