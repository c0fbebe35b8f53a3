package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm3"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// careless seals a document whose file was changed first, as a signer does who
// does not look: the digest is that of the changed file.
func (w *world) careless(data []byte, name string, change func([]byte) []byte) []byte {
	w.tb.Helper()
	var body []byte
	data = edit(w.tb, data, name, func(b []byte) []byte { body = change(b); return body })
	return w.resign(data, forged{}, func(xml string) string { return withDigest(w.tb, xml, name, body) })
}

// withDigest writes the digest of a file into its Reference.
func withDigest(tb testing.TB, xml, name string, body []byte) string {
	tb.Helper()
	sum := sm3.Sum(body)
	re := regexp.MustCompile(`(FileRef="/` + regexp.QuoteMeta(name) + `">\s*<ofd:CheckValue>)[^<]*`)
	if !re.MatchString(xml) {
		tb.Fatalf("%s has no reference", name)
	}
	return re.ReplaceAllString(xml, "${1}"+base64.StdEncoding.EncodeToString(sum[:]))
}

const (
	pageFile = "Doc_0/Pages/Page_0/Content.xml"
	docFile  = "Doc_0/Document.xml"
	evilDoc  = `<Document><Pages><Page ID="1" BaseLoc="/Doc_0/Pages/Page_0/Content.xml"/></Pages></Document>`
)

// Two readers that see two documents: what one of them shows was never sealed, or
// was sealed by somebody who saw the other. Each case is sealed as it stands, by a
// signer who did not look; some get a file afterwards. None is intact.
func TestTwoReadersSeeTwoDocuments(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	add := func(data []byte, name, body string) []byte {
		return rezip(t, append(unzip(t, data), zfile{name, []byte(body)}))
	}
	inOFD := func(old, new string) []byte { return w.careless(base, "OFD.xml", replace(old, new)) }
	inDoc := func(old, new string) []byte { return w.careless(base, docFile, replace(old, new)) }
	root := "<ofd:DocRoot>" + docFile + "</ofd:DocRoot>"
	if !strings.Contains(string(unzip(t, base)[0].body), root) {
		t.Fatalf("OFD.xml holds no %s", root)
	}
	sigXML := func(old, new string) []byte {
		return w.resign(base, forged{}, func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("Signature.xml holds no %s", old)
			}
			return strings.Replace(s, old, new, 1)
		})
	}
	for name, c := range map[string]struct {
		data   []byte
		check  string
		reason string
	}{
		"docroot_twice":           {add(inOFD(root, root+"<ofd:DocRoot>Doc_1/Document.xml</ofd:DocRoot>"), "Doc_1/Document.xml", evilDoc), CheckTree, ofd.ProblemAmbiguous},
		"docroot_other_namespace": {add(inOFD(root, `<x:DocRoot xmlns:x="urn:x">Doc_1/Document.xml</x:DocRoot>`+root), "Doc_1/Document.xml", evilDoc), CheckTree, ofd.ProblemAmbiguous},
		"docroot_in_pieces":       {add(inOFD(root, "<ofd:DocRoot>Doc_0/Document.xml<!-- -->2</ofd:DocRoot>"), "Doc_0/Document.xml2", evilDoc), CheckTree, ofd.ProblemAmbiguous},
		"docroot_with_child":      {inOFD(root, "<ofd:DocRoot>"+docFile+"<x/></ofd:DocRoot>"), CheckTree, ofd.ProblemAmbiguous},
		"signatures_twice":        {inOFD("</ofd:Signatures>", "</ofd:Signatures><ofd:Signatures>/Doc_0/Other.xml</ofd:Signatures>"), CheckTree, ofd.ProblemAmbiguous},
		"pages_twice":             {inDoc("</ofd:Pages>", `</ofd:Pages><ofd:Pages><ofd:Page ID="9" BaseLoc="Pages/evil.xml"/></ofd:Pages>`), CheckTree, ofd.ProblemAmbiguous},
		"baseloc_twice":           {inDoc(`BaseLoc="Pages/`, `BaseLoc="evil.xml" BaseLoc="Pages/`), CheckTree, ofd.ProblemXML},
		"baseloc_prefixed":        {add(inDoc(`BaseLoc="Pages/Page_0/Content.xml"`, `x:BaseLoc="Pages/Page_0/Content.xml" BaseLoc="evil.xml"`), "Doc_0/evil.xml", "<Page/>"), CheckCoverage, ReasonUncovered},
		"second_document_body":    {add(inOFD("</ofd:DocBody>", "</ofd:DocBody><ofd:DocBody><ofd:DocRoot>Doc_1/Document.xml</ofd:DocRoot></ofd:DocBody>"), "Doc_1/Document.xml", evilDoc), CheckCoverage, ReasonUncovered},
		"kept_version":            {add(w.put(versioned(t, w.notice()), false), "V/Page.xml", "<Page/>"), CheckCoverage, ReasonUncovered},
		"cover_added":             {add(inOFD("</ofd:DocInfo>", "<ofd:Cover>cover.png</ofd:Cover></ofd:DocInfo>"), "cover.png", "png"), CheckCoverage, ReasonUncovered},
		"percent_encoded":         {add(inDoc(`BaseLoc="Pages/Page_0/Content.xml"`, `BaseLoc="Pages/Page%5F1/Content.xml"`), "Doc_0/Pages/Page_1/Content.xml", "<Page/>"), CheckCoverage, ReasonUncovered},
		"percent_decoded_beside":  {add(base, "Pages/Page_0/Content.xml", "<Page/>"), CheckCoverage, ReasonUncovered},
		"dangling_filled":         {add(inDoc("</ofd:CommonData>", `<ofd:TemplatePage ID="77" BaseLoc="Tpls/T.xml"/></ofd:CommonData>`), "Doc_0/Tpls/T.xml", "<Page/>"), CheckCoverage, ReasonUncovered},
		"root_before_folder":      {add(base, "PublicRes.xml", "<Res/>"), CheckCoverage, ReasonUncovered},
		"case_of_a_reference":     {add(inDoc(`BaseLoc="Pages/Page_0/Content.xml"`, `BaseLoc="pages/other.xml"`), "Doc_0/Pages/Other.xml", "<Page/>"), CheckCoverage, ReasonUncovered},
		"trailing_blank_in_name":  {add(base, pageFile+" ", "<Page/>"), CheckContainer, ofd.FaultDuplicate},
		"trailing_dot_in_name":    {add(base, "Doc_0/Pages/Page_0./Content.xml", "<Page/>"), CheckContainer, ofd.FaultDuplicate},
		"alternate_data_stream":   {add(base, pageFile+"::$DATA", "<Page/>"), CheckContainer, ofd.FaultDuplicate},
		"stamp_on_missing_page":   {inDoc(`BaseLoc="Pages/Page_0/Content.xml"`, `BaseLoc="gone.xml"`), CheckStamp, ReasonStampPage},
		"nul_in_name":             {add(base, pageFile+"\x00.txt", "<Page/>"), CheckContainer, ofd.FaultTraversal},
		"normal_form_of_a_name":   {add(add(base, "Doc_0/\u00e9.xml", "a"), "Doc_0/e\u0301.xml", "b"), CheckContainer, ofd.FaultDuplicate},
		"compatibility_form":      {add(base, "Doc_0/Pages/Page_\uff10/Content.xml", "<Page/>"), CheckContainer, ofd.FaultDuplicate},
		"unicode_path_field":      {unicodePath(t, base, pageFile), CheckContainer, ofd.FaultHeader},
		"zip64_locator":           {locator64(t, base), CheckContainer, ofd.FaultDirectory},
		"two_end_records":         {append(bytes.Clone(base), endRecord(0xffff)...), CheckContainer, ofd.FaultDirectory},
		"entry_behind_deflate":    {behindDeflate(t, base), CheckReferences, ReasonFileDamaged},
		"signed_info_twice":       {sigXML("<ofd:SignedInfo>", `<ofd:SignedInfo><ofd:References CheckMethod="SM3"/></ofd:SignedInfo><ofd:SignedInfo>`), CheckTree, ofd.ProblemAmbiguous},
		"references_twice":        {sigXML("</ofd:References>", `</ofd:References><ofd:References CheckMethod="MD5"/>`), CheckTree, ofd.ProblemAmbiguous},
		"signed_value_twice":      {sigXML("</ofd:SignedValue>", "</ofd:SignedValue><ofd:SignedValue>other.dat</ofd:SignedValue>"), CheckTree, ofd.ProblemAmbiguous},
		"page_content_twice":      {w.careless(base, pageFile, replace("</ofd:Content>", "</ofd:Content><ofd:Content/>")), CheckTree, ofd.ProblemAmbiguous},
		"stamp_on_two_pages":      {inDoc(`</ofd:Pages>`, `<ofd:Page ID="5" BaseLoc="PublicRes.xml"/></ofd:Pages>`), CheckStamp, ReasonStampTwice},
		"decoy_of_a_reference":    {decoy(t, w, base), CheckCoverage, ReasonUncovered},
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.judge(c.data)
			if rep.Verdict == Valid || !has(rep, c.check, c.reason) {
				t.Fatalf("%s %s, no %s by %s\n%s", rep.Verdict, rep.Integrity, c.reason, c.check, dump(rep))
			}
			if rep.Integrity == Intact && c.check != CheckStamp {
				t.Error("intact")
			}
		})
	}
}

// versioned keeps an old version whose page is not there (GB/T 33190, 19).
func versioned(tb testing.TB, data []byte) []byte {
	data = edit(tb, data, "OFD.xml", replace("</ofd:DocBody>", `<ofd:Versions><ofd:Version ID="1" Index="1" Current="true" BaseLoc="V/V.xml"/></ofd:Versions></ofd:DocBody>`))
	return rezip(tb, append(unzip(tb, data), zfile{"V/V.xml", []byte(`<DocVersion><FileList/><DocRoot>/V/Document.xml</DocRoot></DocVersion>`)},
		zfile{"V/Document.xml", []byte(`<Document><Pages><Page ID="1" BaseLoc="Page.xml"/></Pages></Document>`)}))
}

// decoy: the references are relative to the root, as some vendors write them. The
// page is forged, and the genuine one put where a strict reader looks first.
func decoy(tb testing.TB, w *world, base []byte) []byte {
	relative := w.resign(base, forged{}, func(s string) string { return strings.ReplaceAll(s, `FileRef="/`, `FileRef="`) })
	if rep := w.judge(relative); rep.Verdict != Valid {
		tb.Fatal("references relative to the root are accepted", dump(rep))
	}
	files := unzip(tb, relative)
	i := slices.IndexFunc(files, func(f zfile) bool { return f.name == pageFile })
	genuine := files[i].body
	files[i].body = []byte("<Page/>")
	return rezip(tb, append(files, zfile{"Doc_0/Signs/Sign_0/" + pageFile, genuine}))
}

// withExtra adds an entry whose directory record has an extra field.
func withExtra(tb testing.TB, data []byte, name string, extra []byte) []byte {
	tb.Helper()
	le := binary.LittleEndian
	start := int(le.Uint32(data[len(data)-6:]))
	body := []byte("<Page/>")
	local := make([]byte, 30)
	le.PutUint32(local, 0x04034b50)
	le.PutUint16(local[6:], 0x800)
	le.PutUint32(local[14:], crc32.ChecksumIEEE(body))
	le.PutUint32(local[18:], uint32(len(body)))
	le.PutUint32(local[22:], uint32(len(body)))
	le.PutUint16(local[26:], uint16(len(name)))
	record := slices.Concat(local, []byte(name), body)
	central := make([]byte, 46)
	le.PutUint32(central, 0x02014b50)
	copy(central[8:], local[6:26])
	le.PutUint16(central[28:], uint16(len(name)))
	le.PutUint16(central[30:], uint16(len(extra)))
	le.PutUint32(central[42:], uint32(start))
	directory := slices.Concat(data[start:len(data)-22], central, []byte(name), extra)
	end := bytes.Clone(data[len(data)-22:])
	le.PutUint16(end[8:], le.Uint16(end[8:])+1)
	le.PutUint16(end[10:], le.Uint16(end[10:])+1)
	le.PutUint32(end[12:], uint32(len(directory)))
	le.PutUint32(end[16:], uint32(start+len(record)))
	return slices.Concat(data[:start], record, directory, end)
}

// unicodePath adds an entry that Info-ZIP and others show under another name.
func unicodePath(tb testing.TB, data []byte, as string) []byte {
	field := slices.Concat([]byte{1}, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte("Doc_0/a.bin"))), []byte(as))
	head := binary.LittleEndian.AppendUint16([]byte{0x75, 0x70}, uint16(len(field)))
	return withExtra(tb, data, "Doc_0/a.bin", append(head, field...))
}

// locator64 hides a zip64 locator at the end of the directory, in an extra field
// of its last record: Python and others believe it.
func locator64(tb testing.TB, data []byte) []byte {
	return withExtra(tb, data, "Doc_0/a.bin", append([]byte{0xfe, 0xca, 20, 0}, "PK\x06\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"...))
}

// endRecord is an empty end record whose comment is longer than the file.
func endRecord(comment uint16) []byte {
	end := make([]byte, 22)
	binary.LittleEndian.PutUint32(end, 0x06054b50)
	binary.LittleEndian.PutUint16(end[20:], comment)
	return end
}

// behindDeflate appends bytes to the packed page inside its declared size: readers
// that stream take them for the descriptor and the next entry.
func behindDeflate(tb testing.TB, data []byte) []byte {
	tb.Helper()
	le := binary.LittleEndian
	data = rezip(tb, unzip(tb, data)) // with data descriptors
	tail := []byte("PK\x07\x08 anything")
	at := bytes.Index(data, []byte(pageFile)) + len(pageFile) // the local header
	c := bytes.LastIndex(data, []byte(pageFile)) - 46
	size := le.Uint32(data[c+20:])
	cut := at + int(size)
	out := slices.Concat(data[:cut], tail, data[cut:])
	le.PutUint32(out[bytes.Index(out, le.AppendUint32([]byte("PK\x07\x08"), le.Uint32(data[c+16:])))+8:], size+uint32(len(tail)))
	c += len(tail)
	le.PutUint32(out[c+20:], size+uint32(len(tail)))
	first := le.Uint32(out[len(out)-6:]) + uint32(len(tail))
	le.PutUint32(out[len(out)-6:], first)
	for p := int(first); p+46 < len(out) && le.Uint32(out[p:]) == 0x02014b50; {
		if off := le.Uint32(out[p+42:]); int(off) >= cut {
			le.PutUint32(out[p+42:], off+uint32(len(tail)))
		}
		p += 46 + int(le.Uint16(out[p+28:])) + int(le.Uint16(out[p+30:])) + int(le.Uint16(out[p+32:]))
	}
	return out
}

// What looks like one of those attacks and is not: real writers do it, and one
// reading is the only one.
func TestOddButOneReading(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	root := "<ofd:DocRoot>" + docFile + "</ofd:DocRoot>"
	doc := func(change func([]byte) []byte) []byte { return w.careless(base, docFile, change) }
	encoded := func(label string, mark bool, e func(string) (string, error)) []byte {
		return doc(func(b []byte) []byte {
			s := strings.Replace(string(b), `encoding="UTF-8"`, `encoding="`+label+`"`, 1)
			s = strings.Replace(s, "</ofd:PublicRes>", "</ofd:PublicRes><ofd:PublicRes>资源.xml</ofd:PublicRes>", 1)
			out, err := e(s)
			w.must(err)
			if !mark {
				return []byte(out)
			}
			return append([]byte("\ufeff"), out...)
		})
	}
	plain := func(s string) (string, error) { return s, nil }
	utf16 := func(e unicode.Endianness) func(string) (string, error) {
		return unicode.UTF16(e, unicode.UseBOM).NewEncoder().String
	}
	for name, data := range map[string][]byte{
		"docroot twice, the same": w.careless(base, "OFD.xml", replace(root, root+root)),
		"docroot in CDATA":        w.careless(base, "OFD.xml", replace(root, "<ofd:DocRoot><![CDATA["+docFile+"]]></ofd:DocRoot>")),
		"docroot with entities":   w.careless(base, "OFD.xml", replace(root, "<ofd:DocRoot>Doc_0&#47;Document.xml</ofd:DocRoot>")),
		"docroot on its own line": w.careless(base, "OFD.xml", replace(root, "<ofd:DocRoot>\n\t"+docFile+"\n</ofd:DocRoot>")),
		"comment beside it":       w.careless(base, "OFD.xml", replace(root, "<!-- the document -->"+root)),
		"processing instruction":  doc(replace("<ofd:Document", `<?vendor data?><ofd:Document`)),
		"other prefix":            doc(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("ofd:"), []byte("d:")) }),
		"no prefix": doc(func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("xmlns:ofd"), []byte("xmlns")), []byte("ofd:"), nil)
		}),
		"UTF-8 with a mark":               encoded("UTF-8", true, plain),
		"UTF-8 that says UTF-16":          encoded("utf-16", false, plain),
		"UTF-8 with a mark that says GBK": encoded("GBK", true, plain),
		"UTF-16, little end":              encoded("UTF-16", false, utf16(unicode.LittleEndian)),
		"UTF-16, big end":                 encoded("UTF-16", false, utf16(unicode.BigEndian)),
		"GBK":                             encoded("GBK", false, simplifiedchinese.GBK.NewEncoder().String),
		"GB18030":                         encoded("gb18030", false, simplifiedchinese.GB18030.NewEncoder().String),
		"digest method …401.1":            w.resign(base, forged{}, func(s string) string { return strings.Replace(s, `"SM3"`, `"1.2.156.10197.1.401.1"`, 1) }),
		"digest method in small letters":  w.resign(base, forged{}, func(s string) string { return strings.Replace(s, `"SM3"`, `" sm3 "`, 1) }),
		"unicode path that agrees":        unicodePathSame(t, base),
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.judge(data)
			if rep.Verdict != Valid || rep.Integrity != Intact {
				t.Fatal(dump(rep))
			}
			missing := Warning{Code: ofd.ProblemMissing, Path: "/Doc_0/资源.xml"}
			if strings.HasPrefix(name, "UTF") || strings.HasPrefix(name, "GB") {
				if !slices.Contains(rep.Warnings, missing) {
					t.Errorf("the reference was not decoded: %v", rep.Warnings)
				}
			}
		})
	}
}

// unicodePathSame adds an unreferenced file whose extra field repeats its name.
func unicodePathSame(tb testing.TB, data []byte) []byte {
	const name = "Doc_0/a.bin"
	field := slices.Concat([]byte{1}, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(name))), []byte(name))
	return withExtra(tb, data, name, append([]byte{0x75, 0x70, byte(len(field)), 0}, field...))
}

// The same bytes of a name are two names to a reader of UTF-8 and one of GBK.
func TestNameOfTwoEncodings(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	seen, err := simplifiedchinese.GBK.NewDecoder().String("Doc_0/签章.xml")
	w.must(err)
	both := rezip(t, append(unzip(t, base), zfile{"Doc_0/签章.xml", []byte("a")}, zfile{seen, []byte("b")}))
	// archive/zip flags the names as UTF-8; an old writer does not.
	for at := 0; ; {
		i := bytes.Index(both[at:], []byte("PK\x01\x02"))
		if i < 0 {
			break
		}
		both[at+i+9] &^= 8
		at += i + 4
	}
	if rep := w.judge(both); rep.Integrity != Altered || !has(rep, CheckContainer, ofd.FaultDuplicate) {
		t.Fatal(fmt.Sprintf("%q", seen), dump(rep))
	}
}
