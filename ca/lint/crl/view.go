package crl

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/ca/lint"
)

// ErrDER: not a list of revoked certificates at all; nothing can be checked.
var ErrDER = errors.New("crl: not a certificate revocation list")

// maxSize bounds what is parsed: about 1.5 million entries.
const maxSize = 64 << 20

// Reasons of RFC 5280 5.3.1 that mean more than a ground for revocation.
const (
	ReasonUnspecified = 0
	ReasonHold        = 6
	ReasonRemove      = 8
)

// View is a list as the checks see it, and as a delta is computed from it.
type View struct {
	DER        []byte
	Refused    error // why the library refuses the whole; nil when it does not
	TBS        []byte
	Version    int // as it is counted: v2 is 2
	Signature  asn1.ObjectIdentifier
	Outer      asn1.ObjectIdentifier
	RawIssuer  []byte
	ThisUpdate time.Time
	NextUpdate time.Time // zero: absent
	Times      []Time
	EmptyList  bool // revokedCertificates is there and has nothing in it
	Entries    []Entry
	Extensions []lint.Extension
}

// Time is a time with the form that it was written in.
type Time struct {
	At          time.Time
	Generalized bool
}

// Entry is one revoked certificate.
type Entry struct {
	Serial     *big.Int
	Octets     int // length of the serial as encoded
	At         time.Time
	Reason     int // ReasonUnspecified when the extension is absent
	HasReason  bool
	Extensions []lint.Extension
}

// Parse reads a signed list.
func Parse(der []byte) (*View, error) {
	v, err := read(der)
	if err != nil {
		return nil, err
	}
	_, v.Refused = smx509.ParseRevocationList(der)
	return v, nil
}

// ParseTBS reads what is going to be signed, as if it had a signature.
func ParseTBS(tbs []byte) (*View, error) {
	der, err := Assemble(tbs, []byte{0})
	if err != nil {
		return nil, err
	}
	return Parse(der)
}

// Assemble puts a to-be-signed list and its signature together; the algorithm
// is the one that stands inside (RFC 5280 5.1.1.2).
func Assemble(tbs, signature []byte) ([]byte, error) {
	in := cryptobyte.String(tbs)
	var inner, algorithm cryptobyte.String
	if !in.ReadASN1(&inner, cbasn1.SEQUENCE) || !in.Empty() || !inner.SkipOptionalASN1(cbasn1.INTEGER) ||
		!inner.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("%w: to-be-signed part", ErrDER)
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(tbs)+len(algorithm)+len(signature)+32))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("crl: assemble list: %w", err)
	}
	return der, nil
}

// Extension returns the first extension of that id, or nil.
func (v *View) Extension(id asn1.ObjectIdentifier) *lint.Extension {
	for i := range v.Extensions {
		if v.Extensions[i].ID.Equal(id) {
			return &v.Extensions[i]
		}
	}
	return nil
}

func read(der []byte) (*View, error) {
	if len(der) > maxSize {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrDER, maxSize)
	}
	in := cryptobyte.String(der)
	var outer, element, tbs, algorithm, signature cryptobyte.String
	v := &View{DER: der, Version: 1}
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Element(&element, cbasn1.SEQUENCE) ||
		!outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&v.Outer) ||
		!outer.ReadASN1(&signature, cbasn1.BIT_STRING) || !outer.Empty() {
		return nil, fmt.Errorf("%w: outer structure", ErrDER)
	}
	v.TBS = element
	if !element.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("%w: outer structure", ErrDER)
	}
	return v, v.readTBS(tbs)
}

func (v *View) readTBS(tbs cryptobyte.String) error {
	if tbs.PeekASN1Tag(cbasn1.INTEGER) {
		if !tbs.ReadASN1Integer(&v.Version) {
			return fmt.Errorf("%w: version", ErrDER)
		}
		v.Version++
	}
	var algorithm, issuer, wrapped cryptobyte.String
	if !tbs.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&v.Signature) || !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return fmt.Errorf("%w: algorithm or issuer", ErrDER)
	}
	v.RawIssuer = issuer
	var ok bool
	if v.ThisUpdate, ok = v.readTime(&tbs); !ok {
		return fmt.Errorf("%w: thisUpdate", ErrDER)
	}
	if tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if v.NextUpdate, ok = v.readTime(&tbs); !ok {
			return fmt.Errorf("%w: nextUpdate", ErrDER)
		}
	}
	if tbs.PeekASN1Tag(cbasn1.SEQUENCE) {
		if err := v.readEntries(&tbs); err != nil {
			return err
		}
	}
	var has bool
	if !tbs.ReadOptionalASN1(&wrapped, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) || !tbs.Empty() {
		return fmt.Errorf("%w: extensions", ErrDER)
	}
	if has {
		if v.Extensions, ok = readExtensions(&wrapped); !ok || !wrapped.Empty() {
			return fmt.Errorf("%w: extensions", ErrDER)
		}
	}
	return nil
}

func (v *View) readEntries(tbs *cryptobyte.String) error {
	var list cryptobyte.String
	if !tbs.ReadASN1(&list, cbasn1.SEQUENCE) {
		return fmt.Errorf("%w: entries", ErrDER)
	}
	v.EmptyList = list.Empty()
	for !list.Empty() {
		var one, serial cryptobyte.String
		var ok bool
		e := Entry{Serial: new(big.Int)}
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) {
			return fmt.Errorf("%w: entry", ErrDER)
		}
		rest := one
		if !rest.ReadASN1(&serial, cbasn1.INTEGER) || !one.ReadASN1Integer(e.Serial) {
			return fmt.Errorf("%w: serial of an entry", ErrDER)
		}
		e.Octets = len(serial)
		if e.At, ok = v.readTime(&one); !ok {
			return fmt.Errorf("%w: time of an entry", ErrDER)
		}
		if !one.Empty() {
			if e.Extensions, ok = readExtensions(&one); !ok || !one.Empty() {
				return fmt.Errorf("%w: extensions of an entry", ErrDER)
			}
		}
		if err := e.readReason(); err != nil {
			return err
		}
		v.Entries = append(v.Entries, e)
	}
	return nil
}

func (e *Entry) readReason() error {
	for _, x := range e.Extensions {
		if !x.ID.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) {
			continue
		}
		in := cryptobyte.String(x.Value)
		if e.HasReason || !in.ReadASN1Enum(&e.Reason) || !in.Empty() {
			return fmt.Errorf("%w: reason of an entry", ErrDER)
		}
		e.HasReason = true
	}
	return nil
}

func (v *View) readTime(in *cryptobyte.String) (time.Time, bool) {
	t := Time{Generalized: in.PeekASN1Tag(cbasn1.GeneralizedTime)}
	ok := t.Generalized && in.ReadASN1GeneralizedTime(&t.At) || !t.Generalized && in.ReadASN1UTCTime(&t.At)
	// Of 200,000 entries one wrong form is enough to know of.
	if wrong := t.Generalized != (t.At.Year() >= 2050); wrong || len(v.Times) < 2 {
		v.Times = append(v.Times, t)
	}
	return t.At, ok
}

func readExtensions(in *cryptobyte.String) ([]lint.Extension, bool) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return nil, false
	}
	var out []lint.Extension
	for !list.Empty() {
		var ext, value cryptobyte.String
		var e lint.Extension
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&e.ID) ||
			ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&e.Critical) ||
			!ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() {
			return nil, false
		}
		e.Value = value
		out = append(out, e)
	}
	return out, true
}
