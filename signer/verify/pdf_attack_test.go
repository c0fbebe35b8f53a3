package verify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
)

// shadowed is a letter that its author prepared for a later turn: it has an
// overlay, an unused second content and a second catalog (Mainka et al., "Shadow
// Attacks", NDSS 2021).
func shadowed() []byte {
	return pdftest.Objects(
		"<</Type /Catalog /Pages 2 0 R>>",
		"<</Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 595 842] /Resources <</Font <</F1 6 0 R>> /XObject <</O 7 0 R>>>>>>",
		"<</Type /Page /Parent 2 0 R /Contents [5 0 R 8 0 R]>>",
		"<</Title (Letter)>>",
		pdftest.StreamOf("", "BT /F1 24 Tf 72 700 Td (pay 100) Tj ET"),
		"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
		pdftest.StreamOf("/Type /XObject /Subtype /Form /BBox [0 0 595 842]", "1 1 1 rg 0 0 500 500 re f"),
		pdftest.StreamOf("", "/O Do"),
		pdftest.StreamOf("", "BT /F1 24 Tf 72 700 Td (pay 900) Tj ET"),
		"<</Type /Catalog /Pages 11 0 R>>",
		"<</Type /Pages /Count 1 /Kids [12 0 R] /MediaBox [0 0 595 842]>>",
		"<</Type /Page /Parent 11 0 R /Contents 9 0 R>>",
	)
}

// edited changes the text of a range or dictionary that the seal does not protect
// from itself, keeping the length.
func edited(t *testing.T, doc []byte, old, with string) []byte {
	t.Helper()
	if !bytes.Contains(doc, []byte(old)) || len(with) > len(old) {
		t.Fatalf("no %q in the file, or no room", old)
	}
	return bytes.Replace(doc, []byte(old), []byte(with+strings.Repeat(" ", len(old)-len(with))), 1)
}

// The published attacks on PDF signatures, by their names: none of them is ever
// valid, and none is intact but where the attack is a signature of the attacker's
// own beside an untouched one.
func TestPDFNamedAttacks(t *testing.T) {
	w := newWorld(t)
	letter := pdftest.Letter(pdftest.Options{})
	sealed, shadow := w.sealPDF(letter, nil, nil), w.sealPDF(shadowed(), nil, nil)
	for name, doc := range map[string][]byte{"letter": sealed, "prepared letter": shadow} {
		if rep := w.judge(doc); rep.Verdict != Valid {
			t.Fatalf("%s: %+v", name, rep)
		}
	}
	r := theSignature(t, sealed).Range
	byteRange := string(sealed[bytes.Index(sealed, []byte("/ByteRange")) : r[1]-len64("\n/Contents ")])
	contents := sealed[r[1]:r[2]]
	// The attacker's own signature, which no anchor vouches for.
	stranger := w.issue(nil, nil)
	sneaky := w.sealPDF(sealed, &forged{by: stranger, seal: w.seal, at: signed}, func(r *pdf.Request) { r.X, r.Y, r.W, r.H = 10, 10, 190, 270 })
	xrefInGap := bytes.Clone(sealed)
	copy(xrefInGap[r[2]-200:], []byte("xref"))

	for name, c := range map[string]struct {
		doc       []byte
		integrity Integrity // the best that is tolerated
	}{
		// Incremental saving attack (Mladenov et al., CCS 2019).
		"ISA: content replaced":          {pdftest.Revise(sealed, "7 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj"), Partial},
		"ISA: page replaced":             {pdftest.Revise(sealed, "6 0 obj\n<</Type /Page /Parent 2 0 R>>\nendobj"), Partial},
		"ISA: without a cross-reference": {append(bytes.Clone(sealed), "7 0 obj\n<</Length 0>>\nstream\n\nendstream\nendobj\n%%EOF\n"...), Partial},
		"ISA: without a trailer":         {append(bytes.Clone(sealed), fmt.Sprintf("7 0 obj\n<<>>\nendobj\nxref\n7 1\n%010d 00000 n\r\nstartxref\n%d\n%%%%EOF\n", len(sealed), len(sealed)+24)...), Altered},
		"ISA: only comments":             {append(bytes.Clone(sealed), "%%EOF\n%%EOF\n"...), Partial},
		"ISA: signature copied behind":   {append(bytes.Clone(sealed), sealed[bytes.LastIndex(sealed[:r[1]], []byte(" 0 obj"))-2:]...), Partial},
		// Universal signature forgery (the same paper).
		"USF: no ByteRange":             {edited(t, sealed, "/ByteRange", "/ByteRang_"), Altered},
		"USF: ByteRange null":           {edited(t, sealed, byteRange, "/ByteRange null"), Altered},
		"USF: ByteRange zeros":          {edited(t, sealed, byteRange, "/ByteRange [0 0 0 0]"), Altered},
		"USF: ByteRange negative":       {edited(t, sealed, byteRange, fmt.Sprintf("/ByteRange [0 %d -%d %d]", r[1], r[2], r[3])), Altered},
		"USF: ByteRange overlapping":    {edited(t, sealed, byteRange, fmt.Sprintf("/ByteRange [0 %d %d %d]", r[2]+4, r[2], r[3])), Altered},
		"USF: ByteRange not from 0":     {edited(t, sealed, byteRange, fmt.Sprintf("/ByteRange [9 %d %d %d]", r[1]-9, r[2], r[3])), Altered},
		"USF: ByteRange twice":          {edited(t, sealed, byteRange, fmt.Sprintf("/ByteRange[0 %d %d %d]/ByteRange[]", r[1], r[2], r[3])), Altered},
		"USF: ByteRange of six numbers": {edited(t, sealed, byteRange, fmt.Sprintf("/ByteRange [0 %d %d %d 0 0]", r[1], r[2], r[3])), Altered},
		"USF: ByteRange with a comment": {edited(t, sealed, byteRange, fmt.Sprintf("/ByteRange [0 %d %d %d%%\n]", r[1], r[2], r[3])), Altered},
		"USF: no Contents":              {edited(t, sealed, "/Contents <", "/Content_ <"), Altered},
		"USF: Contents null":            {edited(t, sealed, string(contents), "null"), Altered},
		"USF: Contents zeros":           {edited(t, sealed, string(contents), "<"+strings.Repeat("0", len(contents)-2)+">"), Altered},
		"USF: Contents empty":           {edited(t, sealed, string(contents), "<>"), Altered},
		"USF: Contents of odd digits":   {edited(t, sealed, string(contents), string(contents[:len(contents)-2])+">"), Altered},
		"USF: Contents as text":         {edited(t, sealed, string(contents), "("+strings.Repeat("0", len(contents)-2)+")"), Altered},
		"USF: more behind the value":    {edited(t, sealed, string(contents), string(contents[:len(contents)-9])+"41414141>"), Altered},
		// Signature wrapping (the same paper).
		"SWA: gap with room":          {w.sealWideGap(letter), Partial},
		"SWA: gap moved":              {gap(t, sealed, -40), Altered},
		"SWA: a table inside the gap": {xrefInGap, Altered},
		// Shadow attacks (NDSS 2021).
		"shadow hide: overlay freed":     {w.sealPDF(pdftest.Revise(shadow, "7 free"), nil, nil), Partial},
		"shadow hide: content list cut":  {w.sealPDF(pdftest.Revise(shadow, "3 0 obj\n<</Type /Page /Parent 2 0 R /Contents [5 0 R]>>\nendobj"), nil, nil), Partial},
		"shadow replace: font exchanged": {w.sealPDF(pdftest.Revise(shadow, "6 0 obj\n<</Type /Font /Subtype /Type1 /BaseFont /Symbol>>\nendobj"), nil, nil), Partial},
		"shadow hide and replace: tree":  {w.sealPDF(pdftest.Revise(shadow, strings.Replace(catalog(t, shadow, ""), "/Pages 2 0 R", "/Pages 11 0 R", 1)), nil, nil), Partial},
		"shadow hide and replace: table": {w.sealPDF(pdftest.Section(shadow, fmt.Sprintf("5 1\n%010d 00000 n\r\n", bytes.Index(shadow, []byte("9 0 obj"))), lastStart(t, shadow)), nil, nil), Partial},
		// Attacks on certified documents (Mainka et al., IEEE S&P 2021).
		"evil annotation":  {w.sealPDF(pdftest.Revise(sealed, "90 0 obj\n<</Type /Annot /Subtype /FreeText /Rect [0 0 500 800] /Contents (x)>>\nendobj", "6 0 obj\n<</Type /Page /Parent 2 0 R /Contents 7 0 R /Annots [11 0 R 90 0 R]>>\nendobj"), nil, nil), Partial},
		"sneaky signature": {sneaky, Intact},
		// Validation data as a disguise.
		"DSS: a list of the page in it": {w.sealPDF(pdftest.Revise(w.sealPDF(sharedList(), nil, nil), "5 0 obj\n[6 0 R 7 0 R]\nendobj"), nil, nil), Partial},
		"DSS: with another change":      {pdftest.Revise(sealed, catalog(t, sealed, "/DSS 90 0 R /OpenAction [6 0 R /Fit]"), "90 0 obj\n<</Certs []>>\nendobj"), Partial},
		"DSS: with an object beside it": {pdftest.Revise(sealed, catalog(t, sealed, "/DSS 90 0 R"), "90 0 obj\n<</Certs []>>\nendobj", "91 0 obj\n<</S /JavaScript>>\nendobj"), Partial},
		"DSS: with an unsigned field":   {pdftest.Revise(sealed, catalog(t, sealed, "/DSS 90 0 R"), "90 0 obj\n<</Certs []>>\nendobj", "6 0 obj\n<</Type /Page /Parent 2 0 R /Contents 7 0 R /Annots [90 0 R]>>\nendobj"), Partial},
		"DSS: a stream in it exchanged": {w.sealPDF(pdftest.Revise(w.sealPDF(evidence(t, sealed), nil, nil), "91 0 obj\n<</Length 1>>\nstream\nY\nendstream\nendobj"), nil, nil), Partial},
	} {
		rep := w.judge(c.doc)
		if rep.Verdict == Valid || rank(rep.Integrity) > rank(c.integrity) {
			t.Errorf("%s: %s %s\n%+v", name, rep.Verdict, rep.Integrity, rep)
		}
	}
	// Of the sneaky signature it is seen who signed what.
	rep := w.judge(sneaky)
	if len(rep.Signatures) != 2 || rep.Signatures[0].Verdict != Valid || rep.Signatures[1].Verdict == Valid || !slices.ContainsFunc(rep.Warnings, func(x Warning) bool { return x.Code == WarnLater }) {
		t.Errorf("sneaky signature: %+v", rep)
	}
}

func rank(i Integrity) int { return slices.Index([]Integrity{Altered, Unsigned, Partial, Intact}, i) }

func len64(s string) int64 { return int64(len(s)) }

func lastStart(t *testing.T, doc []byte) (at int) {
	t.Helper()
	i := bytes.LastIndex(doc, []byte("startxref\n"))
	if _, err := fmt.Sscanf(string(doc[i:]), "startxref\n%d", &at); err != nil {
		t.Fatal(err)
	}
	return at
}

// catalog is the catalog of a sealed letter with more in it.
func catalog(t *testing.T, doc []byte, more string) string {
	t.Helper()
	i := bytes.LastIndex(doc, []byte("\n1 0 obj\n"))
	j := i + bytes.Index(doc[i:], []byte("endobj"))
	body := strings.TrimSpace(string(doc[i+1 : j]))
	return strings.TrimSuffix(body, ">>") + " " + more + ">>\nendobj"
}

// evidence adds validation data to a sealed letter (ETSI EN 319 142-1, 5.4.2).
func evidence(t *testing.T, doc []byte) []byte {
	t.Helper()
	return pdftest.Revise(doc, catalog(t, doc, "/DSS 90 0 R /Extensions <</ESIC <</BaseVersion /1.7 /ExtensionLevel 5>>>>"),
		"90 0 obj\n<</Type /DSS /Certs 92 0 R /VRI <</00AA 93 0 R>>>>\nendobj", "91 0 obj\n<</Length 1>>\nstream\nX\nendstream\nendobj",
		"92 0 obj\n[91 0 R]\nendobj", "93 0 obj\n<</Type /VRI /Cert [91 0 R]>>\nendobj")
}

// sharedList is a letter whose validation data names the page's own list.
func sharedList() []byte {
	return pdftest.Objects("<</Type /Catalog /Pages 2 0 R /DSS <</Certs 5 0 R>>>>",
		"<</Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 595 842]>>", "<</Type /Page /Parent 2 0 R /Contents 5 0 R>>",
		"<</Title (Letter)>>", "[6 0 R]", pdftest.StreamOf("", "0 0 9 9 re f"), pdftest.StreamOf("", "0 0 99 99 re f"))
}

// Long-term validation adds certificates and revocation data, then a time-stamp:
// allowed, and said (ETSI EN 319 142-1, 5.4.2; ISO 32000-2, 12.8.4.3).
func TestPDFValidationDataIsAllowed(t *testing.T) {
	w := newWorld(t)
	sealed := w.sealPDF(pdftest.Letter(pdftest.Options{}), nil, nil)
	once := evidence(t, sealed)
	twice := pdftest.Revise(once, "90 0 obj\n<</Type /DSS /Certs 92 0 R /VRI <</00AA 93 0 R /00BB 95 0 R>>>>\nendobj",
		"92 0 obj\n[91 0 R 94 0 R]\nendobj", "94 0 obj\n<</Length 1>>\nstream\nZ\nendstream\nendobj", "95 0 obj\n<</Type /VRI /Cert [94 0 R]>>\nendobj")
	for name, c := range map[string]struct {
		doc  []byte
		want string
	}{
		"once": {once, WarnEvidence}, "twice": {twice, WarnEvidence}, "sealed again": {w.sealPDF(once, nil, nil), WarnLater},
		"grown after the second seal": {pdftest.Revise(w.sealPDF(once, nil, nil), "92 0 obj\n[91 0 R 94 0 R]\nendobj", "94 0 obj\n<</Length 1>>\nstream\nZ\nendstream\nendobj"), WarnEvidence},
	} {
		rep := w.judge(c.doc)
		if rep.Verdict != Valid || rep.Integrity != Intact || !slices.ContainsFunc(rep.Warnings, func(x Warning) bool { return x.Code == c.want }) {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

// A certification that permits nothing (DocMDP, P 1) is broken by any later
// signature but a document time-stamp; the others are not (ISO 32000-2, 12.8.2.2).
func TestPDFCertification(t *testing.T) {
	w := newWorld(t)
	service := w.issue(&w.root, stamping)
	for _, p := range []int{1, 2, 3} {
		first := w.certified(p)
		if rep := w.judge(first); rep.Verdict != Valid {
			t.Fatalf("P %d: %+v", p, rep)
		}
		if _, err := pdf.Prepare(first, pdf.Request{Reserve: 64}); (err != nil) != (p == 1) {
			t.Errorf("P %d: sealing again: %v", p, err)
		}
		// Somebody else's program does not ask.
		open := bytes.Replace(first, []byte("/DocMDP"), []byte("/DocXXX"), 1)
		second := w.sealPDF(open, nil, nil)
		behind := func(doc []byte) []byte { return append(bytes.Clone(first), doc[len(first):]...) }
		rep := w.judge(w.reseal(behind(second), 1))
		if (rep.Signatures[0].Verdict == Valid) != (p > 1) || has(rep, CheckCoverage, ReasonLocked) != (p == 1) {
			t.Errorf("P %d, signed again: %+v", p, rep)
		}
		stamped := w.sealPDF(open, nil, func(r *pdf.Request) { r.Filter, r.SubFilter = pdf.FilterCMS, subFilterStamp })
		rep = w.judge(w.refill(behind(stamped), 1, func(covered []byte, _ string) []byte { return w.token(service, covered, signed, true) }))
		if rep.Verdict != Valid || rep.Signatures[1].Standard != "RFC 3161" {
			t.Errorf("P %d, time-stamp behind it: %+v", p, rep)
		}
	}
}

// certified is a sealed letter whose seal certifies the document.
func (w *world) certified(p int) []byte {
	w.tb.Helper()
	want := fmt.Sprintf("/Reference[<</TransformMethod/DocMDP/TransformParams<</P %d>>>>]", p)
	out := w.sealPDF(pdftest.Letter(pdftest.Options{}), nil, func(r *pdf.Request) { r.Name = strings.Repeat("A", len(want)) })
	name := fmt.Sprintf("/Name <%X>", strings.Repeat("A", len(want)))
	return w.reseal(bytes.Replace(out, []byte(name), []byte(want+strings.Repeat(" ", len(name)-len(want))), 1), 0)
}

// reseal seals a file anew that was changed.
func (w *world) reseal(doc []byte, n int) []byte {
	w.tb.Helper()
	return w.refill(doc, n, func(covered []byte, field string) []byte {
		return w.value(forged{by: w.signer, seal: w.seal, at: signed}, covered, "/"+field)
	})
}

// refill writes a new value into one signature of a file.
func (w *world) refill(doc []byte, n int, value func(covered []byte, field string) []byte) []byte {
	w.tb.Helper()
	d, err := pdf.OpenBytes(doc)
	w.must(err)
	sigs, err := d.Signatures()
	w.must(err)
	r := sigs[n].Range
	digits := fmt.Appendf(nil, "<%x", value(slices.Concat(doc[:r[1]], doc[r[2]:]), sigs[n].Field))
	gap := doc[r[1]+int64(bytes.IndexByte(doc[r[1]:], '<')) : r[2]-1]
	copy(gap, append(digits, bytes.Repeat([]byte{'0'}, len(gap))...))
	return doc
}
