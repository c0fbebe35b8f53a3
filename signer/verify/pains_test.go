package verify

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// The pains of users of OFD tools (reference §10), each a test with its number:
// those about verifying here, about sealing in signer, about what is shown in
// signer/ofd/svg.

// Pain 1, ofdrw #160: "invalid", and nobody knows why. Every failure names its
// step, its file, and the digests expected and found.
func TestPain01FailureNamesStepFileAndDigests(t *testing.T) {
	w := newWorld(t)
	const page = "Doc_0/Pages/Page_0/Content.xml"
	sealed := w.put(w.notice(), false)
	var want, got string
	for _, f := range unzip(t, sealed) {
		if f.name == page {
			a, b := sm3.Sum(f.body), sm3.Sum(append(bytes.Clone(f.body), ' '))
			want, got = hex.EncodeToString(a[:]), hex.EncodeToString(b[:])
		}
	}
	rep := w.judge(edit(t, sealed, page, func(b []byte) []byte { return append(b, ' ') }))
	c := find(rep.Signatures[0], CheckReferences)
	if c.Result != Fail || c.Reason != ReasonFileChanged || c.Clause == "" || c.Detail != "/"+page+" expected "+want+" actual "+got {
		t.Errorf("%+v", c)
	}
	// Whatever the corpus fails for, the check has a clause, a reason and evidence.
	for name := range index(t) {
		if filepath.Ext(name) != ".ofd" {
			continue
		}
		for _, s := range judge(t, sample(t, name), nil).Signatures {
			for _, c := range s.Checks {
				if c.Result == Fail && (c.Clause == "" || c.Reason == "" || c.Detail == "") {
					t.Errorf("%s: %+v", name, c)
				}
			}
		}
	}
}

// Pain 2, ofdrw #203: seals of 2014 (V1) are "out of scope". Foreign and own ones
// are judged as any other, and a forged one is found.
func TestPain02SealsOf2014AreVerified(t *testing.T) {
	w := newWorld(t)
	own := newVendor(w).asV1().document(nil)
	if rep := w.judge(own); rep.Verdict != Valid || rep.Signatures[0].Standard != "GM/T 0031-2014" {
		t.Error(dump(rep))
	}
	for at := range 3 {
		forged := edit(t, own, "Doc_0/Signs/Sign_0/SignedValue.dat", func(b []byte) []byte {
			b[len(b)*(at+1)/4] ^= 1
			return b
		})
		if rep := w.judge(forged); rep.Verdict != Invalid || rep.Integrity != Altered {
			t.Error(dump(rep))
		}
	}
	for _, name := range []string{"made/v1_continue.ofd", "made/v1_whole.ofd"} {
		s := judge(t, sample(t, name), nil).Signatures[0]
		for _, id := range []string{CheckSealSig, CheckValue, CheckDataHash, CheckReferences, CheckCertList} {
			if result(s, id) != Pass {
				t.Errorf("%s: %+v", name, find(s, id))
			}
		}
	}
}

// Pain 3, ofdrw #394: nobody looks at the time-stamp inside a seal. It is judged
// in full: one that is none makes the signature invalid, one on the seal itself
// leaves it open, and neither is ever taken for a time.
func TestPain03TimeStampInsideASealIsNeverIgnored(t *testing.T) {
	w := newWorld(t)
	rep := w.judge(w.resign(w.put(w.notice(), false), forged{timestamp: []byte("not a token")}, nil))
	if rep.Verdict != Invalid || find(rep.Signatures[0], CheckToken).Reason != ReasonTokenBad {
		t.Error(dump(rep))
	}
	rep = w.judge(with(newVendor(w), func(v *vendor) { v.version, v.sealStamp = 5, der(0xa0, derBits([]byte{1, 2, 3})) }))
	if rep.Verdict != Indeterminate || find(rep.Signatures[0], CheckSealToken).Reason != ReasonTokenBad || !warned(rep, WarnClaimedTime) {
		t.Error(dump(rep))
	}
	// One that holds is a time that somebody else vouches for; over another value,
	// by a certificate of another purpose or by a stranger it is none.
	service, stranger, at := w.issue(&w.root, stamping), w.issue(nil, stamping), signed.Add(time.Minute)
	for name, c := range map[string]struct {
		token   func(value []byte) []byte
		verdict Verdict
		reason  string
	}{
		"holds":         {func(v []byte) []byte { return w.token(service, v, at, true) }, Valid, ""},
		"other value":   {func(v []byte) []byte { return w.token(service, append(v, 1), at, true) }, Invalid, ReasonTokenImprint},
		"other purpose": {func(v []byte) []byte { return w.anyPurpose(service, v, at) }, Invalid, ReasonTokenUsage},
		"a stranger's":  {func(v []byte) []byte { return w.token(stranger, v, at, true) }, Indeterminate, ReasonUntrusted},
	} {
		rep := w.judge(w.stamped(c.token))
		got := find(rep.Signatures[0], CheckToken)
		if rep.Verdict != c.verdict || got.Reason != c.reason || (rep.Signatures[0].TrustedTime != "") != (c.reason == "") {
			t.Errorf("%s: %s", name, dump(rep))
		}
	}
}

// Pain 4, ofdrw #139: certificates with RSA crash or are called forged. They are
// of an algorithm that is not judged here, and everything else is.
func TestPain04RSAIsNamedAndNotGuessed(t *testing.T) {
	w := newWorld(t)
	rep := w.judge(rsaV1(w))
	s := rep.Signatures[0]
	if rep.Verdict != Indeterminate || rep.Integrity != Intact || find(s, CheckValue).Reason != ReasonAlgorithm || result(s, CheckReferences) != Pass ||
		result(s, CheckCertPeriod) != Pass {
		t.Error(dump(rep))
	}
}

// Pain 10, ofdrw #94: out of memory on big documents. A document is verified
// without being held: 64 MB, or 200 MB with YINXIN_SOAK=1, within a few
// megabytes.
func TestPain10BigDocumentInLittleMemory(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("YINXIN_SOAK") != "" {
		size = 200 << 20
	}
	w := newWorld(t)
	name := filepath.Join(t.TempDir(), "big.ofd")
	total := w.big(name, size)
	f, err := os.Open(name)
	w.must(err)
	defer f.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	from := time.Now()
	rep, err := Reader(context.Background(), f, total, w.options(nil))
	w.must(err)
	took := time.Since(from)
	runtime.ReadMemStats(&after)
	used := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes: %v, %.1f MB allocated in all", total, took.Round(time.Millisecond), float64(used)/(1<<20))
	if rep.Verdict != Valid || rep.Integrity != Intact || used > 8<<20 {
		t.Errorf("%d bytes allocated\n%s", used, dump(rep))
	}
}

// big writes a sealed document with an attachment of that size.
func (w *world) big(name string, size int64) int64 {
	w.tb.Helper()
	const attachment = "Doc_0/Res/big.bin"
	sum, crc := sm3.New(), crc32.NewIEEE()
	w.must(fill(sum, size))
	w.must(fill(crc, size))
	sealed := w.resign(w.put(w.notice(), false), forged{}, func(s string) string {
		return strings.Replace(s, "</ofd:References>", fmt.Sprintf(`<ofd:Reference FileRef="/%s"><ofd:CheckValue>%s</ofd:CheckValue></ofd:Reference></ofd:References>`,
			attachment, base64.StdEncoding.EncodeToString(sum.Sum(nil))), 1)
	})
	f, err := os.Create(name)
	w.must(err)
	defer f.Close()
	zw := zip.NewWriter(f)
	for _, e := range unzip(w.tb, sealed) {
		out, err := zw.Create(e.name)
		w.must(err)
		_, err = out.Write(e.body)
		w.must(err)
	}
	out, err := zw.CreateRaw(&zip.FileHeader{Name: attachment, Method: zip.Store, CRC32: crc.Sum32(), CompressedSize64: uint64(size), UncompressedSize64: uint64(size)})
	w.must(err)
	w.must(fill(out, size))
	w.must(zw.Close())
	info, err := f.Stat()
	w.must(err)
	return info.Size()
}

// fill writes size bytes that are always the same.
func fill(out io.Writer, size int64) error {
	if h, ok := out.(hash.Hash); ok {
		h.Reset()
	}
	block := bytes.Repeat([]byte("印信 "), 1<<13)
	for size > 0 {
		n := min(size, int64(len(block)))
		if _, err := out.Write(block[:n]); err != nil {
			return err
		}
		size -= n
	}
	return nil
}
