package ofd

import "bytes"

// Limits of single tokens. The XML decoder holds a whole token, and 48 bytes for
// each attribute of a tag, before it hands them on: without a limit a package of
// 300 kB could make it take a gigabyte.
const (
	maxTag  = 1 << 20
	maxText = 8 << 20
)

// tokensFit reports whether no tag and no run of text is longer than the limits.
// It looks at quotes, comments and CDATA only as far as lengths need it; what is
// malformed is the decoder's business.
func tokensFit(b []byte) bool {
	if len(b) <= maxTag {
		return true
	}
	skip := func(end string) bool {
		i := bytes.Index(b, []byte(end))
		if i < 0 { // not closed: the decoder will say so
			i = len(b)
			b = nil
		} else {
			b = b[i+len(end):]
		}
		return i <= maxText
	}
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return len(b) <= maxText
		}
		if i > maxText {
			return false
		}
		b = b[i+1:]
		switch {
		case bytes.HasPrefix(b, []byte("!--")):
			if !skip("-->") {
				return false
			}
		case bytes.HasPrefix(b, []byte("![CDATA[")):
			if !skip("]]>") {
				return false
			}
		case bytes.HasPrefix(b, []byte("?")):
			if !skip("?>") {
				return false
			}
		default:
			n := tagEnd(b)
			if n > maxTag {
				return false
			}
			b = b[n:]
		}
	}
}

// tagEnd is the length of a tag up to its ">", which may also stand in quotes.
func tagEnd(b []byte) int {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return len(b)
}
