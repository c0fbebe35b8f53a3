package pdf

import (
	"fmt"
	"strconv"
)

// lexer reads values from a source (ISO 32000-1, 7.2 and 7.3).
type lexer struct {
	s      *source
	pos    int64
	inside bool // an object stream: positions say nothing about the file
	spent  *budget
	start  int // tokens spent before
}

// budget is what reading one file may cost, all its revisions together: a file
// of many small revisions must not cost their product.
type budget struct {
	tokens   int
	inflated int64
	over     bool
}

// stop is the count at which this lexer has read one object too many values.
func (l *lexer) stop() int {
	if l.start == 0 {
		l.start = l.spent.tokens
	}
	return min(maxTokens, l.start+maxObject)
}

// keyword is a bare word: obj, stream, R, xref …
type keyword string

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func (l *lexer) bad(what string) error {
	if l.s.err != nil {
		return l.s.err
	}
	return fmt.Errorf("%w: %s at %d", ErrFormat, what, l.pos)
}

// skip moves over white space and comments.
func (l *lexer) skip() {
	for {
		c, ok := l.s.at(l.pos)
		switch {
		case !ok:
			return
		case isSpace(c):
			l.pos++
		case c == '%':
			for ok && c != '\n' && c != '\r' {
				l.pos++
				c, ok = l.s.at(l.pos)
			}
		default:
			return
		}
	}
}

// object reads one value; a bare word is an error.
func (l *lexer) object(depth int) (Object, error) {
	o, err := l.value(depth)
	if err != nil {
		return nil, err
	}
	if k, ok := o.(keyword); ok {
		return nil, l.bad(fmt.Sprintf("unexpected %q", string(k)))
	}
	return o, nil
}

// value reads one value or a bare word.
func (l *lexer) value(depth int) (Object, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nesting over %d", ErrLimit, maxDepth)
	}
	if l.spent.tokens++; l.spent.tokens > l.stop() {
		l.spent.over = true
		return nil, fmt.Errorf("%w: too many values", ErrLimit)
	}
	l.skip()
	c, ok := l.s.at(l.pos)
	if !ok {
		return nil, l.bad("unexpected end")
	}
	switch {
	case c == '/':
		return l.name()
	case c == '(':
		return l.text()
	case c == '<':
		if l.s.has(l.pos, "<<") {
			return l.dict(depth)
		}
		return l.hex()
	case c == '[':
		return l.array(depth)
	case c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9':
		return l.number()
	case isDelimiter(c):
		return nil, l.bad(fmt.Sprintf("unexpected %q", c))
	}
	switch w := l.word(); w {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	default:
		return keyword(w), nil
	}
}

// word reads regular characters; no keyword is longer than 64.
func (l *lexer) word() string {
	var b []byte
	for {
		c, ok := l.s.at(l.pos)
		if !ok || isSpace(c) || isDelimiter(c) || len(b) == 64 {
			return string(b)
		}
		b = append(b, c)
		l.pos++
	}
}

func (l *lexer) name() (Object, error) {
	l.pos++
	var b []byte
	for {
		c, ok := l.s.at(l.pos)
		if !ok || isSpace(c) || isDelimiter(c) {
			return Name(b), nil
		}
		l.pos++
		if c == '#' {
			hi, ok1 := l.s.at(l.pos)
			lo, ok2 := l.s.at(l.pos + 1)
			if v, ok := hexByte(hi, lo); ok && ok1 && ok2 {
				c = v
				l.pos += 2
			}
		}
		if b = append(b, c); len(b) > 4096 {
			return nil, fmt.Errorf("%w: name too long", ErrLimit)
		}
	}
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func hexByte(hi, lo byte) (byte, bool) {
	h, ok1 := hexDigit(hi)
	l, ok2 := hexDigit(lo)
	return h<<4 | l, ok1 && ok2
}

// number reads a number, or a reference "n g R".
func (l *lexer) number() (Object, error) {
	start := l.pos
	w := l.word()
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		for i := range len(w) {
			if c := w[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' {
				l.pos = start
				return nil, l.bad("not a number")
			}
		}
		return Real(w), nil
	}
	if n < 0 || n > maxObjects || w[0] == '+' {
		return Int(n), nil
	}
	back := l.pos
	l.skip()
	gen, digits := 0, 0
	for {
		c, ok := l.s.at(l.pos)
		if !ok || c < '0' || c > '9' || digits == 5 {
			break
		}
		gen, digits = gen*10+int(c-'0'), digits+1
		l.pos++
	}
	if c, ok := l.s.at(l.pos); digits > 0 && ok && isSpace(c) {
		l.skip()
		next, more := l.s.at(l.pos + 1)
		if l.s.has(l.pos, "R") && (!more || isSpace(next) || isDelimiter(next)) {
			l.pos++
			return Ref{int(n), gen}, nil
		}
	}
	l.pos = back
	return Int(n), nil
}

func (l *lexer) array(depth int) (Object, error) {
	l.pos++
	out := Array{}
	for {
		l.skip()
		if l.s.has(l.pos, "]") {
			l.pos++
			return out, nil
		}
		o, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
}

func (l *lexer) dict(depth int) (Object, error) {
	l.pos += 2
	out := &Dict{}
	for {
		l.skip()
		if l.s.has(l.pos, ">>") {
			l.pos += 2
			return out, nil
		}
		if !l.s.has(l.pos, "/") {
			return nil, l.bad("dictionary key expected")
		}
		k, err := l.name()
		if err != nil {
			return nil, err
		}
		v, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		key := k.(Name)
		if out.find(key) >= 0 {
			out.Twice = append(out.Twice, key)
		}
		out.set(key, v)
	}
}
