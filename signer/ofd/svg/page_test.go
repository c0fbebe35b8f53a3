package svg

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
)

var update = flag.Bool("update", false, "write the golden pictures")

func notice(tb testing.TB) []byte {
	tb.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{
		Title: "关于开展公共数据共享工作的通知", DocNo: "东数发〔2026〕1号", Issuer: "东海区大数据管理局",
		Body: []string{"各有关单位：", strings.Repeat("请按照要求做好公共数据目录编制和共享工作，确保 2026 年底前完成。", 14), "特此通知。"},
		Date: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

// The pictures of our own notice are kept: run with -update after a change and
// look at them.
func TestNoticeGolden(t *testing.T) {
	pkg := open(t, notice(t))
	if len(pkg.Pages()) != 2 {
		t.Fatal(len(pkg.Pages()))
	}
	for i := range pkg.Pages() {
		r, err := Page(pkg, i, Options{})
		if err != nil || len(r.Warnings) > 0 {
			t.Fatal(err, r.Warnings)
		}
		if err := safe(r.SVG); err != nil {
			t.Error(err)
		}
		file := filepath.Join("testdata", fmt.Sprintf("notice_%d.svg", i))
		if *update {
			if err := os.WriteFile(file, r.SVG, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(golden, r.SVG) {
			t.Errorf("page %d differs from %s (%v)", i, file, err)
		}
	}
}

// Every page of the corpus is drawn, or refused for a reason that is known.
func TestCorpus(t *testing.T) {
	dir := ofdtest.Corpus(t)
	refused := map[string]bool{"koal_dup_first.ofd": true, "ofdrw_dup_entry.ofd": true, "ofdrw_content_flip.ofd": true}
	pages := 0
	for _, sub := range []string{"plain", "sealed", "made", "negative"} {
		files, err := filepath.Glob(filepath.Join(dir, sub, "*.ofd"))
		if err != nil || len(files) == 0 {
			t.Fatal(sub, err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			pkg := open(t, data)
			for i := range pkg.Pages() {
				pages++
				r, err := Page(pkg, i, Options{Stamps: []Stamp{{Box: ofd.Box{X: 10, Y: 10, W: 40, H: 40}, Class: Invalid, Caption: "<b>"}}})
				if (err != nil) != refused[filepath.Base(f)] {
					t.Errorf("%s page %d: %v", filepath.Base(f), i, err)
				}
				if err == nil {
					if err := safe(r.SVG); err != nil {
						t.Errorf("%s page %d: %v", filepath.Base(f), i, err)
					}
				}
			}
		}
	}
	if pages < 50 {
		t.Errorf("only %d pages", pages)
	}
}

func TestWarningsHaveWords(t *testing.T) {
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range WarningCodes() {
		if !c.Has("preview.warning." + code) {
			t.Errorf("%s has no words", code)
		}
	}
}

func BenchmarkNotice(b *testing.B) {
	pkg := open(b, notice(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Page(pkg, 0, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}
