package pdfview

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/yinxin-gov/yinxin/signer/pdf"
)

// Find lists the places of a text on the pages, in the order of the pages. White
// space does not count, because producers break lines and words as they like.
// Text in annotations and pictures is not searched. Errors: pdf.ErrFormat,
// pdf.ErrLimit.
func (v *Viewer) Find(ctx context.Context, file []byte, text string) (hits []pdf.Hit, err error) {
	want := []rune(squeeze(text))
	if len(want) == 0 {
		return nil, nil
	}
	err = v.with(ctx, file, func(d document) error {
		if d.pages > maxPages {
			return fmt.Errorf("%w: search in %d pages", pdf.ErrLimit, d.pages)
		}
		left := maxChars
		for n := 1; n <= d.pages; n++ {
			boxes, err := d.find(n, want, &left)
			if err != nil {
				return err
			}
			for _, b := range boxes {
				hits = append(hits, pdf.Hit{Page: n, Box: b})
			}
		}
		return nil
	})
	return hits, err
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// find searches one page; left is what the file may still cost.
func (d document) find(n int, want []rune, left *int) ([]pdf.Box, error) {
	loaded, err := d.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: d.ref, Index: n - 1})
	if err != nil {
		return nil, broken(err)
	}
	p := requests.Page{ByReference: &loaded.Page}
	text, err := d.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: p})
	if err != nil {
		return nil, broken(err)
	}
	count, err := d.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: text.TextPage})
	if err != nil {
		return nil, broken(err)
	}
	if *left -= count.Count; *left < 0 {
		return nil, fmt.Errorf("%w: search in more than %d characters", pdf.ErrLimit, maxChars)
	}
	var runes []rune
	var at []int // index of each rune on the page
	for i := range count.Count {
		c, err := d.FPDFText_GetUnicode(&requests.FPDFText_GetUnicode{TextPage: text.TextPage, Index: i})
		if err != nil {
			return nil, broken(err)
		}
		if r := rune(c.Unicode); r > ' ' && !unicode.IsSpace(r) {
			runes, at = append(runes, r), append(at, i)
		}
	}
	var out []pdf.Box
	for i := 0; i+len(want) <= len(runes); i++ {
		if !slices.Equal(runes[i:i+len(want)], want) {
			continue
		}
		b, err := d.box(text.TextPage, at[i:i+len(want)])
		if err != nil {
			return nil, err
		}
		out = append(out, b)
		i += len(want) - 1
	}
	if _, err := d.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: text.TextPage}); err != nil {
		return nil, broken(err)
	}
	if _, err := d.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page}); err != nil {
		return nil, broken(err)
	}
	return out, nil
}

// box is around the characters, in the page's own space.
func (d document) box(text references.FPDF_TEXTPAGE, chars []int) (out pdf.Box, err error) {
	for i, c := range chars {
		b, err := d.FPDFText_GetCharBox(&requests.FPDFText_GetCharBox{TextPage: text, Index: c})
		if err != nil {
			return pdf.Box{}, broken(err)
		}
		got := pdf.Box{X0: b.Left, Y0: b.Bottom, X1: b.Right, Y1: b.Top}
		if i == 0 {
			out = got
			continue
		}
		out = pdf.Box{X0: min(out.X0, got.X0), Y0: min(out.Y0, got.Y0), X1: max(out.X1, got.X1), Y1: max(out.Y1, got.Y1)}
	}
	return out, nil
}
