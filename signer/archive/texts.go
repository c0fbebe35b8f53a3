package archive

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Limits of the rendition: what exceeds them has none, and the original is the
// readable form.
const (
	maxRendered  = 32 << 20 // of the original
	maxPages     = 200
	maxRendition = 64 << 20
)

// texts are the files for people: what this package is, and the report in words.
func (d *Draft) texts(job Job) ([]file, error) {
	report, err := marshal(d.Report)
	if err != nil {
		return nil, fmt.Errorf("archive: encode report: %w", err)
	}
	w := d.cfg.Words
	readme := w.Get("archive.readme").Fill("document", text.Plain(d.sources[0].Path), "title", text.Plain(job.Metadata.Title))
	return []file{
		{fileReadme, []byte(readme.Zh + "\n" + readme.En)},
		{fileReport, report},
		{fileReadable, []byte(d.readable(job))},
	}, nil
}

// readable is the report of the day of archiving, each line in both languages.
func (d *Draft) readable(job Job) string {
	var b strings.Builder
	w, m := d.cfg.Words, &job.Metadata
	say := func(key string, pairs ...string) { fmt.Fprintln(&b, w.Get(key).Fill(pairs...).Both()) }
	t := func(key string) string { return w.Get(key).Both() }
	say("archive.text.head")
	for _, l := range [][2]string{
		{"doc_no", m.DocNo}, {"title", m.Title}, {"creator", m.Creator}, {"date", m.Date}, {"unit", m.Unit.Name + " " + m.Unit.USCC},
		{"sender", m.Sender.Name + " " + m.Sender.USCC}, {"recipient", m.Recipient.Name + " " + m.Recipient.USCC},
		{"sent", stamp(m.SentAt)}, {"received", stamp(m.ReceivedAt)}, {"sm3", d.SM3},
	} {
		fmt.Fprintf(&b, "  %s: %s\n", t("archive.text."+l[0]), text.Plain(l[1]))
	}
	fmt.Fprintf(&b, "\n%s; %s\n", t("verify.verdict."+string(d.Report.Verdict)), t("verify.integrity."+string(d.Report.Integrity)))
	if len(d.Report.Citations) > 0 { // 京政发〔2017〕37号 art. 19
		say("verify.line.citations")
	}
	for _, c := range d.Report.Citations {
		say("verify.line.citation", "result", t("verify.result."+string(c.Result)), "title", text.Plain(c.Title), "resource", text.Plain(c.Resource),
			"provider", text.Plain(c.ProviderName), "code", text.Plain(c.Provider), "consent", text.Plain(c.Consent))
		if c.Note != "" {
			say("verify.line.citation_note", "note", text.Plain(c.Note))
		}
		if c.Reason != "" {
			fmt.Fprintf(&b, "      %s\n", t("verify.reason."+c.Reason))
		}
	}
	checks := func(list []verify.Check) {
		for _, c := range list {
			fmt.Fprintf(&b, "  [%s] %s — %s\n", t("verify.result."+string(c.Result)), t("verify.check."+c.ID), c.Clause)
			if c.Reason != "" {
				fmt.Fprintf(&b, "      %s\n", t("verify.reason."+c.Reason))
			}
			if c.Detail != "" {
				fmt.Fprintf(&b, "      %s\n", text.Plain(c.Detail))
			}
		}
	}
	checks(d.Report.Checks)
	for _, s := range d.Report.Signatures {
		fmt.Fprintf(&b, "\n%s\n", text.Plain(strings.Join([]string{s.ID, s.Standard, s.Signer, s.Seal, s.SignedAt}, " | ")))
		checks(s.Checks)
	}
	for _, warning := range d.Report.Warnings {
		fmt.Fprintf(&b, "  ! %s %s\n", t("verify.warning."+warning.Code), text.Plain(warning.Path))
	}
	fmt.Fprintln(&b)
	say("verify.line.legal")
	return b.String()
}

// rendition draws the pages of an OFD document with its stamps. A page that cannot
// be drawn is left out: nothing rests on these pictures but convenience.
func (d *Draft) rendition(ctx context.Context, job Job) (out []file) {
	if d.Report.Format != "ofd" || job.Size > maxRendered {
		return nil
	}
	doc := make([]byte, job.Size)
	if _, err := io.ReadFull(io.NewSectionReader(job.Document, 0, job.Size), doc); err != nil {
		return nil
	}
	pkg, err := ofd.Open(doc)
	if err != nil || len(pkg.Pages()) > maxPages {
		return nil
	}
	w := d.cfg.Words
	words := signer.PreviewOptions{
		Labels: svg.Labels{Annotation: w.Get("preview.label.annotation").Zh, Picture: w.Get("preview.label.picture").Zh},
		Caption: func(s verify.Signature) string {
			return w.Get("preview.caption").Fill("seal", text.Plain(s.Seal), "verdict", w.Get("verify.verdict."+string(s.Verdict)).Zh).Zh
		},
	}
	left := maxRendition
	for i := range pkg.Pages() {
		page, err := signer.Preview(ctx, doc, d.Report, i, words)
		if left -= len(page.SVG); err == nil && left >= 0 {
			out = append(out, file{fmt.Sprintf("%s%04d.svg", dirRendition, i+1), page.SVG})
		}
	}
	return out
}
