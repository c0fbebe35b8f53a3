package ofd

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// pack writes a zip; each item is "name=body".
func pack(tb testing.TB, items ...string) []byte {
	tb.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	var k packer
	for _, it := range items {
		name, body, _ := strings.Cut(it, "=")
		if err := k.add(zw, name, []byte(body), time.Time{}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// streamed writes a zip as Java and Go do, with data descriptors.
func streamed(tb testing.TB) []byte {
	tb.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, it := range []string{ofdXML, docXML, pageDoc} {
		name, body, _ := strings.Cut(it, "=")
		w, err := zw.Create(name)
		if err == nil {
			_, err = w.Write([]byte(body))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

const (
	ofdXML  = "OFD.xml=<OFD><DocBody><DocRoot>Doc_0/Document.xml</DocRoot></DocBody></OFD>"
	docXML  = `Doc_0/Document.xml=<Document><Pages><Page ID="1" BaseLoc="Page.xml"/></Pages></Document>`
	pageDoc = "Doc_0/Page.xml=<Page><Content/></Page>"
)

func small(tb testing.TB, more ...string) []byte {
	return pack(tb, append([]string{ofdXML, docXML, pageDoc}, more...)...)
}

func hasFault(p *Package, code string) bool {
	for _, n := range p.Faults() {
		if n.Code == code {
			return true
		}
	}
	return false
}

// central is the place of the n-th central record.
func central(b []byte, n int) int {
	at := 0
	for range n + 1 {
		at += bytes.Index(b[at:], []byte("PK\x01\x02")) + 4
	}
	return at - 4
}

// Every way in which two readers can see two packages is a fault (reference
// §5.3 1), and a package with a fault cannot be sealed.
func TestContainerFaults(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"same name twice":      {small(t, "a=1", "a=2"), FaultDuplicate},
		"names differ in case": {small(t, "a=1", "A=2"), FaultDuplicate},
		"slash and backslash":  {small(t, "x/a=1", `x\a=2`), FaultDuplicate},
		"two normal forms":     {small(t, "\u00e9=1", "e\u0301=2"), FaultDuplicate},
		"file and folder":      {small(t, "x=1", "x/="), FaultDuplicate},
		"parent":               {small(t, "a/../../b=1"), FaultTraversal},
		"empty part":           {small(t, "a//b=1"), FaultTraversal},
		"absolute":             {small(t, "/a=1"), FaultAbsolute},
		"drive letter":         {small(t, `C:\a=1`), FaultAbsolute},
		"encrypted": {mutate(small(t), func(b []byte) {
			b[central(b, 2)+8] |= 1
		}), FaultEncrypted},
		"symlink": {mutate(small(t), func(b []byte) {
			b[central(b, 2)+5] = 3
			binary.LittleEndian.PutUint32(b[central(b, 2)+38:], 0xa1ff<<16)
		}), FaultSymlink},
		"method": {mutate(small(t), func(b []byte) {
			b[central(b, 2)+10] = 12
		}), FaultMethod},
		"other local name": {mutate(small(t), func(b []byte) {
			i := bytes.Index(b, []byte("Doc_0/Page.xml"))
			b[i] = 'd'
		}), FaultHeader},
		"other local size": {mutate(small(t), func(b []byte) {
			b[bytes.Index(b, []byte("PK\x03\x04"))+22]++
		}), FaultHeader},
		"other descriptor": {mutate(streamed(t), func(b []byte) {
			b[bytes.Index(b, []byte("PK\x07\x08"))+5]++
		}), FaultHeader},
		"descriptor for one of two": {mutate(small(t), func(b []byte) {
			b[central(b, 2)+8] |= 8
		}), FaultHeader},
		"descriptor without its signature": {mutate(streamed(t), func(b []byte) {
			b[bytes.Index(b, []byte("PK\x07\x08"))]++
		}), FaultHeader},
		"overlap": {mutate(small(t), func(b []byte) {
			copy(b[central(b, 2)+42:][:4], b[central(b, 1)+42:][:4])
		}), FaultOverlap},
		"entry that the directory hides": {hide(small(t)), FaultHidden},
		"prefix with an entry":           {append([]byte("PK\x03\x04 old start "), small(t)...), FaultHidden},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Open(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if !hasFault(p, c.want) {
				t.Fatalf("faults %v, want %s", p.Faults(), c.want)
			}
			if _, err := Prepare(p, request(false)); !errors.Is(err, ErrUnsound) {
				t.Fatalf("sealed: %v", err)
			}
		})
	}
}

func mutate(b []byte, change func([]byte)) []byte {
	b = bytes.Clone(b)
	change(b)
	return b
}

// hide drops the last record from the directory but leaves its bytes.
func hide(b []byte) []byte {
	last, end := central(b, 2), bytes.LastIndex(b, []byte("PK\x05\x06"))
	out := append(bytes.Clone(b[:last]), b[end:]...)
	e := out[last:]
	binary.LittleEndian.PutUint16(e[8:], 2)
	binary.LittleEndian.PutUint16(e[10:], 2)
	binary.LittleEndian.PutUint32(e[12:], uint32(last-central(b, 0)))
	return out
}

// APPNOTE 4.3.9: a data descriptor with and without its signature, and with
// sizes of eight bytes, is the same to everybody.
func TestDataDescriptors(t *testing.T) {
	sig := []byte("PK\x07\x08")
	for name, change := range map[string]func(crc, csize, usize []byte) []byte{
		"as written": func(crc, c, u []byte) []byte { return slices.Concat(sig, crc, c, u) },
		"bare":       func(crc, c, u []byte) []byte { return slices.Concat(crc, c, u) },
		"zip64":      func(crc, c, u []byte) []byte { return slices.Concat(sig, crc, c, make([]byte, 4), u, make([]byte, 4)) },
	} {
		b := streamed(t)
		i := bytes.LastIndex(b, sig) // of the last entry: only the directory moves
		d := change(b[i+4:i+8], b[i+8:i+12], b[i+12:i+16])
		out := slices.Concat(b[:i], d, b[i+16:])
		end := bytes.LastIndex(out, []byte("PK\x05\x06"))
		binary.LittleEndian.PutUint32(out[end+16:], binary.LittleEndian.Uint32(out[end+16:])+uint32(len(d)-16))
		if p, err := Open(out); err != nil || len(p.Faults()) > 0 || len(p.Notes()) > 0 {
			t.Errorf("%s: %v %v", name, err, p)
		}
	}
}

// Vendor habits that harm nobody are notes (reference §4).
func TestContainerNotes(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"vendor bytes before": {append([]byte("VENDOR HEADER"), small(t)...), NotePrefix},
		"bytes behind":        {append(small(t), "tail"...), NoteTrailing},
		"backslashes":         {pack(t, ofdXML, strings.Replace(docXML, "Doc_0/", `Doc_0\`, 1), pageDoc), NoteBackslash},
		"other case":          {pack(t, ofdXML, strings.Replace(docXML, "Doc_0/D", "Doc_0/d", 1), pageDoc), NoteCase},
		"gbk name":            {small(t, "\xd5\xc2.txt=x"), NoteEncoding},
	} {
		p, err := Open(c.data)
		if err != nil || len(p.Faults()) > 0 || len(p.Pages()) != 1 {
			t.Errorf("%s: %v %v", name, err, p)
			continue
		}
		found := false
		for _, n := range p.Notes() {
			found = found || n.Code == c.want
		}
		if !found {
			t.Errorf("%s: notes %v", name, p.Notes())
		}
		if sealed, _ := seal(t, c.data, request(false)); holds(t, sealed, 1) == nil {
			t.Errorf("%s: not sealed", name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	ok := small(t)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty": {nil, ErrNotPackage}, "text": {[]byte("hello"), ErrNotPackage},
		"truncated": {ok[:len(ok)-1], ErrNotPackage}, "no OFD.xml": {pack(t, docXML), ErrNotPackage},
		"directory cut": {append(bytes.Clone(ok[:central(ok, 1)]), ok[len(ok)-22:]...), ErrNotPackage},
		"bomb":          {small(t, "b="+strings.Repeat("0", 8<<20)), ErrLimit},
	} {
		if _, err := Open(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, lim := range map[string]Limits{
		"entries": {Entries: 2}, "entry size": {EntrySize: 10}, "total": {Total: 100},
	} {
		if _, err := OpenReaderAt(bytes.NewReader(ok), int64(len(ok)), lim); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An entry that inflates to more than it declares is cut off and damaged.
func TestEntryThatLiesAboutItsSize(t *testing.T) {
	data := mutate(small(t, "b="+strings.Repeat("0", 100_000)), func(b []byte) {
		binary.LittleEndian.PutUint32(b[central(b, 3)+24:], 10)
		local := bytes.LastIndex(b, []byte("PK\x03\x04"))
		binary.LittleEndian.PutUint32(b[local+22:], 10)
	})
	p, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Digest("/b"); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	if _, err := Prepare(p, request(false)); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

// XML that is refused is a problem of the tree, never an error of Open.
func TestXMLRefused(t *testing.T) {
	for name, doc := range map[string]string{
		"dtd":         `<!DOCTYPE a><Document/>`,
		"entity":      `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>`,
		"not closed":  `<Document>`,
		"crossed":     `<Document><a></Document></a>`,
		"two roots":   `<Document/><Document/>`,
		"text":        `<Document/>text`,
		"deep":        strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"bad charset": `<?xml version="1.0" encoding="utf-7"?><Document/>`,
	} {
		p, err := Open(pack(t, ofdXML, "Doc_0/Document.xml="+doc, pageDoc))
		if err != nil || len(p.Problems()) != 1 || p.Problems()[0] != (Note{ProblemXML, "/Doc_0/Document.xml"}) {
			t.Errorf("%s: %v %v", name, err, p.Problems())
		}
	}
	p, err := Open(pack(t, "OFD.xml=<OFD><DocBody><DocRoot>../../etc/passwd</DocRoot></DocBody></OFD>", docXML))
	if err != nil || p.Problems()[0].Code != ProblemEscape {
		t.Errorf("escape: %v %v", err, p.Problems())
	}
}

// FuzzOpen: foreign bytes never panic, and what opens can be read through.
func FuzzOpen(f *testing.F) {
	f.Add(small(f))
	f.Add(small(f, "a=1", "A=2"))
	f.Add(hide(small(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := OpenReaderAt(bytes.NewReader(data), int64(len(data)), Limits{EntrySize: 1 << 20, XMLSize: 1 << 20})
		if err != nil {
			return
		}
		for _, name := range p.Files() {
			if _, err := p.Digest(name); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNoEntry) {
				t.Fatal(err)
			}
		}
		for _, s := range p.Signatures() {
			p.CoverageOf(&s)
		}
		q, err := Prepare(p, request(false))
		if err != nil {
			return
		}
		out, err := q.Finish([]byte("value"))
		if err != nil {
			return // an entry that no seal covers may still be damaged
		}
		// The law of the writer: what we seal is sound, and every digest holds.
		holds(t, out, len(p.Signatures())+1)
	})
}
