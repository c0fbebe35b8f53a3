package signer

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/pdf"
)

// ofdPaper is an OFD package.
type ofdPaper struct{ *ofd.Package }

func (p ofdPaper) sizes() []ofd.Box {
	pages := p.Pages()
	out := make([]ofd.Box, len(pages))
	for i := range pages {
		out[i] = pages[i].Box
	}
	return out
}

func (p ofdPaper) taken(page int) []ofd.Box {
	id := p.Pages()[page].ID
	var out []ofd.Box
	for _, s := range p.Signatures() {
		for _, st := range s.Stamps {
			if st.PageRef != id {
				continue
			}
			b := st.Boundary
			if st.Clip != nil {
				b = ofd.Box{X: b.X + st.Clip.X, Y: b.Y + st.Clip.Y, W: st.Clip.W, H: st.Clip.H}
			}
			out = append(out, b)
		}
	}
	return out
}

func (p ofdPaper) find(text string) ([]ofd.Hit, error) { return p.Find(text) }

// pdfPaper is a PDF. Its texts are what TextFinder finds.
type pdfPaper struct {
	doc   *pdf.Document
	pages []pdf.Page
	sigs  []*pdf.Signature
	hits  func(text string) ([]pdf.Hit, error)
}

var errNoFinder = errors.New("a keyword in a PDF must be located first")

func openPaper(doc []byte) (pdfPaper, error) {
	p := pdfPaper{hits: func(string) ([]pdf.Hit, error) { return nil, errNoFinder }}
	d, err := pdf.OpenBytes(doc)
	p.doc = d
	if err == nil {
		p.pages, err = d.Pages()
	}
	if err == nil {
		p.sigs, err = d.Signatures()
	}
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return p, nil
}

func (p pdfPaper) sizes() []ofd.Box {
	out := make([]ofd.Box, len(p.pages))
	for i, pg := range p.pages {
		out[i] = ofd.Box{W: pg.W, H: pg.H}
	}
	return out
}

func (p pdfPaper) taken(page int) []ofd.Box {
	var out []ofd.Box
	for _, s := range p.sigs {
		for _, at := range s.Places {
			if at.Page == page+1 {
				out = append(out, ofd.Box(at.Rect))
			}
		}
	}
	return out
}

func (p pdfPaper) find(text string) ([]ofd.Hit, error) {
	hits, err := p.hits(text)
	var out []ofd.Hit
	for _, h := range hits {
		// The engine that finds may count other pages than the reader that seals:
		// then there is no place.
		if h.Page >= 1 && h.Page <= len(p.pages) {
			out = append(out, ofd.Hit{Page: h.Page, Box: ofd.Box(p.pages[h.Page-1].Shown(h.Box))})
		}
	}
	return out, err
}

// TextFinder finds a text on the pages of a PDF.
type TextFinder interface {
	Find(ctx context.Context, file []byte, text string) ([]pdf.Hit, error)
}

// Locate turns the keywords of a job into places on the pages of a PDF, which
// needs more of the file than sealing it. Jobs without keywords and other
// documents come back as they are.
func Locate(ctx context.Context, doc []byte, job Job, finder TextFinder) (Job, error) {
	e, err := job.seal()
	if err != nil || e == nil || !isPDF(doc) || finder == nil {
		return job, err
	}
	stamps := append([]Placement{job.Placement}, job.Also...)
	var p pdfPaper
	for i, st := range stamps {
		if st.Keyword == "" || st.Ride != "" {
			continue
		}
		if p.pages == nil {
			if p, err = openPaper(doc); err != nil {
				return Job{}, err
			}
			p.hits = func(text string) ([]pdf.Hit, error) { return finder.Find(ctx, doc, text) }
		}
		at, err := st.on(p, float64(e.Picture.Width), float64(e.Picture.Height))
		if err != nil {
			return Job{}, err
		}
		// The corner of the page itself would mean the default place.
		stamps[i] = Placement{Page: at[0].Page, X: max(at[0].X, 1e-6), Y: at[0].Y}
	}
	job.Placement, job.Also = stamps[0], stamps[1:]
	return job, nil
}
