package verify

import (
	"archive/zip"
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/pdf"
	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// TestMutants flips byte regions of sealed documents of every format and mode,
// with one seal and with several, own and foreign: 1,000 in a normal run, 24,000
// with YINXIN_SOAK=1. Half of the mutants of a package change the file as it is
// stored, half the inflated content of one entry, with a right checksum, as a
// forger would; those of a PDF change the file.
//
// The law: a mutant is refused, or it is not intact, or the changed bytes carry
// no meaning. What carries none, and nothing else, is listed here; unmeaning
// decides it by what two readers get out of the file, not by where the byte lies.
//
//  1. Bookkeeping of the zip container: versions, times, attributes, comments,
//     flags that no reader acts on, the filling bits behind a deflate stream and
//     other encodings of the same bytes. archive/zip, which shares no code with
//     signer/ofd, gets the same names with the same bytes in the same order.
//  2. The list of signatures (Signatures.xml) in ContinueSign mode, where the
//     standard leaves it open for later seals: ids, MaxSignId, the attribute Type,
//     white space and namespaces may change as long as every signature is still
//     found: their number is compared. (A record that is lost leaves its files
//     behind, and the document is partial: sig.list.)
//  3. What stands around the signed parts of a signed value: of an SES_Signature
//     nothing but the count of unused bits, inside what is signed too: its DER is
//     the same, and verified (warnings stand then); of a GB/T
//     35275 or CMS message the version numbers, the list of digest algorithms,
//     the parameters of the algorithms, and certificates beside the signer's.
//     Signed bytes, certificate and value are equal.
//  4. In a PDF, the case of the hexadecimal digits of the value, and white space
//     between them: the value is the same, and it is all that the gap may hold.
//
// What is intact and not valid has one more place: the signer's certificate and
// the time-stamp token stand beside what is signed (GB/T 38540, 7.1; RFC 5652,
// 5.3). Another one there makes the signature invalid or leaves it open, and what
// was signed is as it was. And an algorithm identifier may become one that is not
// judged here: nobody can tell then, and the integrity is what the digests say.
func TestMutants(t *testing.T) {
	n := 1_000
	if os.Getenv("YINXIN_SOAK") != "" {
		n = 24_000
	}
	w := newWorld(t)
	bases := w.mutationBases()
	names := slices.Sorted(maps.Keys(bases))
	r := rand.New(rand.NewPCG(38540, 35275))
	harmless, refused := map[string]int{}, 0
	for i := range n {
		name := names[i%len(names)]
		base := bases[name]
		mutant, what := mutate(t, r, base)
		if bytes.Equal(mutant, base) {
			continue
		}
		rep, err := w.try(mutant)
		if err == nil && rep.Verdict == Valid && rep.Integrity != Intact {
			t.Errorf("%s, %s: valid without being intact", name, what)
		}
		if err != nil || rep.Integrity != Intact {
			refused++
			continue
		}
		decide := unmeaning
		if bytes.HasPrefix(base, []byte("%PDF-")) {
			decide = unmeaningPDF
		}
		class, bad := decide(t, w, base, mutant, rep.Verdict == Valid)
		if bad != "" {
			t.Errorf("%s, %s: still %s and intact, but %s\n%s", name, what, rep.Verdict, bad, dump(rep))
		}
		harmless[class]++
	}
	t.Logf("%d mutants of %d documents: %d refused or not intact, no meaning changed in %v", n, len(names), refused, harmless)
	if refused < n/2 {
		t.Errorf("only %d of %d mutants were refused: the test mutates the wrong bytes", refused, n)
	}
}

// mutationBases are valid documents of every format, mode and combination.
func (w *world) mutationBases() map[string][]byte {
	w.tb.Helper()
	once := w.put(w.notice(), false)
	service := w.issue(&w.root, stamping)
	letter := pdftest.Letter(pdftest.Options{})
	sealed := w.sealPDF(letter, nil, nil)
	ec := w.signerEC()
	bases := map[string][]byte{
		"V4": once, "V4 whole": w.put(w.notice(), true), "V4 twice": w.put(once, false), "V4 twice, whole": w.put(once, true),
		"V4 ride": w.ride(), "V4 with a token": w.stamped(func(v []byte) []byte { return w.token(service, v, signed, true) }),
		"V1": newVendor(w).asV1().document(nil), "V5": with(newVendor(w), func(v *vendor) { v.version = 5 }),
		"35275 b": message{w: w}.document(nil), "35275 a": message{w: w, plain: true}.document(nil),
		"foreign V1, then V4":  w.put(newVendor(w).asV1().document(nil), false),
		"foreign 35275, whole": w.put(message{w: w}.document(nil), true),
		"list of all files":    w.entries(once, nil, message{}),
		"PDF seal":             sealed,
		"PDF seal, streams":    w.sealPDF(pdftest.Letter(pdftest.Options{Style: pdftest.Stream, Form: true}), nil, nil),
		"PDF seal, hybrid":     w.sealPDF(pdftest.Letter(pdftest.Options{Style: pdftest.Hybrid, Rotate: 270, Pages: 2}), nil, nil),
		"PDF two seals":        w.sealPDF(sealed, nil, nil),
		"PDF PAdES ECDSA":      w.signPDF(letter, ec),
		"PDF PAdES SM2":        w.signPDF(letter, w.signer.signer()),
		"PDF seal, then PAdES": w.signPDF(sealed, ec),
	}
	for name, b := range bases {
		if rep := w.judge(b); rep.Verdict != Valid || rep.Integrity != Intact {
			w.tb.Fatal(name, dump(rep))
		}
	}
	return bases
}

// mutate changes one region of 1 to 16 bytes.
func mutate(tb testing.TB, r *rand.Rand, base []byte) (mutant []byte, what string) {
	if r.IntN(2) == 0 || bytes.HasPrefix(base, []byte("%PDF-")) {
		out := bytes.Clone(base)
		at, n := region(r, out)
		return out, fmt.Sprintf("file bytes %d+%d", at, n)
	}
	files := unzip(tb, base)
	i := r.IntN(len(files))
	for len(files[i].body) == 0 {
		i = r.IntN(len(files))
	}
	at, n := region(r, files[i].body)
	return rezip(tb, files), fmt.Sprintf("%s bytes %d+%d", files[i].name, at, n)
}

// region overwrites one region in place. Structure stands at the ends of signed
// values and lists, so half of the regions are there.
func region(r *rand.Rand, b []byte) (at, n int) {
	n = 1 + r.IntN(16)
	if r.IntN(2) == 0 {
		n = 1
	}
	n = min(n, len(b))
	span := len(b) - n + 1
	switch edge := min(span, 400); r.IntN(4) {
	case 0:
		at = r.IntN(edge)
	case 1:
		at = span - 1 - r.IntN(edge)
	default:
		at = r.IntN(span)
	}
	part := b[at : at+n]
	switch kind := r.IntN(4); {
	case kind == 0:
		part[r.IntN(n)] ^= 1 << r.IntN(8)
	case kind == 1:
		clear(part)
	case kind == 2 && n > 1:
		slices.Reverse(part)
	default:
		for i := range part {
			part[i] = byte(r.IntN(256))
		}
	}
	return at, n
}

// unmeaning says to which class of the list the change belongs, or what is wrong.
func unmeaning(tb testing.TB, w *world, base, mutant []byte, valid bool) (class, bad string) {
	was, is := unzip(tb, base), lenientUnzip(mutant)
	if is == nil {
		return "", "a second zip reader cannot open it"
	}
	if len(was) != len(is) {
		return "", "the number of files changed"
	}
	after := w.judge(mutant)
	if len(w.judge(base).Signatures) != len(after.Signatures) {
		return "", "a signature was lost"
	}
	class = "zip bookkeeping"
	for i := range was {
		switch name := strings.ToLower(was[i].name); {
		case was[i].name != is[i].name:
			return "", "the file " + was[i].name + " is called " + is[i].name
		case bytes.Equal(was[i].body, is[i].body):
		case strings.HasSuffix(name, "/signatures.xml") && !strings.Contains(string(signatureXML(was)), was[i].name):
			class = "open list"
		case strings.HasSuffix(name, "signedvalue.dat") && sameValue(was[i].body, is[i].body, valid):
			class = frame(valid)
		case strings.HasSuffix(name, "signedvalue.dat") && !valid && unjudgeable(after):
			return "algorithm that is not judged", ""
		default:
			return "", "the file " + was[i].name + " changed"
		}
	}
	if !valid && class != frame(false) {
		return "", "nothing says why it is not valid"
	}
	return class, ""
}

func unjudgeable(rep Report) bool {
	return has(rep, CheckValue, ReasonAlgorithm) || has(rep, CheckFormat, ReasonAlgorithm) || has(rep, CheckSealSig, ReasonAlgorithm) ||
		has(rep, CheckEntries, ReasonAlgorithm)
}

// frame is the class of a value of which the signed parts are as they were.
func frame(valid bool) string {
	if valid {
		return "frame of the value"
	}
	return "certificate or token beside what is signed"
}

// unmeaningPDF is unmeaning for a PDF: all that may differ stands in the gaps.
func unmeaningPDF(tb testing.TB, w *world, base, mutant []byte, valid bool) (class, bad string) {
	tb.Helper()
	if len(base) != len(mutant) {
		return "", "the length changed"
	}
	d, err := pdf.OpenBytes(base)
	if err != nil {
		return "", err.Error()
	}
	sigs, err := d.Signatures()
	if err != nil {
		return "", err.Error()
	}
	class = "digits of the value"
	rest := [2][]byte{bytes.Clone(base), bytes.Clone(mutant)}
	for _, s := range sigs {
		var der [2][]byte
		for i := range rest {
			gap := rest[i][s.Range[1]:s.Range[2]]
			digits := strings.Map(func(r rune) rune {
				if strings.ContainsRune(" \t\r\n\f\x00", r) {
					return -1
				}
				return r
			}, strings.Trim(string(gap), "<>"))
			if gap[0] != '<' || gap[len(gap)-1] != '>' {
				return "", "the gap holds more than the value"
			}
			if der[i], err = hex.DecodeString(digits + strings.Repeat("0", len(digits)%2)); err != nil {
				return "", err.Error()
			}
			der[i] = bytes.TrimRight(der[i], "\x00")
			clear(gap)
		}
		if bytes.Equal(der[0], der[1]) {
			continue
		}
		// The zeros behind the value were cut off, and some of its own perhaps.
		pad := make([]byte, 64)
		if !sameValue(firstElement(append(der[0], pad...)), firstElement(append(der[1], pad...)), valid) {
			if !valid && unjudgeable(w.judge(mutant)) {
				return "algorithm that is not judged", ""
			}
			return "", "the value of " + s.Field + " changed"
		}
		class = frame(valid)
	}
	if !bytes.Equal(rest[0], rest[1]) {
		return "", "covered bytes changed"
	}
	if !valid && class != frame(false) {
		return "", "nothing says why it is not valid"
	}
	return class, ""
}

func firstElement(b []byte) []byte {
	var el asn1.RawValue
	if _, err := asn1.Unmarshal(b, &el); err != nil {
		return nil
	}
	return el.FullBytes
}

// signatureXML is the last one, which covers what the earlier ones do.
func signatureXML(files []zfile) (out []byte) {
	for _, f := range files {
		if strings.HasSuffix(f.name, "/Signature.xml") {
			out = f.body
		}
	}
	return out
}

// sameValue reports whether two signed values sign the same, and, when the
// document is still valid, by the same, with the same value.
func sameValue(a, b []byte, valid bool) bool {
	if x, err := seal.ParseSignature(a); err == nil {
		y, err := seal.ParseSignature(b)
		if err != nil {
			return false
		}
		// Of what verifies only as DER, the proof holds the DER.
		p, _ := x.Proof()
		q, _ := y.Proof()
		return bytes.Equal(p.Message, q.Message) && (!valid || bytes.Equal(x.CertDER, y.CertDER) && bytes.Equal(x.Value, y.Value) &&
			bytes.Equal(x.TimeStamp, y.TimeStamp) && len(y.Warnings)+len(y.Seal.Warnings) > len(x.Warnings)+len(x.Seal.Warnings))
	}
	if x, err := cms.Parse(a); err == nil {
		y, err := cms.Parse(b)
		return err == nil && bytes.Equal(x.Content, y.Content) && bytes.Equal(x.Attributes, y.Attributes) &&
			(!valid || bytes.Equal(x.CertDER, y.CertDER) && bytes.Equal(x.Value, y.Value))
	}
	x, err := signeddata.Parse(a)
	y, err2 := signeddata.Parse(b)
	return err == nil && err2 == nil && bytes.Equal(x.Value, y.Value) && (!valid || bytes.Equal(x.CertDER, y.CertDER))
}

// lenientUnzip reads with archive/zip and is nil when it cannot.
func lenientUnzip(data []byte) []zfile {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil
	}
	out := []zfile{}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			return nil
		}
		b, err := io.ReadAll(rc)
		rc.Close()
		if err != nil {
			return nil
		}
		out = append(out, zfile{f.Name, b})
	}
	return out
}
