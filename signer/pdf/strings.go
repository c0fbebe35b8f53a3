package pdf

import "fmt"

func (l *lexer) place(start int64) (from, to int64) {
	if l.inside {
		return -1, -1
	}
	return start, l.pos
}

// hex reads "<…>".
func (l *lexer) hex() (Object, error) {
	start := l.pos
	l.pos++
	s := &String{Hex: true, Strict: true}
	var half byte
	digits := 0
	for {
		c, ok := l.s.at(l.pos)
		if !ok {
			return nil, l.bad("string without end")
		}
		l.pos++
		if c == '>' {
			break
		}
		v, ok := hexDigit(c)
		switch {
		case !ok && isSpace(c):
			s.Strict = false
			continue
		case !ok:
			return nil, l.bad("not a hexadecimal digit")
		}
		if digits++; digits > 2*maxString {
			return nil, fmt.Errorf("%w: string too long", ErrLimit)
		}
		if digits%2 == 1 {
			half = v << 4
		} else {
			s.Value = append(s.Value, half|v)
		}
	}
	if digits%2 == 1 {
		s.Value, s.Strict = append(s.Value, half), false
	}
	s.Start, s.End = l.place(start)
	return s, nil
}

// text reads "(…)" with its escapes (ISO 32000-1, 7.3.4.2).
func (l *lexer) text() (Object, error) {
	start := l.pos
	l.pos++
	s := &String{}
	for open := 1; ; {
		c, ok := l.s.at(l.pos)
		if !ok {
			return nil, l.bad("string without end")
		}
		l.pos++
		switch c {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				s.Start, s.End = l.place(start)
				return s, nil
			}
		case '\r':
			if l.s.has(l.pos, "\n") {
				l.pos++
			}
			c = '\n'
		case '\\':
			if c, ok = l.escape(); !ok {
				continue
			}
		}
		if s.Value = append(s.Value, c); len(s.Value) > maxString {
			return nil, fmt.Errorf("%w: string too long", ErrLimit)
		}
	}
}

// escape reads what follows a backslash; false when it stands for nothing.
func (l *lexer) escape() (byte, bool) {
	c, ok := l.s.at(l.pos)
	if !ok {
		return 0, false
	}
	l.pos++
	switch c {
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case '\n':
		return 0, false
	case '\r':
		if l.s.has(l.pos, "\n") {
			l.pos++
		}
		return 0, false
	}
	if c < '0' || c > '7' {
		return c, true
	}
	v := int(c - '0')
	for range 2 {
		d, ok := l.s.at(l.pos)
		if !ok || d < '0' || d > '7' {
			break
		}
		v = v*8 + int(d-'0')
		l.pos++
	}
	return byte(v), true // a value over 255 loses its high bit, as the standard says
}
