package report

import (
	"context"
	"encoding/base64"
	"errors"
	"html/template"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd/svg"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Bounds of the pictures of one document: what a page still carries well.
const (
	maxPictures     = 5
	maxPictureBytes = 8 << 20
)

// Picture is one page of the document. Error and Warnings are keys of the
// catalogue; with an Error there is no URI.
type Picture struct {
	Number   int          // from 1
	URI      template.URL // data:
	Error    string
	Warnings []string // each once
}

// Pictures draws the first pages with the stamps that were verified, as data
// URIs for <img>: an SVG there runs no script and fetches nothing. painter draws
// PDF pages; without one a PDF has no pictures, as a document without pages.
func Pictures(ctx context.Context, doc []byte, rep verify.Report, words *text.Catalogue, lang text.Lang, painter signer.Painter) []Picture {
	return draw(ctx, doc, rep, words, lang, painter, maxPictures)
}

// Cover is Pictures of the first page alone, for lists of documents.
func Cover(ctx context.Context, doc []byte, rep verify.Report, words *text.Catalogue, lang text.Lang, painter signer.Painter) []Picture {
	return draw(ctx, doc, rep, words, lang, painter, 1)
}

func draw(ctx context.Context, doc []byte, rep verify.Report, words *text.Catalogue, lang text.Lang, painter signer.Painter, most int) []Picture {
	pages, err := signer.PageCount(doc)
	if err != nil || rep.Format == "pdf" && painter == nil {
		return nil
	}
	opt := signer.PreviewOptions{
		Painter: painter, Differs: words.Get("preview.stamp.differs").In(lang),
		Labels: svg.Labels{Annotation: words.Get("preview.label.annotation").In(lang), Picture: words.Get("preview.label.picture").In(lang)},
		Caption: func(s verify.Signature) string {
			name := s.Seal
			if name == "" {
				name = s.Signer
			}
			verdict := words.Get("verify.verdict." + string(s.Verdict)).In(lang)
			return words.Get("preview.caption").Fill("seal", text.Plain(name), "verdict", verdict).In(lang)
		},
	}
	var out []Picture
	left := maxPictureBytes
	for i := range min(pages, most) {
		p := Picture{Number: i + 1}
		r, err := signer.Preview(ctx, doc, rep, i, opt)
		switch {
		case err == nil && len(r.SVG) <= left:
			left -= len(r.SVG)
			p.URI = template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(r.SVG))
			for _, w := range r.Warnings {
				p.Warnings = include(p.Warnings, "preview.warning."+w.Code)
			}
		case err == nil || errors.Is(err, svg.ErrLimit):
			p.Error = "preview.error.limit"
		default:
			p.Error = "preview.error.page"
		}
		out = append(out, p)
	}
	return out
}
