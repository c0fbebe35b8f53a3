package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// teller prints the walk: a head for each chapter, a line for each step with
// ✓ or ✗ and the ledger sequence number of its record. A write that fails is
// kept and told once, at the end.
type teller struct {
	out     io.Writer
	words   *text.Catalogue
	chapter int
	err     error
}

func (t *teller) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(t.out, format, args...); err != nil && t.err == nil {
		t.err = err
	}
}

// head opens a chapter.
func (t *teller) head(key string) {
	t.chapter++
	t.printf("\n%d. %s\n", t.chapter, t.words.Get(key).Both())
}

// done prints a step that ended as it should.
func (t *teller) done(rc ledger.Receipt, key string, pairs ...string) {
	t.printf("  ✓ %s  %s\n", seq(rc), t.words.Get(key).Fill(pairs...).Both())
}

// plain prints a step that leaves no record: reading and verifying offline.
func (t *teller) plain(ok bool, key string, pairs ...string) {
	mark := "✓"
	if !ok {
		mark = "✗"
	}
	t.printf("  %s %s  %s\n", mark, strings.Repeat(" ", seqWidth), t.words.Get(key).Fill(pairs...).Both())
}

// refused prints a denial: code, clauses, why, and what would have to change.
func (t *teller) refused(rc ledger.Receipt, key string, reasons []authz.Reason) {
	t.printf("  ✗ %s  %s\n", seq(rc), t.words.Get(key).Both())
	pad := strings.Repeat(" ", seqWidth+6)
	for _, r := range reasons {
		t.printf("%s%s (%s) %s\n", pad, r.Code, strings.Join(r.Clauses, ", "), r.Detail)
		t.printf("%s%s / %s\n", pad, r.Zh, r.En)
		t.printf("%s→ %s / %s\n", pad, r.FixZh, r.FixEn)
	}
}

// line prints text as it is.
func (t *teller) line(s string) { t.printf("%s\n", s) }

const seqWidth = 5

func seq(rc ledger.Receipt) string {
	if rc.Promise < ledger.Integrated {
		return strings.Repeat(" ", seqWidth)
	}
	return fmt.Sprintf("#%04d", rc.Seq)
}
