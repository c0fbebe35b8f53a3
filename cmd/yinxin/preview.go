package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// pngSide is the longer side of a plain picture of a page.
const pngSide = 1580

// previewResult is what --json prints.
type previewResult struct {
	Out      string         `json:"out"`
	Page     int            `json:"page"`
	Pages    int            `json:"pages"`
	Verdict  verify.Verdict `json:"verdict"`
	Warnings []svg.Warning  `json:"warnings"`
}

type previewFlags struct {
	trust, out string
	page       int
	force      bool
}

// newPreviewCommand draws one page of a document offline, with the verdict beside
// each stamp.
func newPreviewCommand(u *ui) *cobra.Command {
	var f previewFlags
	word := func(key string) string { return u.words.Get("preview." + key).Both() }
	cmd := &cobra.Command{
		Use:   "preview --out PAGE.svg|PAGE.png [--page N] FILE.ofd|FILE.pdf",
		Short: word("command"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := f.run(cmd.Context(), u, args[0])
			if err != nil {
				return err
			}
			if u.json {
				return u.printJSON(res)
			}
			u.say("preview.done", "out", res.Out, "page", fmt.Sprint(res.Page), "pages", fmt.Sprint(res.Pages))
			for _, w := range res.Warnings {
				line := u.words.Get("preview.warning." + w.Code).Both()
				if w.Detail != "" {
					line += ": " + text.Plain(w.Detail)
				}
				fmt.Fprintln(u.out, "!", line)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&f.page, "page", 1, word("flag.page"))
	cmd.Flags().StringVar(&f.out, "out", "", word("flag.out"))
	cmd.Flags().StringVar(&f.trust, "trust", "", u.words.Get("verify.flag.trust").Both())
	cmd.Flags().BoolVar(&f.force, "force", false, u.words.Get("sign.flag.force").Both())
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic(err) // a flag that is defined above
	}
	return cmd
}

func (f previewFlags) run(ctx context.Context, u *ui, name string) (res previewResult, err error) {
	if err := free(f.out, f.force); err != nil {
		return res, fail(err, "sign.hint.output")
	}
	kind := strings.ToLower(filepath.Ext(f.out))
	if kind != ".svg" && kind != ".png" {
		return res, fail(fmt.Errorf("%s: neither .svg nor .png", f.out), "preview.hint.kind")
	}
	found, err := verifyFlags{trust: f.trust}.judge(ctx, name)
	if err != nil {
		return res, err
	}
	defer found.Close()
	doc, err := readOpen(io.NewSectionReader(found, 0, found.size), name, maxDocument)
	if err != nil {
		return res, fail(err, "verify.hint.file")
	}
	rep := found.rep
	res = previewResult{Out: f.out, Page: f.page, Verdict: rep.Verdict, Warnings: []svg.Warning{}}
	if res.Pages, err = signer.PageCount(doc); err != nil {
		return res, fail(err, "verify.hint.document")
	}
	if f.page < 1 || f.page > res.Pages {
		return res, fail(fmt.Errorf("%s: no page %d of %d", name, f.page, res.Pages), "preview.hint.page")
	}
	view := newPDFView()
	defer func() { err = errors.Join(err, view.Close()) }()
	var out []byte
	if kind == ".png" {
		out, err = plainPage(ctx, view, rep, doc, f.page)
	} else {
		var r svg.Result
		r, err = signer.Preview(ctx, doc, rep, f.page-1, previewWords(u, view))
		out, res.Warnings = r.SVG, append(res.Warnings, r.Warnings...)
	}
	if err != nil {
		return res, fail(fmt.Errorf("%s: %w", name, err), previewHint(err))
	}
	if err := writeWhole(f.out, out, f.force); err != nil {
		return res, fail(err, "sign.hint.output")
	}
	return res, nil
}

// newPDFView draws PDF pages with the fonts of this machine. It starts when it is
// first asked.
func newPDFView() *pdfview.Viewer {
	return pdfview.New(pdfview.Config{Fonts: pdfview.SystemFonts(), Cache: pdfview.UserCache()})
}

var errRaster = errors.New("only a PDF page has a PNG picture")

// plainPage is a page as a reader shows it, with no word about its seals.
func plainPage(ctx context.Context, p signer.Painter, rep verify.Report, doc []byte, page int) ([]byte, error) {
	if rep.Format != "pdf" {
		return nil, errRaster
	}
	r, err := p.Paint(ctx, doc, page, pngSide, pngSide, true)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = png.Encode(&out, r.Image)
	return out.Bytes(), err
}

// previewWords are the words of the catalogue, in both languages.
func previewWords(u *ui, p signer.Painter) signer.PreviewOptions {
	both := func(key string) string { return u.words.Get(key).Both() }
	return signer.PreviewOptions{
		Painter: p, Differs: both("preview.stamp.differs"),
		Labels: svg.Labels{Annotation: both("preview.label.annotation"), Picture: both("preview.label.picture")},
		Caption: func(s verify.Signature) string {
			name := s.Seal
			if name == "" {
				name = s.Signer
			}
			return u.words.Get("preview.caption").Fill("seal", text.Plain(name), "verdict", u.words.Get("verify.verdict."+string(s.Verdict)).Zh).Zh
		},
	}
}

func previewHint(err error) string {
	switch {
	case errors.Is(err, errRaster):
		return "preview.hint.kind"
	case errors.Is(err, svg.ErrLimit):
		return "preview.hint.limit"
	}
	return "preview.hint.page"
}
