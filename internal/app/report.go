package app

import (
	"bytes"
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// ReportRequest asks for a report on a document.
type ReportRequest struct {
	File     string // name, for the report
	Document []byte
	Level    report.Level
	// Known: the caller is a person or system of the district. Only they are told
	// who put a seal on and who approved it; to others the records stay closed, and
	// what rests on them is indeterminate.
	Known bool
}

// Report judges a document as Verify does and reports on it, with the house's own
// records as evidence. It returns the judgement too, for pictures of the pages.
func (h *House) Report(ctx context.Context, q ReportRequest) (report.Report, verify.Report, error) {
	at := h.cfg.Now()
	opt, err := h.verifyOptions(ctx)
	if err != nil {
		return report.Report{}, verify.Report{}, err
	}
	opt.File, opt.SelfTest, opt.Now = q.File, true, func() time.Time { return at }
	judged, err := verify.Document(ctx, q.Document, opt)
	if err != nil {
		return report.Report{}, judged, err
	}
	in := report.Input{
		Judged: judged, Document: bytes.NewReader(q.Document), Size: int64(len(q.Document)), Trust: opt.Trust, Level: q.Level,
		JudgedAt: at, MadeAt: h.cfg.Now(), Version: Version,
	}
	if q.Known {
		in.Source = h.evidence()
	}
	r, err := report.Make(ctx, in)
	return r, judged, err
}

// reportData is Report for the API, whose documents have no name.
func (h *House) reportData(ctx context.Context, document []byte, level report.Level, known bool) (report.Report, error) {
	r, _, err := h.Report(ctx, ReportRequest{Document: document, Level: level, Known: known})
	return r, err
}

// reportPage is Report for the console.
func (h *House) reportPage(ctx context.Context, name string, document []byte, known bool) (report.Report, verify.Report, error) {
	return h.Report(ctx, ReportRequest{File: name, Document: document, Level: report.Detailed, Known: known})
}
