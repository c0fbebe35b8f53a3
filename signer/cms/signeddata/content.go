package signeddata

import (
	"fmt"
	"io"
)

// carried is where the content of a message lies: one string, or the strings of
// a constructed one (BER), which are never joined in memory.
type carried struct {
	from, to int64
	pieces   bool
	size     int64
}

const (
	tagOctets = 0x04
	tagPieces = 0x24 // constructed
)

// readContent finds where the content lies and goes behind it.
func (c *cursor) readContent(limit int64, ber bool) (carried, error) {
	e, err := c.header(limit, ber)
	switch {
	case err != nil:
		return carried{}, err
	case e.tag == tagOctets:
		c.pos = e.end
		return carried{from: e.body, to: e.end, size: e.end - e.body}, nil
	case e.tag != tagPieces || !ber:
		return carried{}, malformed("content")
	}
	out := carried{from: e.body, pieces: true}
	for {
		done, err := c.atEnd(e)
		if err != nil {
			return carried{}, err
		}
		if done {
			break
		}
		piece, err := c.expect(tagOctets, e.end, false, "piece of the content")
		if err != nil {
			return carried{}, err
		}
		out.size += piece.end - piece.body
		c.pos = piece.end
	}
	out.to = c.pos
	return out, c.leave(e)
}

// reader reads the content; several may be at work at the same time.
func (p carried) reader(r io.ReaderAt) io.Reader {
	if !p.pieces {
		return io.NewSectionReader(r, p.from, p.to-p.from)
	}
	c := newCursor(r, p.to)
	c.pos = p.from
	return &pieces{c: c}
}

// pieces reads the strings of a constructed one as one.
type pieces struct {
	c    *cursor
	left int64 // of the current piece
}

func (p *pieces) Read(b []byte) (int, error) {
	for p.left == 0 {
		if p.c.pos == p.c.size {
			return 0, io.EOF
		}
		e, err := p.c.expect(tagOctets, open, false, "piece of the content")
		if err != nil {
			return 0, fmt.Errorf("signeddata: the file changed while it was read: %w", err)
		}
		p.left = e.end - e.body
	}
	n, err := p.c.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	return n, err
}
