package signeddata

import (
	"errors"
	"fmt"
	"io"
)

// cursor reads a file through a window, so that the headers of a million small
// strings cost no system call each.
type cursor struct {
	r      io.ReaderAt
	size   int64
	pos    int64
	from   int64 // of the window
	window []byte
}

const maxWindow = 64 << 10

func newCursor(r io.ReaderAt, size int64) *cursor {
	return &cursor{r: r, size: size, window: make([]byte, 0, min(size, maxWindow))}
}

// fill moves the window so that pos lies in it.
func (c *cursor) fill() error {
	if c.pos >= c.from && c.pos < c.from+int64(len(c.window)) {
		return nil
	}
	if c.pos < 0 || c.pos >= c.size {
		return io.ErrUnexpectedEOF
	}
	c.from = c.pos
	c.window = c.window[:min(int64(cap(c.window)), c.size-c.pos)]
	n, err := c.r.ReadAt(c.window, c.pos)
	c.window = c.window[:n]
	if n > 0 {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // the file is shorter than it was
	}
	return fmt.Errorf("signeddata: read: %w", err)
}

func (c *cursor) ReadByte() (byte, error) {
	if err := c.fill(); err != nil {
		return 0, err
	}
	b := c.window[c.pos-c.from]
	c.pos++
	return b, nil
}

// Read never returns 0, nil.
func (c *cursor) Read(p []byte) (int, error) {
	if err := c.fill(); err != nil {
		return 0, err
	}
	n := copy(p, c.window[c.pos-c.from:])
	c.pos += int64(n)
	return n, nil
}

// take reads n bytes.
func (c *cursor) take(n int64) ([]byte, error) {
	if n > c.size-c.pos {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	return b, nil
}

// element is the header of a TLV.
type element struct {
	tag  byte
	body int64 // offset of the value
	end  int64 // offset behind it; open when the length is indefinite
}

// open is the end of an element of indefinite length.
const open = -1

const eoc = 0x00 // tag of the end-of-contents octets

// header reads a header whose element must end at limit or before (open: the
// end of the file). Indefinite lengths are for constructed elements, and only
// where ber allows them; a definite length has its shortest form, as in DER.
func (c *cursor) header(limit int64, ber bool) (element, error) {
	if limit == open {
		limit = c.size
	}
	tag, err := c.ReadByte()
	if err != nil {
		return element{}, err
	}
	first, err := c.ReadByte()
	if err != nil {
		return element{}, err
	}
	e := element{tag: tag, end: open}
	length := int64(first)
	switch {
	case tag&0x1f == 0x1f:
		return element{}, malformed("tag of more than one byte")
	case first == 0x80:
		if e.body = c.pos; !ber || tag&0x20 == 0 {
			return element{}, malformed("indefinite length")
		}
		return e, nil
	case first > 0x87: // more than 2^56 bytes
		return element{}, malformed("length")
	case first > 0x80:
		length = 0
		for range first & 0x7f {
			b, err := c.ReadByte()
			if err != nil {
				return element{}, err
			}
			if length == 0 && b == 0 {
				return element{}, malformed("length with leading zeros")
			}
			length = length<<8 | int64(b)
		}
		if length < 0x80 {
			return element{}, malformed("length in long form")
		}
	}
	if e.body = c.pos; length > limit-e.body {
		return element{}, malformed("element longer than its place")
	}
	e.end = e.body + length
	return e, nil
}

// expect reads the header of an element of this tag.
func (c *cursor) expect(tag byte, limit int64, ber bool, what string) (element, error) {
	e, err := c.header(limit, ber)
	if err == nil && e.tag != tag {
		err = malformed(what)
	}
	return e, err
}

// leave goes out of an element, which must be at its end.
func (c *cursor) leave(e element) error {
	if e.end != open {
		if c.pos != e.end {
			return malformed("more in an element than expected")
		}
		return nil
	}
	end, err := c.header(open, false)
	if err == nil && (end.tag != eoc || end.end != end.body) {
		err = malformed("end of contents")
	}
	return err
}

// atEnd reports whether an element has no more children.
func (c *cursor) atEnd(e element) (bool, error) {
	if e.end != open {
		return c.pos >= e.end, nil
	}
	b, err := c.ReadByte()
	c.pos--
	return b == eoc, err
}

// value reads what is in an element, at most limit bytes: of one of indefinite
// length the children one after another, each definite.
func (c *cursor) value(e element, limit int64) ([]byte, error) {
	if e.end != open {
		if e.end-e.body > limit {
			return nil, malformed("element too large")
		}
		return c.take(e.end - e.body)
	}
	for {
		if done, err := c.atEnd(e); err != nil || done {
			break
		}
		child, err := c.header(open, false)
		if err != nil {
			return nil, err
		}
		if c.pos = child.end; c.pos-e.body > limit {
			return nil, malformed("element too large")
		}
	}
	end := c.pos
	c.pos = e.body
	b, err := c.take(end - e.body)
	if err != nil {
		return nil, err
	}
	return b, c.leave(e)
}
