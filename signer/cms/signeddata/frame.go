package signeddata

import (
	"bytes"
	encasn1 "encoding/asn1"
	"fmt"
	"io"
	"sort"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

// detached is the size of a content that the message does not carry.
const detached = -1

// frame writes ContentInfo{SignedData} but the content: what stands before it and
// behind it. Of a detached message all stands in head and tail together too.
func frame(spec Spec, t track, cert *smx509.Certificate, size int64, attrs, value, unsigned []byte) (head, tail []byte, err error) {
	version := int64(1)
	if !spec.Type.Equal(t.data) {
		version = 3 // RFC 5652, 5.1
	}
	var kind, front, inner, back cryptobyte.Builder
	kind.AddASN1ObjectIdentifier(t.frame)
	front.AddASN1Int64(version)
	front.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { algorithm(b, t.digest.OID, t.null) })
	inner.AddASN1ObjectIdentifier(spec.Type)
	if !spec.NoCerts {
		back.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(carry(cert.Raw, spec.Chain)) })
	}
	back.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { signerInfo(b, t, cert, attrs, value, unsigned) })
	var parts [4][]byte
	for i, b := range []*cryptobyte.Builder{&kind, &front, &inner, &back} {
		if parts[i], err = b.Bytes(); err != nil {
			return nil, nil, fmt.Errorf("signeddata: encode: %w", err)
		}
	}
	tail = parts[3]
	// From the inside out: each header names the length of all that it holds, of
	// which content (head already written, size and tail) is a part.
	after := int64(0)
	if size != detached {
		after = size
		head = header(tagOctets, size)
		head = append(header(0xa0, int64(len(head))+after), head...)
	}
	head = append(parts[2], head...)
	head = append(header(0x30, int64(len(head))+after), head...)
	after += int64(len(tail))
	head = append(parts[1], head...)
	head = append(header(0x30, int64(len(head))+after), head...)
	head = append(header(0xa0, int64(len(head))+after), head...)
	head = append(parts[0], head...)
	return append(header(0x30, int64(len(head))+after), head...), tail, nil
}

// header is tag and length in DER.
func header(tag byte, length int64) []byte {
	if length < 0x80 {
		return []byte{tag, byte(length)}
	}
	n := 1
	for length>>(8*n) > 0 {
		n++
	}
	out := []byte{tag, 0x80 | byte(n)}
	for n--; n >= 0; n-- {
		out = append(out, byte(length>>(8*n)))
	}
	return out
}

// framed is a written message whose content is not there: for reading all but
// the content.
type framed struct {
	head, tail []byte
	size       int64
}

func (f framed) len() int64 { return int64(len(f.head)) + f.size + int64(len(f.tail)) }

func (f framed) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	behind := int64(len(f.head)) + f.size
	if at < int64(len(f.head)) {
		copy(p, f.head[at:])
	}
	if end := at + int64(len(p)); end > behind {
		copy(p[max(behind-at, 0):], f.tail[max(at-behind, 0):])
	}
	if n := f.len() - at; n < int64(len(p)) {
		return int(n), io.EOF
	}
	return len(p), nil
}

func algorithm(b *cryptobyte.Builder, oid encasn1.ObjectIdentifier, null bool) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
}

// carry is the certificates in DER order of a SET.
func carry(cert []byte, chain [][]byte) []byte {
	all := append([][]byte{cert}, chain...)
	sort.Slice(all, func(i, j int) bool { return bytes.Compare(all[i], all[j]) < 0 })
	return bytes.Join(all, nil)
}

func signerInfo(b *cryptobyte.Builder, t track, cert *smx509.Certificate, attrs, value, unsigned []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(cert.RawIssuer)
			b.AddASN1BigInt(cert.SerialNumber)
		})
		algorithm(b, t.digest.OID, t.null)
		if attrs != nil {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
		}
		algorithm(b, t.signature, t.null)
		b.AddASN1OctetString(value)
		if unsigned != nil {
			b.AddASN1(tag1, func(b *cryptobyte.Builder) { b.AddBytes(unsigned) })
		}
	})
}
