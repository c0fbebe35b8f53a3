package svg

import (
	"math"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// operators of AbbreviatedData (GB/T 33190, 9.1 table 36) with their number of
// operands and the SVG command that is the same.
var operators = map[byte]struct {
	operands int
	command  string
}{
	'S': {2, "M"}, 'M': {2, "M"}, 'L': {2, "L"}, 'Q': {4, "Q"}, 'B': {6, "C"}, 'A': {7, "A"}, 'C': {0, "Z"},
}

// pathData turns AbbreviatedData into SVG path data and the box that surely holds
// it. What precedes an error is kept, and ok is false.
func pathData(s string) (d string, box ofd.Box, ok bool) {
	var out strings.Builder
	b := &bounds{minX: math.Inf(1), minY: math.Inf(1), maxX: math.Inf(-1), maxY: math.Inf(-1)}
	in := &tokens{rest: s}
	var op byte
	for !in.end() {
		if c, is := in.letter(); is {
			op = c
		} else if op == 0 || op == 'C' {
			return out.String(), b.box(), false // operands without an operator
		}
		o, known := operators[op]
		if !known {
			return out.String(), b.box(), false
		}
		var v [7]float64
		for i := range o.operands {
			f, is := in.number()
			if !is {
				return out.String(), b.box(), false
			}
			v[i] = f
		}
		// SVG path data must begin at a point.
		if out.Len() == 0 && o.command != "M" {
			return "", ofd.Box{}, false
		}
		if op == 'A' {
			v[0], v[1] = math.Abs(v[0]), math.Abs(v[1])
			v[3], v[4] = arcFlag(v[3]), arcFlag(v[4])
			r := 2 * max(v[0], v[1]) // no arc leaves its ends by more
			b.add(v[5]-r, v[6]-r)
			b.add(v[5]+r, v[6]+r)
		} else {
			for i := 0; i < o.operands; i += 2 {
				b.add(v[i], v[i+1])
			}
		}
		out.WriteString(o.command)
		for i := range o.operands {
			if i > 0 {
				out.WriteByte(' ')
			}
			out.WriteString(num(v[i]))
		}
		if op == 'M' || op == 'S' {
			op = 'L' // further pairs are lines
		}
	}
	return out.String(), b.box(), out.Len() > 0
}

func arcFlag(f float64) float64 {
	if f != 0 {
		return 1
	}
	return 0
}

type bounds struct{ minX, minY, maxX, maxY float64 }

func (b *bounds) add(x, y float64) {
	b.minX, b.minY, b.maxX, b.maxY = min(b.minX, x), min(b.minY, y), max(b.maxX, x), max(b.maxY, y)
}

func (b *bounds) box() ofd.Box {
	if b.minX > b.maxX {
		return ofd.Box{}
	}
	return ofd.Box{X: b.minX, Y: b.minY, W: b.maxX - b.minX, H: b.maxY - b.minY}
}

// tokens are numbers and single letters, apart by blanks, commas or nothing.
type tokens struct{ rest string }

func (t *tokens) end() bool {
	t.rest = strings.TrimLeft(t.rest, " \t\r\n,")
	return t.rest == ""
}

func (t *tokens) letter() (byte, bool) {
	if t.end() {
		return 0, false
	}
	if c := t.rest[0]; c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
		t.rest = t.rest[1:]
		return c, true
	}
	return 0, false
}

func (t *tokens) number() (float64, bool) {
	if t.end() {
		return 0, false
	}
	n := strings.IndexFunc(t.rest, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r == '.' || r == '-' || r == '+' || r == 'e' || r == 'E')
	})
	if n < 0 {
		n = len(t.rest)
	}
	f, ok := number(t.rest[:n])
	t.rest = t.rest[n:]
	return f, ok
}

// deltas expands the distances of a TextCode, "3 3 g 5 1.5" being 3 3 1.5 1.5 1.5
// 1.5 1.5 (GB/T 33190, 11.3); never more than n, whatever a count says.
func deltas(s string, n int) (out []float64, ok bool) {
	in := &tokens{rest: s}
	for !in.end() && len(out) < n {
		times := 1.0
		if c, is := in.letter(); is {
			if times, is = in.number(); !is || c != 'g' || times < 0 {
				return out, false
			}
		}
		f, is := in.number()
		if !is {
			return out, false
		}
		for range int(min(times, float64(n-len(out)))) {
			out = append(out, f)
		}
	}
	return out, true
}
