package seal

import (
	"encoding/asn1"
	"fmt"
)

// Limits of the reader. A real signature has about 60 nodes and depth 12.
const (
	maxDepth = 32
	maxNodes = 4096 // elements of one constructed value
)

// Tags in use; the identifier octet includes class and the constructed bit.
const (
	idBoolean     = 0x01
	idInteger     = 0x02
	idBitString   = 0x03
	idOctetString = 0x04
	idOID         = 0x06
	idUTF8        = 0x0c
	idIA5         = 0x16
	idUTCTime     = 0x17
	idGenTime     = 0x18
	idSequence    = 0x30
	idContext0    = 0xa0
)

// tlv is one element with its stored bytes. Go's encoding/asn1 is not used to
// read seals: it refuses real files (unused bits) and loses what was stored,
// over which signatures have to be checked.
type tlv struct {
	id   byte
	full []byte
	body []byte
}

// readTLV takes the first element off b. Low tag numbers and definite lengths
// only: nothing in these structures needs more.
func readTLV(b []byte) (el tlv, rest []byte, err error) {
	if len(b) < 2 {
		return tlv{}, nil, fmt.Errorf("%w: element cut off", ErrFormat)
	}
	if b[0]&0x1f == 0x1f {
		return tlv{}, nil, fmt.Errorf("%w: high tag number", ErrFormat)
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		count := n & 0x7f
		if count == 0 || count > 4 || len(b) < 2+count {
			return tlv{}, nil, fmt.Errorf("%w: length octets", ErrFormat)
		}
		n = 0
		for _, c := range b[2 : 2+count] {
			n = n<<8 | int(c)
		}
		head += count
	}
	if n < 0 || n > len(b)-head {
		return tlv{}, nil, fmt.Errorf("%w: element longer than its parent", ErrFormat)
	}
	return tlv{id: b[0], full: b[:head+n], body: b[head : head+n]}, b[head+n:], nil
}

// readOne reads exactly one element that fills b.
func readOne(b []byte) (tlv, error) {
	el, rest, err := readTLV(b)
	if err != nil {
		return tlv{}, err
	}
	if len(rest) != 0 {
		return tlv{}, fmt.Errorf("%w: %d bytes behind the structure", ErrFormat, len(rest))
	}
	return el, nil
}

// children splits a constructed element.
func (t tlv) children() ([]tlv, error) {
	if t.id&0x20 == 0 {
		return nil, fmt.Errorf("%w: primitive element where a structure is expected", ErrFormat)
	}
	out := make([]tlv, 0, 8)
	for b := t.body; len(b) > 0; {
		el, rest, err := readTLV(b)
		if err != nil {
			return nil, err
		}
		if len(out) == maxNodes {
			return nil, fmt.Errorf("%w: more than %d elements", ErrFormat, maxNodes)
		}
		out = append(out, el)
		b = rest
	}
	return out, nil
}

// sequence is children of a SEQUENCE with at least min elements.
func (t tlv) sequence(what string, least int) ([]tlv, error) {
	if t.id != idSequence {
		return nil, fmt.Errorf("%w: %s is not a SEQUENCE", ErrFormat, what)
	}
	c, err := t.children()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(c) < least {
		return nil, fmt.Errorf("%w: %s has %d elements, at least %d expected", ErrFormat, what, len(c), least)
	}
	return c, nil
}

// oid reads an OBJECT IDENTIFIER, strictly: a wrong one is another algorithm.
func (t tlv) oid(what string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	if t.id == idOID {
		if rest, err := asn1.Unmarshal(t.full, &oid); err == nil && len(rest) == 0 {
			return oid, nil
		}
	}
	return nil, fmt.Errorf("%w: %s is not an OBJECT IDENTIFIER", ErrFormat, what)
}

// integer reads a small INTEGER.
func (t tlv) integer(what string) (int, error) {
	if t.id != idInteger || len(t.body) == 0 || len(t.body) > 4 {
		return 0, fmt.Errorf("%w: %s is not a small INTEGER", ErrFormat, what)
	}
	n := int(int8(t.body[0]))
	for _, c := range t.body[1:] {
		n = n<<8 | int(c)
	}
	return n, nil
}

// toDER re-encodes an element: shortest lengths, BOOLEAN TRUE as 0xff, unused
// bits counted as none. Producers sign DER of what they store otherwise.
func (t tlv) toDER(depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrFormat, maxDepth)
	}
	switch {
	case t.id&0x20 != 0:
		kids, err := t.children()
		if err != nil {
			return nil, err
		}
		var body []byte
		for _, k := range kids {
			der, err := k.toDER(depth + 1)
			if err != nil {
				return nil, err
			}
			body = append(body, der...)
		}
		return wrap(t.id, body), nil
	case t.id == idBoolean && len(t.body) == 1 && t.body[0] != 0:
		return wrap(t.id, []byte{0xff}), nil
	case t.id == idBitString && len(t.body) > 0 && t.body[0] != 0:
		return wrap(t.id, []byte{0}, t.body[1:]), nil
	default:
		return wrap(t.id, t.body), nil
	}
}

// isDER reports whether toDER would change nothing, without copying.
func (t tlv) isDER(depth int) (bool, error) {
	if depth > maxDepth {
		return false, fmt.Errorf("%w: nested deeper than %d", ErrFormat, maxDepth)
	}
	if len(t.full) != headLen(len(t.body))+len(t.body) {
		return false, nil
	}
	switch {
	case t.id&0x20 != 0:
		kids, err := t.children()
		if err != nil {
			return false, err
		}
		for _, k := range kids {
			if ok, err := k.isDER(depth + 1); !ok || err != nil {
				return false, err
			}
		}
	case t.id == idBoolean:
		return len(t.body) == 1 && (t.body[0] == 0 || t.body[0] == 0xff), nil
	case t.id == idBitString:
		return len(t.body) > 0 && t.body[0] == 0, nil
	}
	return true, nil
}

// headLen is the size of identifier and shortest length octets.
func headLen(n int) int {
	switch {
	case n < 0x80:
		return 2
	case n < 1<<8:
		return 3
	case n < 1<<16:
		return 4
	case n < 1<<24:
		return 5
	}
	return 6
}
