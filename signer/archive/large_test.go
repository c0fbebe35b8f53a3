package archive_test

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// large is a PDF of one page whose content is size zeros behind a comment: bytes
// that are nowhere held.
type large struct {
	head, tail string
	size       int64
}

func newLarge(size int64) large {
	l := large{size: size}
	var offsets []int
	put := func(n int, body string) {
		offsets = append(offsets, len(l.head))
		l.head += fmt.Sprintf("%d 0 obj\n%s\nendobj\n", n, body)
	}
	l.head = "%PDF-1.4\n"
	put(1, "<< /Type /Catalog /Pages 2 0 R >>")
	put(2, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	put(3, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>")
	offsets = append(offsets, len(l.head))
	l.head += fmt.Sprintf("4 0 obj\n<< /Length %d >>\nstream\n", size)
	l.tail = "\nendstream\nendobj\n"
	at := int64(len(l.head)+len(l.tail)) + size
	l.tail += "xref\n0 5\n0000000000 65535 f \n"
	for _, o := range offsets {
		l.tail += fmt.Sprintf("%010d 00000 n \n", o)
	}
	l.tail += fmt.Sprintf("trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", at)
	return l
}

func (l large) total() int64 { return int64(len(l.head)+len(l.tail)) + l.size }

func (l large) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) && at < l.total() {
		switch {
		case at < int64(len(l.head)):
			k := copy(b[n:], l.head[at:])
			n, at = n+k, at+int64(k)
		case at < int64(len(l.head))+l.size:
			k := int(min(int64(len(b)-n), int64(len(l.head))+l.size-at))
			clear(b[n : n+k])
			n, at = n+k, at+int64(k)
		default:
			k := copy(b[n:], l.tail[at-int64(len(l.head))-l.size:])
			n, at = n+k, at+int64(k)
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// A document of 200 MB passes through packing and verification and is never held
// (design §10: within 100 MB over idle). What is counted is everything that was ever
// allocated, which bounds what was held.
func TestLargeDocumentIsStreamed(t *testing.T) {
	w := newWorld(t)
	doc := newLarge(200 << 20)
	cfg := w.config(w.service(true, start, years(5)))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := archive.Prepare(bg, cfg, archive.Job{Name: "large.pdf", Document: doc, Size: doc.total(), Metadata: metadata()})
	must(t, err)
	rep, err := d.Write(bg, filepath.Join(t.TempDir(), "large.zip")) // which verifies it
	must(t, err)
	runtime.ReadMemStats(&after)
	if mb := float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20); mb > 100 {
		t.Errorf("%.1f MB", mb)
	} else {
		t.Logf("%.1f MB allocated in all", mb)
	}
	if rep.Verdict != verify.Indeterminate || !rep.Is(archive.CheckDocument, verify.CannotTell, archive.ReasonUnsigned) || rep.ArchivedAt == "" {
		t.Errorf("%s\n%s", rep.Verdict, bad(rep))
	}
}
