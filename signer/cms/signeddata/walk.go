package signeddata

import (
	encasn1 "encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

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
