package svg

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// drawing is the output of one page and the counters that bound it. Templates,
// composites and nested packages draw into the same one, so that no nesting
// multiplies a limit.
type drawing struct {
	body, defs bytes.Buffer
	labels     Labels
	ids        int
	objects    int
	chars      int
	work       int
	xmlBytes   int64
	mediaBytes int64
	imageBytes int64
	pixels     int64
	fontBytes  int64
	pictures   map[string]string // digest of a picture → its id, "" when it cannot be drawn
	warnings   []Warning
	seen       map[Warning]bool
	failed     error // the first limit of the page as a whole
}

func newDrawing(l Labels) *drawing {
	if l.Annotation == "" {
		l.Annotation = "annotation"
	}
	if l.Picture == "" {
		l.Picture = "picture"
	}
	return &drawing{labels: l, pictures: map[string]string{}, seen: map[Warning]bool{}}
}

func (d *drawing) warn(code, detail string) {
	w := Warning{code, detail}
	if !d.seen[w] && len(d.warnings) < maxWarnings {
		d.seen[w] = true
		d.warnings = append(d.warnings, w)
	}
}

// fail notes a limit; everything that draws stops at the next object.
func (d *drawing) fail(what string) {
	if d.failed == nil {
		d.failed = fmt.Errorf("%w: %s", ErrLimit, what)
	}
}

// room reports whether n more bytes fit.
func (d *drawing) room(n int) bool {
	if d.failed == nil && d.body.Len()+d.defs.Len()+n > maxOutput {
		d.fail("size of the picture")
	}
	return d.failed == nil
}

// put writes markup to the page, define to the definitions. Arguments are
// numbers of ours, ids, or strings that went through text or attr.
func (d *drawing) put(parts ...string)    { d.write(&d.body, parts) }
func (d *drawing) define(parts ...string) { d.write(&d.defs, parts) }

func (d *drawing) write(to *bytes.Buffer, parts []string) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if !d.room(n) {
		return
	}
	for _, p := range parts {
		to.WriteString(p)
	}
}

// id is a new identifier within the picture.
func (d *drawing) id() string {
	d.ids++
	return "i" + strconv.Itoa(d.ids)
}

// object counts one object and reports whether to draw it.
func (d *drawing) object() bool {
	if d.objects++; d.objects > maxObjects {
		d.fail("number of objects")
	}
	return d.failed == nil
}

// spend counts the work that elements make; composites, templates and draw
// parameters let a small page look at the same bytes without end.
func (d *drawing) spend(els ...ofd.Element) bool {
	for _, e := range els {
		d.work += e.Weight()
	}
	if d.work > maxWork {
		d.fail("work")
	}
	return d.failed == nil
}

// escape makes text safe between tags and in attributes; what XML cannot hold
// becomes U+FFFD.
func escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r == '<' || r == '>' || r == '&' || r == '"' || r == '\'' || r >= 0xfffd
	}) {
		return s
	}
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// attr writes one attribute.
func attr(name, value string) string { return " " + name + `="` + escape(value) + `"` }

// num prints a number to six places, without trailing zeros.
func num(f float64) string {
	s := strconv.FormatFloat(f, 'f', 6, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// numbers reads exactly n numbers, nil when there are others.
func numbers(s string, n int) []float64 {
	parts := strings.Fields(strings.ReplaceAll(s, ",", " "))
	if len(parts) != n {
		return nil
	}
	out := make([]float64, n)
	for i, p := range parts {
		f, ok := number(p)
		if !ok {
			return nil
		}
		out[i] = f
	}
	return out
}

// number reads a coordinate: finite, and of a size that SVG readers agree on.
func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && math.Abs(f) <= maxCoordinate // false for NaN
}

// numberOr is an attribute's number, or the default when it is missing or none.
func numberOr(s string, def float64) float64 {
	if f, ok := number(strings.TrimSpace(s)); ok {
		return f
	}
	return def
}

// matrix is a transformation (GB/T 33190, 8.1 CTM): x' = ax+cy+e, y' = bx+dy+f.
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

func shift(x, y float64) matrix { return matrix{1, 0, 0, 1, x, y} }

// parseMatrix reads a CTM; identity when it is missing, false when malformed.
func parseMatrix(s string) (matrix, bool) {
	if strings.TrimSpace(s) == "" {
		return identity, true
	}
	v := numbers(s, 6)
	if v == nil {
		return identity, false
	}
	return matrix(v), true
}

// then is m applied after inner.
func (m matrix) then(in matrix) matrix {
	return matrix{
		m[0]*in[0] + m[2]*in[1], m[1]*in[0] + m[3]*in[1],
		m[0]*in[2] + m[2]*in[3], m[1]*in[2] + m[3]*in[3],
		m[0]*in[4] + m[2]*in[5] + m[4], m[1]*in[4] + m[3]*in[5] + m[5],
	}
}

// attr is the transform attribute, "" for the identity.
func (m matrix) attr() string {
	switch {
	case m == identity:
		return ""
	case [4]float64(m[:4]) == [4]float64{1, 0, 0, 1}:
		return ` transform="translate(` + num(m[4]) + " " + num(m[5]) + `)"`
	}
	parts := make([]string, 6)
	for i, f := range m {
		parts[i] = num(f)
	}
	return ` transform="matrix(` + strings.Join(parts, " ") + `)"`
}

// bounds is the box around a transformed box.
func (m matrix) bounds(b ofd.Box) ofd.Box {
	minX, minY, maxX, maxY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range [4][2]float64{{b.X, b.Y}, {b.X + b.W, b.Y}, {b.X, b.Y + b.H}, {b.X + b.W, b.Y + b.H}} {
		x, y := m[0]*p[0]+m[2]*p[1]+m[4], m[1]*p[0]+m[3]*p[1]+m[5]
		minX, minY, maxX, maxY = min(minX, x), min(minY, y), max(maxX, x), max(maxY, y)
	}
	return ofd.Box{X: minX, Y: minY, W: maxX - minX, H: maxY - minY}
}

// rect is the geometry of a <rect>.
func rect(b ofd.Box) string {
	return attr("x", num(b.X)) + attr("y", num(b.Y)) + attr("width", num(b.W)) + attr("height", num(b.H))
}
