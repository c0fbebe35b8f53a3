package signer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// The overlay shows what the report says of each seal, in its words, and nothing
// of a report that is about something else.
func TestPreviewShowsTheVerdict(t *testing.T) {
	h := newHouse(t)
	h.makeSeal(t)
	doc := notice(t)
	u := h.approve(t, doc)
	got, err := h.Seal(context.Background(), clerk, u.ID, doc, signer.Placement{})
	if err != nil {
		t.Fatal(err)
	}
	report := func(data []byte, trust *verify.Trust) verify.Report {
		rep, err := verify.Document(context.Background(), data, verify.Options{Trust: trust, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	words := signer.PreviewOptions{
		Labels:  svg.Labels{Annotation: "批注"},
		Caption: func(s verify.Signature) string { return s.Seal + "：" + string(s.Verdict) + "！" },
	}
	show := func(data []byte, rep verify.Report, page int) string {
		r, err := signer.Preview(context.Background(), data, rep, page, words)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.SVG)
	}
	p, err := ofd.Open(got.Document)
	if err != nil {
		t.Fatal(err)
	}
	last := len(p.Pages()) - 1
	trusted, stranger := report(got.Document, verify.NewTrust(h.unitCert, h.makerCert)), report(got.Document, nil)
	for class, rep := range map[string]verify.Report{"valid": trusted, "indeterminate": stranger} {
		out := show(got.Document, rep, last)
		if !strings.Contains(out, `class="stamp `+class+`"`) || !strings.Contains(out, "样例区大数据管理局（样章）："+class+"！") ||
			strings.Count(out, "data:image/png") != 1 {
			t.Errorf("%s: %s", class, out)
		}
	}
	failed := trusted
	failed.Checks = append([]verify.Check{{ID: "x", Result: verify.Fail}}, trusted.Checks...)
	if out := show(got.Document, failed, last); !strings.Contains(out, `class="stamp invalid"`) || strings.Contains(out, "stamp valid") {
		t.Error("a seal on an unsound document is shown as valid")
	}
	if out := show(doc, report(doc, nil), last); strings.Contains(out, "stamp") {
		t.Error("a stamp on a document without one")
	}
	renamed := trusted
	renamed.Signatures = []verify.Signature{{ID: "s999", Verdict: verify.Valid}}
	for name, rep := range map[string]verify.Report{
		"of the unsealed document": report(doc, nil), "empty": {}, "of another signature": renamed, "of a pdf": {Format: "pdf"},
	} {
		if _, err := signer.Preview(context.Background(), got.Document, rep, last, words); !errors.Is(err, signer.ErrReport) {
			t.Errorf("report %s: %v", name, err)
		}
	}
	if _, err := signer.Preview(context.Background(), []byte("%PDF-1.7"), trusted, 0, words); !errors.Is(err, signer.ErrDocument) {
		t.Error(err)
	}
	for _, page := range []int{-1, last + 1} {
		if _, err := signer.Preview(context.Background(), got.Document, trusted, page, words); !errors.Is(err, svg.ErrPage) {
			t.Errorf("page %d: %v", page, err)
		}
	}
	once, again := show(got.Document, trusted, last), show(got.Document, trusted, last)
	if once != again {
		t.Error("two pictures of one page")
	}
}
