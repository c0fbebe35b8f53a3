package ofd

import "fmt"

// layout breaks the notice into pages of positioned lines.
func (n Notice) layout() [][]line {
	var pages [][]line
	var page []line
	y := top
	feed := func(step float64) {
		if y += step; y > bottom {
			pages, page = append(pages, page), nil
			y = top
		}
	}
	put := func(l line) {
		l.y = y
		page = append(page, l)
	}
	centre := func(text string, size float64, font int, red bool) {
		put(line{text: text, x: left + max(0, (width-extent(text)*size)/2), size: size, font: font, red: red})
	}

	// The red head shrinks until the issuer's name fits one line.
	size := min(redSize, width/max(1, extent(n.Issuer)))
	feed(size)
	centre(n.Issuer, size, fontSong, true)
	if n.DocNo != "" {
		feed(2 * bodyStep)
		centre(n.DocNo, bodySize, fontFang, false)
	}
	feed(4)
	put(line{rule: true, x: left})
	feed(2 * bodyStep)
	for i, t := range wrap(n.Title, width/titleSize, 0) {
		if i > 0 {
			feed(titleSize * 1.5)
		}
		centre(t, titleSize, fontHei, false)
	}
	feed(bodyStep)
	for _, p := range n.Body {
		for i, t := range wrap(p, width/bodySize, 2) {
			feed(bodyStep)
			x := left
			if i == 0 {
				x += 2 * bodySize // paragraphs start two characters in
			}
			put(line{text: t, x: x, size: bodySize, font: fontFang})
		}
	}
	// Issuer and date stay together, right of the middle, where the seal goes.
	feed(2 * bodyStep)
	if y+bodyStep > bottom {
		feed(bottom)
	}
	date := fmt.Sprintf("%d年%d月%d日", n.Date.Year(), int(n.Date.Month()), n.Date.Day())
	block := max(extent(n.Issuer), extent(date)) * bodySize
	x := max(left, left+width-block-4*bodySize)
	for _, t := range []string{n.Issuer, date} {
		put(line{text: t, x: x + max(0, (block-extent(t)*bodySize)/2), size: bodySize, font: fontFang})
		feed(bodyStep)
	}
	if len(page) > 0 {
		pages = append(pages, page)
	}
	return pages
}

// noStart are marks that may not begin a line (避头点).
const noStart = "，。、；：？！）》”’〕】…"

// wrap breaks a paragraph into lines of at most ems characters; indent is what
// the first line has less. A mark that may not begin a line hangs on the one
// before.
func wrap(s string, ems, indent float64) []string {
	var out []string
	var cur []rune
	used := indent
	for _, r := range s {
		if used+advance(r) > ems && len(cur) > 0 && !contains(noStart, r) {
			out, cur, used = append(out, string(cur)), nil, 0
		}
		cur = append(cur, r)
		used += advance(r)
	}
	return append(out, string(cur))
}

func contains(set string, r rune) bool {
	for _, c := range set {
		if c == r {
			return true
		}
	}
	return false
}

// advance is the width of a character in ems: Latin letters and digits take half
// of a Chinese one in the named fonts.
func advance(r rune) float64 {
	if r < 0x2000 {
		return 0.5
	}
	return 1
}

func extent(s string) float64 {
	w := 0.0
	for _, r := range s {
		w += advance(r)
	}
	return w
}
