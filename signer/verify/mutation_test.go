package verify

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// TestMutants flips byte regions of sealed documents of every format and mode,
// with one seal and with several: 1,000 in a normal run, 24,000 with
// YINXIN_SOAK=1. Half of the mutants change the file as it is stored, half the
// inflated content of one entry, with a right checksum, as a forger would.
//
// The law: a mutant is refused, or its verdict is no longer valid and intact, or
// the changed bytes carry no meaning. What carries none, and nothing else, is
// listed here; unmeaning decides it by what two readers get out of the file, not
// by where the byte lies.
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
//     nothing but the count of unused bits (a warning stands then); of a GB/T
//     35275 message the version numbers, the list of digest algorithms and the
//     parameters of the algorithms. Signed bytes, certificate and value are equal.
func TestMutants(t *testing.T) {
	n := 1_000
	if os.Getenv("YINXIN_SOAK") != "" {
		n = 24_000
	}
	w := newWorld(t)
	once := w.put(w.notice(), false)
	bases := map[string][]byte{
		"V4": once, "V4 whole": w.put(w.notice(), true), "V4 twice": w.put(once, false), "V4 twice, whole": w.put(once, true),
		"V1": newVendor(w).asV1().document(nil), "V5": with(newVendor(w), func(v *vendor) { v.version = 5 }),
		"35275 b": message{w: w}.document(nil), "35275 a": message{w: w, plain: true}.document(nil),
	}
	names := make([]string, 0, len(bases))
	for name, b := range bases {
		if rep := w.judge(b); rep.Verdict != Valid || rep.Integrity != Intact {
			t.Fatal(name, dump(rep))
		}
		names = append(names, name)
	}
	slices.Sort(names)
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
		if err != nil || rep.Verdict != Valid || rep.Integrity != Intact {
			if err == nil && rep.Verdict == Valid {
				t.Errorf("%s, %s: valid without being intact", name, what)
			}
			refused++
			continue
		}
		class, bad := unmeaning(t, w, base, mutant)
		if bad != "" {
			t.Errorf("%s, %s: still valid and intact, but %s\n%s", name, what, bad, dump(rep))
		}
		harmless[class]++
	}
	t.Logf("%d mutants: %d refused, no meaning changed in %v", n, refused, harmless)
	if refused < n/2 {
		t.Errorf("only %d of %d mutants were refused: the test mutates the wrong bytes", refused, n)
	}
}

// mutate changes one region of 1 to 16 bytes.
func mutate(tb testing.TB, r *rand.Rand, base []byte) (mutant []byte, what string) {
	if r.IntN(2) == 0 {
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
func unmeaning(tb testing.TB, w *world, base, mutant []byte) (class, bad string) {
	was, is := unzip(tb, base), lenientUnzip(mutant)
	if is == nil {
		return "", "a second zip reader cannot open it"
	}
	if len(was) != len(is) {
		return "", "the number of files changed"
	}
	if a, b := w.judge(base), w.judge(mutant); len(a.Signatures) != len(b.Signatures) {
		return "", "a signature was lost"
	}
	class = "zip bookkeeping"
	for i := range was {
		switch {
		case was[i].name != is[i].name:
			return "", "the file " + was[i].name + " is called " + is[i].name
		case bytes.Equal(was[i].body, is[i].body):
		case strings.HasSuffix(was[i].name, "/Signatures.xml") && !strings.Contains(string(signatureXML(was)), was[i].name):
			class = "open list"
		case strings.HasSuffix(was[i].name, "/SignedValue.dat") && sameValue(was[i].body, is[i].body):
			class = "frame of the value"
		default:
			return "", "the file " + was[i].name + " changed"
		}
	}
	return class, ""
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

// sameValue reports whether two signed values sign the same, by the same, alike.
func sameValue(a, b []byte) bool {
	if x, err := seal.ParseSignature(a); err == nil {
		y, err := seal.ParseSignature(b)
		return err == nil && bytes.Equal(x.TBS, y.TBS) && bytes.Equal(x.CertDER, y.CertDER) && bytes.Equal(x.Value, y.Value) &&
			len(y.Warnings)+len(y.Seal.Warnings) > len(x.Warnings)+len(x.Seal.Warnings)
	}
	x, err := cms.Parse(a)
	y, err2 := cms.Parse(b)
	return err == nil && err2 == nil && bytes.Equal(x.Content, y.Content) && bytes.Equal(x.CertDER, y.CertDER) &&
		bytes.Equal(x.Attributes, y.Attributes) && bytes.Equal(x.Value, y.Value)
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
