package lint

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrDER: not a certificate at all; nothing can be checked.
var ErrDER = errors.New("lint: not a certificate")

// maxSize bounds what is parsed; our own certificates have about 1 kB.
const maxSize = 64 << 10

// View is a certificate as the checks see it: raw parts that the library
// normalises away, and its own reading beside them.
type View struct {
	DER        []byte
	Cert       *smx509.Certificate // nil when the library refuses, see Refused
	Refused    error
	Version    int
	Serial     []byte // content octets as encoded
	Signature  asn1.ObjectIdentifier
	Issuer     []Attribute
	NotBefore  time.Time
	NotAfter   time.Time
	TimeTags   [2]uint8 // of NotBefore and NotAfter: UTCTime or GeneralizedTime
	Subject    []Attribute
	UniqueIDs  bool // issuerUniqueID or subjectUniqueID is there
	KeyType    asn1.ObjectIdentifier
	Curve      asn1.ObjectIdentifier // nil: parameters are explicit or missing
	Extensions []Extension

	draft bool // has no signature yet
}

// Attribute is one value of a name with the string type that it was written in.
type Attribute struct {
	Type  asn1.ObjectIdentifier
	Tag   uint8
	Value string
}

// Extension is one extension with its mark.
type Extension struct {
	ID       asn1.ObjectIdentifier
	Critical bool
	Value    []byte
}

// Parse reads a signed certificate.
func Parse(der []byte) (*View, error) {
	if len(der) > maxSize {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrDER, maxSize)
	}
	in := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("%w: outer structure", ErrDER)
	}
	v := &View{DER: der}
	if err := v.read(tbs); err != nil {
		return nil, err
	}
	v.Cert, v.Refused = smx509.ParseCertificate(der)
	return v, nil
}

// ParseTBS reads what is going to be signed, as if it had a signature: the
// checks then see the very bytes that the signer will get. One octet stands in
// for the signature. No check looks at it, and no key is needed for it, not even
// a throw-away one.
func ParseTBS(tbs []byte) (*View, error) {
	der, err := Assemble(tbs, []byte{0})
	if err != nil {
		return nil, err
	}
	v, err := Parse(der)
	if err != nil {
		return nil, err
	}
	v.draft = true
	return v, nil
}

// sm2 says whether anything in it is of the SM2 track: signature or key.
func (v *View) sm2() bool {
	return v.Signature.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}) || v.Curve.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301})
}

// Assemble puts a to-be-signed certificate and its signature together; the
// algorithm is the one that stands inside (RFC 5280 4.1.1.2).
func Assemble(tbs, signature []byte) ([]byte, error) {
	in := cryptobyte.String(tbs)
	var inner, algorithm cryptobyte.String
	if !in.ReadASN1(&inner, cbasn1.SEQUENCE) || !in.Empty() ||
		!inner.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!inner.SkipASN1(cbasn1.INTEGER) || !inner.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("%w: to-be-signed part", ErrDER)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(algorithm)
		b.AddASN1BitString(signature)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("lint: assemble certificate: %w", err)
	}
	return der, nil
}

func (v *View) read(tbs cryptobyte.String) error {
	var serial, sig, validity, spki, algorithm cryptobyte.String
	var has bool
	var wrapped cryptobyte.String
	if !tbs.ReadOptionalASN1(&wrapped, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return fmt.Errorf("%w: version", ErrDER)
	}
	if has && !wrapped.ReadASN1Integer(&v.Version) {
		return fmt.Errorf("%w: version", ErrDER)
	}
	v.Version++
	if !tbs.ReadASN1(&serial, cbasn1.INTEGER) || !tbs.ReadASN1(&sig, cbasn1.SEQUENCE) || !sig.ReadASN1ObjectIdentifier(&v.Signature) {
		return fmt.Errorf("%w: serial or signature algorithm", ErrDER)
	}
	v.Serial = serial
	var err error
	if v.Issuer, err = readName(&tbs); err != nil {
		return err
	}
	if !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) || !readTime(&validity, &v.NotBefore, &v.TimeTags[0]) || !readTime(&validity, &v.NotAfter, &v.TimeTags[1]) {
		return fmt.Errorf("%w: validity", ErrDER)
	}
	if v.Subject, err = readName(&tbs); err != nil {
		return err
	}
	if !tbs.ReadASN1(&spki, cbasn1.SEQUENCE) || !spki.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&v.KeyType) {
		return fmt.Errorf("%w: public key", ErrDER)
	}
	if algorithm.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) && !algorithm.ReadASN1ObjectIdentifier(&v.Curve) {
		return fmt.Errorf("%w: curve", ErrDER)
	}
	return v.readExtensions(tbs)
}

func (v *View) readExtensions(tbs cryptobyte.String) error {
	var wrapped, list cryptobyte.String
	var has bool
	for _, tag := range []cbasn1.Tag{1, 2} {
		v.UniqueIDs = v.UniqueIDs || tbs.PeekASN1Tag(tag.ContextSpecific())
		tbs.SkipOptionalASN1(tag.ContextSpecific())
	}
	if !tbs.ReadOptionalASN1(&wrapped, &has, cbasn1.Tag(3).ContextSpecific().Constructed()) || !tbs.Empty() {
		return fmt.Errorf("%w: extensions", ErrDER)
	}
	if !has {
		return nil
	}
	if !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return fmt.Errorf("%w: extensions", ErrDER)
	}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var e Extension
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&e.ID) ||
			ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&e.Critical) || !ext.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return fmt.Errorf("%w: extension", ErrDER)
		}
		e.Value = value
		v.Extensions = append(v.Extensions, e)
	}
	return nil
}

func readName(in *cryptobyte.String) ([]Attribute, error) {
	var name cryptobyte.String
	if !in.ReadASN1(&name, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("%w: name", ErrDER)
	}
	var out []Attribute
	for !name.Empty() {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) {
			return nil, fmt.Errorf("%w: name", ErrDER)
		}
		for !set.Empty() {
			var pair, value cryptobyte.String
			var tag cbasn1.Tag
			var a Attribute
			if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&a.Type) || !pair.ReadAnyASN1(&value, &tag) || !pair.Empty() {
				return nil, fmt.Errorf("%w: name", ErrDER)
			}
			a.Tag, a.Value = uint8(tag), string(value)
			out = append(out, a)
		}
	}
	return out, nil
}

func readTime(in *cryptobyte.String, out *time.Time, tag *uint8) bool {
	if in.PeekASN1Tag(cbasn1.UTCTime) {
		*tag = uint8(cbasn1.UTCTime)
		return in.ReadASN1UTCTime(out)
	}
	*tag = uint8(cbasn1.GeneralizedTime)
	return in.ReadASN1GeneralizedTime(out)
}

// attribute returns the values of one attribute of a name.
func attribute(name []Attribute, id asn1.ObjectIdentifier) []string {
	var out []string
	for _, a := range name {
		if a.Type.Equal(id) {
			out = append(out, a.Value)
		}
	}
	return out
}

// extension returns the first extension of that id, or nil.
func (v *View) extension(id asn1.ObjectIdentifier) *Extension {
	for i := range v.Extensions {
		if v.Extensions[i].ID.Equal(id) {
			return &v.Extensions[i]
		}
	}
	return nil
}
