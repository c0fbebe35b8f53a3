package signeddata

import (
	"bytes"
	"hash"
	"io"
)

// Sum digests a content once for every signer. The sum of a signer is what its
// Verify takes; nil where there is none (Signer.Err, or Message.Hash has no
// answer). size is that of the content.
func (f *File) Sum(content io.Reader) (sums [][]byte, size int64, err error) {
	hashes := make([]hash.Hash, len(f.Signers))
	front := &prefix{}
	to := []io.Writer{front}
	for i, s := range f.Signers {
		if s.Err != nil {
			continue
		}
		for j := range i { // of one algorithm, one is enough
			if o := f.Signers[j]; hashes[j] != nil && !s.Direct && !o.Direct && o.Digest.OID.Equal(s.Digest.OID) {
				hashes[i] = hashes[j]
			}
		}
		if hashes[i] == nil {
			if hashes[i], err = s.Hash(); err != nil {
				hashes[i], err = nil, nil
				continue
			}
			to = append(to, hashes[i])
		}
	}
	if size, err = io.Copy(io.MultiWriter(to...), content); err != nil {
		return nil, size, err
	}
	sums = make([][]byte, len(f.Signers))
	for i, s := range f.Signers {
		if hashes[i] != nil && !(s.Direct && likeAttributes(front.b, size)) {
			sums[i] = hashes[i].Sum(nil)
		}
	}
	return sums, size, nil
}

// prefix keeps the first bytes that are written to it.
type prefix struct{ b []byte }

func (p *prefix) Write(b []byte) (int, error) {
	if n := 32 - len(p.b); n > 0 {
		p.b = append(p.b, b[:min(n, len(b))]...)
	}
	return len(b), nil
}

// likeAttributes reports whether a content of that beginning and size reads as
// SET{SEQUENCE{OID…}…}: what signed the attributes of one message would sign it
// as the content of another that has none.
func likeAttributes(front []byte, size int64) bool {
	c := newCursor(bytes.NewReader(front), size)
	set, err := c.expect(0x31, open, false, "")
	if err != nil || set.end != size {
		return false
	}
	if _, err := c.expect(0x30, set.end, false, ""); err != nil {
		return false
	}
	b, err := c.ReadByte()
	return err == nil && b == 0x06
}
