package console

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

// Bounds of a preview: what a page of the console still carries well.
const (
	maxPictures     = 5
	maxPictureBytes = 8 << 20
)

// picture is one page of the verified document.
type picture struct {
	Number   int // from 1
	URI      template.URL
	Error    *text.Text
	Warnings []text.Text
}

// pictures draws the first pages with their stamps. An SVG in an <img> runs no
// script and fetches nothing; the stamps on it are those that were verified.
func (c *console) pictures(ctx context.Context, doc []byte, rep verify.Report) []picture {
	pages, err := signer.PageCount(doc)
	if err != nil || rep.Format == "pdf" && c.cfg.Painter == nil {
		return nil
	}
	opt := signer.PreviewOptions{
		Painter: c.cfg.Painter, Differs: c.cfg.Words.Get("preview.stamp.differs").Zh,
		Labels: svg.Labels{Annotation: c.cfg.Words.Get("preview.label.annotation").Zh, Picture: c.cfg.Words.Get("preview.label.picture").Zh},
		Caption: func(s verify.Signature) string {
			name := s.Seal
			if name == "" {
				name = s.Signer
			}
			return c.cfg.Words.Get("preview.caption").Fill("seal", plain(name), "verdict", c.cfg.Words.Get("verify.verdict."+string(s.Verdict)).Zh).Zh
		},
	}
	var out []picture
	left := maxPictureBytes
	for i := range min(pages, maxPictures) {
		p := picture{Number: i + 1}
		r, err := signer.Preview(ctx, doc, rep, i, opt)
		switch {
		case err == nil && len(r.SVG) <= left:
			left -= len(r.SVG)
			p.URI = template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(r.SVG))
			p.Warnings = c.pictureWarnings(r.Warnings)
		case err == nil || errors.Is(err, svg.ErrLimit):
			t := c.cfg.Words.Get("preview.error.limit")
			p.Error = &t
		default:
			c.cfg.Log.InfoContext(ctx, "no preview", "page", i+1, "error", err)
			t := c.cfg.Words.Get("preview.error.page")
			p.Error = &t
		}
		out = append(out, p)
	}
	return out
}

// pictureWarnings says each kind of omission once.
func (c *console) pictureWarnings(ws []svg.Warning) (out []text.Text) {
	seen := map[string]bool{}
	for _, w := range ws {
		if !seen[w.Code] {
			seen[w.Code] = true
			out = append(out, c.cfg.Words.Get("preview.warning."+w.Code))
		}
	}
	return out
}
