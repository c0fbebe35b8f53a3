package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
)

// maxPictured bounds the document whose pages are drawn on a printable page; a
// larger one gets its page without pictures.
const maxPictured = 64 << 20

// reporting is what the flags of verify ask for beside the judgement.
type reporting struct {
	level string // of the report on stdout; "": none
	page  string // file of the printable page; "": none
	lang  string
}

func (q reporting) wanted() bool { return q.level != "" || q.page != "" }

// check refuses a mistake before a long verification.
func (q reporting) check(force bool) error {
	if _, ok := report.ParseLevel(q.level); q.level != "" && !ok {
		return fail(fmt.Errorf("--report %q", q.level), "verify.hint.report")
	}
	if q.lang != string(text.Zh) && q.lang != string(text.En) {
		return fail(fmt.Errorf("--lang %q", q.lang), "verify.hint.lang")
	}
	if q.page == "" {
		return nil
	}
	if err := free(q.page, force); err != nil {
		return fail(err, "verify.hint.page")
	}
	return nil
}

// errMoved: the SM3 of one document and the verdict on another make no report.
var errMoved = errors.New("the file changed while it was verified")

// report makes the report of a judgement and writes the page, if asked for.
// Offline nobody knows more than the document: there is no evidence from outside.
func (u *ui) report(ctx context.Context, f judgedFile, q verifyFlags) (report.Report, error) {
	level, _ := report.ParseLevel(q.level)
	in := report.Input{
		Judged: f.rep, Document: f, Size: f.size, Trust: f.trust, JudgedAt: f.at, MadeAt: time.Now(), Version: version, Level: level,
	}
	if level == report.Simple {
		in.Level = report.Detailed // for the page
	}
	r, err := report.Make(ctx, in)
	if err == nil && r.Document.SM3 != f.sm3 {
		err = errMoved
	}
	if err != nil {
		return report.Report{}, fail(err, "verify.hint.file")
	}
	if q.page != "" {
		if err := u.writePage(ctx, f, r, q); err != nil {
			return report.Report{}, err
		}
	}
	return r.At(level), nil
}

func (u *ui) writePage(ctx context.Context, f judgedFile, r report.Report, q verifyFlags) error {
	printer, err := report.NewPrinter(u.words)
	if err != nil {
		return err
	}
	var pictures []report.Picture
	if f.size <= maxPictured {
		doc, err := io.ReadAll(io.NewSectionReader(f, 0, f.size))
		if err != nil {
			return fail(err, "verify.hint.file")
		}
		view := newPDFView()
		pictures = report.Pictures(ctx, doc, f.rep, u.words, text.Lang(q.lang), view)
		if err := view.Close(); err != nil {
			return err
		}
	}
	page, err := printer.Page(r, text.Lang(q.lang), pictures)
	if err != nil {
		return err
	}
	if err := writeWhole(q.page, page, q.force); err != nil {
		return fail(err, "verify.hint.page")
	}
	return nil
}
