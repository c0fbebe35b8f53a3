package signeddata

import (
	"bytes"
	encasn1 "encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a file. Its content has none.
const (
	maxPEM     = 64 << 20 // PEM is decoded in memory
	maxSigners = 16
	maxHead    = 4 << 10 // identifiers and digest algorithms
)

// File is a SignedData whose content is read as a stream and never held.
type File struct {
	GM      bool                     // framed by GB/T 35275
	Type    encasn1.ObjectIdentifier // of the content
	Carried bool                     // it carries its content; else it is detached
	Size    int64                    // of the content that it carries
	Certs   [][]byte
	Signers []Signer // in the order stored; may be none

	from    io.ReaderAt
	content carried
}

// Signer is one signer of a file. Err is why its part is not read: it is
// malformed, or of an algorithm that is not handled here; Message is then nil.
type Signer struct {
	*Message
	Err error
}

// Plain reports whether the content is plain data, not a structure of its own.
func (f *File) Plain() bool { return f.Type.Equal(oidData()) || f.Type.Equal(oidGMData) }

// Content reads the content that the file carries.
func (f *File) Content() io.Reader { return f.content.reader(f.from) }

// Recognise reports whether a file that begins with head says it is a SignedData
// of either frame, in DER, BER or PEM. 64 bytes are enough.
func Recognise(head []byte) bool {
	if bytes.HasPrefix(head, []byte("-----BEGIN CMS-----")) || bytes.HasPrefix(head, []byte("-----BEGIN PKCS7-----")) {
		return true
	}
	if len(head) < 2 || head[0] != 0x30 {
		return false
	}
	at := 2
	if head[1] > 0x80 {
		at += int(head[1] & 0x7f)
	}
	for _, oid := range []encasn1.ObjectIdentifier{oidSignedData, oidGMSignedData} {
		if der, err := encasn1.Marshal(oid); err == nil && at <= len(head) && bytes.HasPrefix(head[at:], der) {
			return true
		}
	}
	return false
}

// Open reads all of a file but its content: DER, the BER that streaming writers
// make (indefinite lengths, a content in pieces), or PEM of either, up to 64 MiB.
func Open(r io.ReaderAt, size int64) (*File, error) {
	var first [1]byte
	if n, _ := r.ReadAt(first[:], 0); n == 1 && first[0] == '-' {
		der, err := fromPEM(r, size)
		if err != nil {
			return nil, err
		}
		r, size = bytes.NewReader(der), int64(len(der))
	}
	return openFile(r, size, true)
}

func fromPEM(r io.ReaderAt, size int64) ([]byte, error) {
	if size > maxPEM {
		return nil, fmt.Errorf("%w: PEM of %d bytes, at most %d; DER has no limit", ErrUnsupported, size, maxPEM)
	}
	text := make([]byte, size)
	if n, err := r.ReadAt(text, 0); int64(n) < size {
		return nil, fmt.Errorf("signeddata: read: %w", err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CMS" && block.Type != "PKCS7" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, malformed("not one PEM block CMS or PKCS7")
	}
	return block.Bytes, nil
}

// openFile reads a message. With ber the frame around the content may have
// indefinite lengths.
func openFile(r io.ReaderAt, size int64, ber bool) (*File, error) {
	f := &File{from: r}
	c := newCursor(r, size)
	err := f.readFrame(c, ber)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = malformed("cut off")
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// readFrame walks ContentInfo{SignedData} (RFC 5652, 3 and 5.1).
func (f *File) readFrame(c *cursor, ber bool) error {
	info, err := c.expect(0x30, open, ber, "no ContentInfo")
	if err != nil {
		return err
	}
	kind, err := c.oid(info.end)
	if err != nil {
		return err
	}
	f.GM = kind.Equal(oidGMSignedData)
	if !f.GM && !kind.Equal(oidSignedData) {
		return fmt.Errorf("%w: content type %v", ErrUnsupported, kind)
	}
	explicit, err := c.expect(0xa0, info.end, ber, "ContentInfo")
	if err != nil {
		return err
	}
	body, err := c.expect(0x30, explicit.end, ber, "SignedData")
	if err != nil {
		return err
	}
	if err := f.readSignedData(c, body, ber); err != nil {
		return err
	}
	for _, e := range []element{body, explicit, info} {
		if err := c.leave(e); err != nil {
			return err
		}
	}
	if c.pos != c.size {
		return malformed("bytes behind the message")
	}
	return nil
}

func (c *cursor) oid(limit int64) (encasn1.ObjectIdentifier, error) {
	e, err := c.expect(0x06, limit, false, "object identifier")
	if err != nil {
		return nil, err
	}
	b, err := c.value(e, 64)
	if err != nil {
		return nil, err
	}
	var oid encasn1.ObjectIdentifier
	whole := cryptobyte.String(append([]byte{0x06, byte(len(b))}, b...))
	if !whole.ReadASN1ObjectIdentifier(&oid) {
		return nil, malformed("object identifier")
	}
	return oid, nil
}

// readSignedData reads up to the end of the signers. The version and the list of
// digest algorithms announce what stands again with each signer; nothing signs
// them, and nothing here depends on them.
func (f *File) readSignedData(c *cursor, body element, ber bool) error {
	for _, tag := range []byte{0x02, 0x31} {
		e, err := c.expect(tag, body.end, false, "SignedData")
		if err != nil {
			return err
		}
		if _, err := c.value(e, maxHead); err != nil {
			return err
		}
	}
	inner, err := c.expect(0x30, body.end, ber, "content")
	if err != nil {
		return err
	}
	if f.Type, err = c.oid(inner.end); err != nil {
		return err
	}
	if done, err := c.atEnd(inner); err != nil {
		return err
	} else if !done {
		explicit, err := c.expect(0xa0, inner.end, ber, "content")
		if err != nil {
			return err
		}
		if f.content, err = c.readContent(explicit.end, ber); errors.Is(err, ErrFormat) && !f.Plain() {
			// PKCS#7 knew contents that are no string (RFC 2315, 7).
			return fmt.Errorf("%w: content of type %v", ErrUnsupported, f.Type)
		} else if err != nil {
			return err
		}
		if err := c.leave(explicit); err != nil {
			return err
		}
		f.Carried, f.Size = true, f.content.size
	}
	if err := c.leave(inner); err != nil {
		return err
	}
	return f.readTail(c, body, ber)
}

// readTail reads certificates, revocation lists (which are not used) and signers.
func (f *File) readTail(c *cursor, body element, ber bool) error {
	left := int64(MaxSize)
	for _, want := range []byte{0xa0, 0xa1, 0x31} {
		at := c.pos
		e, err := c.header(body.end, ber)
		if err != nil {
			return err
		}
		if e.tag != want {
			if c.pos = at; want == 0x31 {
				return malformed("no signers")
			}
			continue
		}
		b, err := c.value(e, left)
		if err != nil {
			return err
		}
		left -= int64(len(b))
		switch want {
		case 0xa0:
			err = f.readCerts(b)
		case 0x31:
			err = f.readSigners(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *File) readCerts(in cryptobyte.String) error {
	for !in.Empty() {
		var c cryptobyte.String
		var tag asn1.Tag
		if len(f.Certs) == maxCerts || !in.ReadAnyASN1Element(&c, &tag) {
			return malformed("certificates")
		}
		if tag == asn1.SEQUENCE { // the others are attribute certificates
			f.Certs = append(f.Certs, c)
		}
	}
	return nil
}

func (f *File) readSigners(in cryptobyte.String) error {
	for !in.Empty() {
		var one cryptobyte.String
		if len(f.Signers) == maxSigners || !in.ReadASN1(&one, asn1.SEQUENCE) {
			return malformed("signers")
		}
		m := &Message{GM: f.GM, Type: f.Type, Certs: f.Certs}
		if err := m.readSigner(one); err != nil {
			f.Signers = append(f.Signers, Signer{Err: err})
			continue
		}
		m.findCertificate()
		f.Signers = append(f.Signers, Signer{Message: m})
	}
	return nil
}

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
