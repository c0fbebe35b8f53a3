package signeddata

import (
	"bytes"
	encasn1 "encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// Limits of a file. Its content has none.
const (
	maxPEM     = 64 << 20 // PEM is decoded in memory
	maxSigners = 16
	maxHead    = 4 << 10 // version and digest algorithms
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
