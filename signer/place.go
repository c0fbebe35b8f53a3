package signer

import (
	"fmt"
	"math"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Edge of the pages on which a ride seal (骑缝章) stands.
type Edge string

// Edges.
const (
	EdgeLeft   Edge = "left"
	EdgeRight  Edge = "right"
	EdgeTop    Edge = "top"
	EdgeBottom Edge = "bottom"
)

// Placement is where the stamp goes, in millimetres from the upper left corner
// of the page to that of the seal. Zero values: the last page; lower right, to
// the left of a seal that stands there already.
type Placement struct {
	Page int     `json:"page,omitempty"` // from 1; 0 is the last page
	X    float64 `json:"x,omitempty"`
	Y    float64 `json:"y,omitempty"` // X and Y both 0: lower right
	// Keyword centres the seal on the last place of this text, on Page when one is
	// given. X and Y do not count then.
	Keyword string `json:"keyword,omitempty"`
	// Ride puts slices of the seal on an edge of all pages; together they make the
	// whole seal. Of X and Y only the one along the edge counts; 0 is its middle.
	Ride Edge `json:"ride,omitempty"`
}

// Margins of the default place: where a seal stands on the date line of an
// official document (GB/T 9704, 7.3.5).
const (
	marginRight  = 26
	marginBottom = 40
	besides      = 3 // between two seals, so that each can be read
)

// minSlice is the thinnest slice of a ride seal that still shows something; a
// document of more pages gets several whole seals, each over a group of pages.
const minSlice = 4.0

// paper is a document as stamps see it.
type paper interface {
	sizes() []ofd.Box         // of the pages
	taken(page int) []ofd.Box // from 0: parts that earlier seals cover
	find(text string) ([]ofd.Hit, error)
}

// places finds every stamp of a job on the pages of a document. w and h are the
// seal's.
func (j Job) places(doc paper, w, h float64) ([]ofd.Place, error) {
	var out []ofd.Place
	for _, p := range append([]Placement{j.Placement}, j.Also...) {
		got, err := p.on(doc, w, h)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

func (p Placement) on(doc paper, w, h float64) ([]ofd.Place, error) {
	pages := doc.sizes()
	if len(pages) == 0 {
		return nil, fmt.Errorf("%w: it has no page", ErrDocument)
	}
	if p.Page < 0 || p.Page > len(pages) {
		return nil, fmt.Errorf("%w: no page %d of %d", ErrDocument, p.Page, len(pages))
	}
	switch {
	case p.Ride != "":
		return p.ride(doc, pages, w, h)
	case p.Keyword != "":
		return p.atKeyword(doc, pages, w, h)
	}
	if p.Page == 0 {
		p.Page = len(pages)
	}
	if p.X == 0 && p.Y == 0 {
		p.X, p.Y = lowerRight(pages[p.Page-1], doc.taken(p.Page-1), w, h)
	}
	return []ofd.Place{{Page: p.Page, X: p.X, Y: p.Y, W: w, H: h}}, nil
}

// lowerRight is the default place, moved left, and then up, beside the seals
// that stand there: seals of joint documents stand side by side and do not cover
// one another (GB/T 9704, 7.3.5.2). A full page gets the default place.
func lowerRight(page ofd.Box, used []ofd.Box, w, h float64) (x, y float64) {
	right, bottom := math.Max(page.W-w-marginRight, 0), math.Max(page.H-h-marginBottom, 0)
	for y = bottom; y >= 0; y -= h + besides {
		for x = right; x >= 0; x -= w + besides {
			if clear(ofd.Box{X: x, Y: y, W: w, H: h}, used) {
				return x, y
			}
		}
	}
	return right, bottom
}

func clear(b ofd.Box, used []ofd.Box) bool {
	for _, u := range used {
		if b.Meets(u) {
			return false
		}
	}
	return true
}

func (p Placement) atKeyword(doc paper, pages []ofd.Box, w, h float64) ([]ofd.Place, error) {
	hits, err := doc.find(p.Keyword)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	for i := len(hits) - 1; i >= 0; i-- {
		hit := hits[i]
		if p.Page != 0 && hit.Page != p.Page {
			continue
		}
		page := pages[hit.Page-1]
		return []ofd.Place{{
			Page: hit.Page, W: w, H: h,
			X: within(hit.Box.X+hit.Box.W/2-w/2, page.W-w), Y: within(hit.Box.Y+hit.Box.H/2-h/2, page.H-h),
		}}, nil
	}
	return nil, fmt.Errorf("%w: the text %q is not on its pages", ErrDocument, p.Keyword)
}

// within keeps a seal on the page, whole.
func within(v, most float64) float64 { return math.Max(0, math.Min(v, most)) }

// ride cuts the seal into one slice a page, and many pages into groups that
// carry a whole seal each.
func (p Placement) ride(doc paper, pages []ofd.Box, w, h float64) ([]ofd.Place, error) {
	long := w // the side that is cut
	switch p.Ride {
	case EdgeTop, EdgeBottom:
		long = h
	case EdgeLeft, EdgeRight:
	default:
		return nil, fmt.Errorf("%w: no edge %q", ErrDocument, p.Ride)
	}
	if len(pages) < 2 {
		return nil, fmt.Errorf("%w: a ride seal needs two pages", ErrDocument)
	}
	groups := int(math.Ceil(float64(len(pages)) / math.Max(2, math.Floor(long/minSlice))))
	out := make([]ofd.Place, 0, len(pages))
	for g := range groups {
		first, stop := g*len(pages)/groups, (g+1)*len(pages)/groups
		group := p.slices(pages[first:stop], 0, w, h)
		// Beside the slices of an earlier seal, all at one height.
		for n := 1; n < 6 && !shown(doc, pages, first, group); n++ {
			if moved := p.slices(pages[first:stop], n, w, h); shown(doc, pages, first, moved) {
				group = moved
			}
		}
		for i := range group {
			group[i].Page = first + i + 1
		}
		out = append(out, group...)
	}
	return out, nil
}

// shown reports whether all slices, from the first page on, are on their pages
// and free of other seals.
func shown(doc paper, pages []ofd.Box, first int, slices []ofd.Place) bool {
	for i, sl := range slices {
		page, b := pages[first+i], sl.Visible()
		if b.X < -0.01 || b.Y < -0.01 || b.X+b.W > page.W+0.01 || b.Y+b.H > page.H+0.01 || !clear(b, doc.taken(first+i)) {
			return false
		}
	}
	return true
}

// slices is the geometry of reference/ofd-and-seals §3.4: the box of the whole
// seal is pushed over the edge, the clip is the slice that shows, in seal space.
// step moves all of them along the edge: 0 is the middle, then +1, −1, +2, −2.
func (p Placement) slices(pages []ofd.Box, step int, w, h float64) []ofd.Place {
	n := float64(len(pages))
	out := make([]ofd.Place, len(pages))
	for k, pg := range pages {
		i, x, y := float64(k), p.X, p.Y
		if x == 0 {
			x = (pg.W-w)/2 + offset(step)*(w+besides)
		}
		if y == 0 {
			y = (pg.H-h)/2 + offset(step)*(h+besides)
		}
		var clip ofd.Box
		switch p.Ride {
		case EdgeRight:
			x, clip = pg.W-(i+1)*w/n, ofd.Box{X: i * w / n, W: w / n, H: h}
		case EdgeLeft:
			x, clip = -(n-1-i)*w/n, ofd.Box{X: (n - 1 - i) * w / n, W: w / n, H: h}
		case EdgeBottom:
			y, clip = pg.H-(i+1)*h/n, ofd.Box{Y: i * h / n, W: w, H: h / n}
		case EdgeTop:
			y, clip = -(n-1-i)*h/n, ofd.Box{Y: (n - 1 - i) * h / n, W: w, H: h / n}
		}
		out[k] = ofd.Place{X: x, Y: y, W: w, H: h, Clip: &clip}
	}
	return out
}

func offset(step int) float64 {
	if step%2 == 1 {
		return float64(step+1) / 2
	}
	return -float64(step) / 2
}
