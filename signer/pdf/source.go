package pdf

import (
	"errors"
	"fmt"
	"io"
)

const (
	blockSize = 32 << 10
	maxBlocks = 64
)

// source gives single bytes of a file with a small cache, so that the size of a
// document does not decide how much memory its verification takes.
type source struct {
	r      io.ReaderAt
	size   int64
	base   int64 // of cur
	cur    []byte
	blocks map[int64][]byte
	order  []int64 // of arrival; the oldest block leaves first
	err    error   // the first failure of reading: not the file's fault
}

func newSource(r io.ReaderAt, size int64) *source {
	return &source{r: r, size: size, blocks: map[int64][]byte{}}
}

// at returns the byte at pos; false outside the file.
func (s *source) at(pos int64) (byte, bool) {
	if i := pos - s.base; i >= 0 && i < int64(len(s.cur)) {
		return s.cur[i], true
	}
	if pos < 0 || pos >= s.size || s.err != nil {
		return 0, false
	}
	n := pos / blockSize
	b, ok := s.blocks[n]
	if !ok {
		b = make([]byte, min(blockSize, s.size-n*blockSize))
		if _, err := s.r.ReadAt(b, n*blockSize); err != nil && !errors.Is(err, io.EOF) {
			s.err = fmt.Errorf("reading document: %w", err)
			return 0, false
		}
		if len(s.order) == maxBlocks {
			delete(s.blocks, s.order[0])
			s.order = s.order[1:]
		}
		s.blocks[n], s.order = b, append(s.order, n)
	}
	s.base, s.cur = n*blockSize, b
	return b[pos-s.base], true
}

// slice copies n bytes from pos.
func (s *source) slice(pos, n int64) ([]byte, error) {
	if pos < 0 || n < 0 || pos > s.size || n > s.size-pos {
		return nil, fmt.Errorf("%w: %d bytes at %d are outside the file", ErrFormat, n, pos)
	}
	if n > maxInflated {
		return nil, fmt.Errorf("%w: stream of %d bytes", ErrLimit, n)
	}
	b := make([]byte, n)
	if _, err := s.r.ReadAt(b, pos); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading document: %w", err)
	}
	return b, nil
}

// has reports whether text stands at pos.
func (s *source) has(pos int64, text string) bool {
	for i := range len(text) {
		if c, ok := s.at(pos + int64(i)); !ok || c != text[i] {
			return false
		}
	}
	return true
}
