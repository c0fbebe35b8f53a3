package seal

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

// headerVersion is what stands in the header of a layout that is written.
func headerVersion(layout string) int {
	if layout == LayoutV1 {
		return 1
	}
	return 4
}

// Spec is a seal to be made. Times are written in whole seconds, UTC.
type Spec struct {
	ID         string   // 6-digit division code + 8 digits
	Vendor     string   // ASCII
	Type       int      // property.type, 1 or more
	Name       string   // with the purpose in brackets where it has one
	Certs      [][]byte // certificates that may sign with the seal, DER, one or more
	Created    time.Time
	ValidFrom  time.Time
	ValidUntil time.Time
	Picture    Picture // PNG
	Layout     string  // "" or LayoutV4: GB/T 38540; LayoutV1 on request only
}

// Make writes and signs a seal (GB/T 38540, 6.2): certListType 1, the maker's
// signature over DER(SES_SealInfo); for V1 over the certificate and the
// algorithm too (GM/T 0031-2014, 6.1.1). It lints first and verifies what it
// made.
func Make(spec Spec, maker crypto.Signer, makerCertDER []byte) ([]byte, error) {
	m, err := PrepareMaking(spec, maker.Public(), makerCertDER)
	if err != nil {
		return nil, err
	}
	return m.Sign(maker)
}

// Making is a seal that passed the lint and is not signed yet: what is recorded
// before the maker's signature exists.
type Making struct {
	info, cert []byte
	v1         bool
}

// PrepareMaking lints a seal to be made; pub is the maker's key.
func PrepareMaking(spec Spec, pub crypto.PublicKey, makerCertDER []byte) (*Making, error) {
	if err := spec.Lint(pub, makerCertDER); err != nil {
		return nil, err
	}
	return &Making{info: spec.info(), cert: wrap(idOctetString, makerCertDER), v1: spec.Layout == LayoutV1}, nil
}

// TBS is what the maker will sign.
func (m *Making) TBS() []byte {
	if m.v1 {
		return wrap(idSequence, m.info, m.cert, algorithm())
	}
	return m.info
}

// Sign signs the seal and verifies the result.
func (m *Making) Sign(maker crypto.Signer) ([]byte, error) {
	value, err := signMessage(maker, m.TBS())
	if err != nil {
		return nil, fmt.Errorf("seal: maker signs: %w", err)
	}
	der := wrap(idSequence, m.info, m.cert, algorithm(), bitString(value))
	if m.v1 {
		der = wrap(idSequence, m.info, wrap(idSequence, m.cert, algorithm(), bitString(value)))
	}
	made, err := ParseSeal(der)
	if err != nil {
		return nil, fmt.Errorf("seal: reading back what was made: %w", err)
	}
	if err := made.VerifyMaker(); err != nil {
		return nil, fmt.Errorf("seal: verifying what was made: %w", err)
	}
	return der, nil
}

// info is DER(SES_SealInfo).
func (s Spec) info() []byte {
	certs := make([][]byte, len(s.Certs))
	for i, c := range s.Certs {
		certs[i] = wrap(idOctetString, c)
	}
	listType, date := derInt(1), derTime // certificates
	if s.Layout == LayoutV1 {
		listType, date = nil, derUTCTime
	}
	return wrap(idSequence,
		wrap(idSequence, wrap(idIA5, []byte("ES")), derInt(headerVersion(s.Layout)), wrap(idIA5, []byte(s.Vendor))),
		wrap(idIA5, []byte(s.ID)),
		wrap(idSequence,
			derInt(s.Type),
			wrap(idUTF8, []byte(s.Name)),
			listType,
			wrap(idSequence, certs...),
			date(s.Created), date(s.ValidFrom), date(s.ValidUntil)),
		wrap(idSequence,
			wrap(idIA5, []byte(s.Picture.Type)),
			wrap(idOctetString, s.Picture.Data),
			derInt(s.Picture.Width), derInt(s.Picture.Height)))
}

// SignSpec is a use of a seal on a document.
type SignSpec struct {
	SealDER  []byte
	CertDER  []byte // of the signer; an entry of the seal's list
	Time     time.Time
	DataHash []byte // SM3 of Signature.xml, 32 bytes
	Property string // absolute path of Signature.xml
	Layout   string // "" or LayoutV4; LayoutV1, on request, takes a V1 seal
}

// Draft is a use of a seal that passed the lint and is not signed yet: what is
// recorded before the signature exists.
type Draft struct {
	spec SignSpec
	key  *ecdsa.PublicKey
}

// Prepare lints a use of a seal; pub is the key that shall sign.
func Prepare(spec SignSpec, pub crypto.PublicKey) (*Draft, error) {
	if err := spec.lint(pub); err != nil {
		return nil, err
	}
	key, err := PublicKey(spec.CertDER)
	if err != nil {
		return nil, err
	}
	return &Draft{spec: spec, key: key}, nil
}

// Sign writes and signs an SES_Signature (GB/T 38540, 7.2): the signature over
// DER(TBS_Sign), which holds the whole seal as it was made. It verifies what it
// made, because a key in foreign custody may do anything.
func (d *Draft) Sign(signer crypto.Signer) ([]byte, error) {
	tbs := d.toSign()
	value, err := signMessage(signer, tbs)
	if err != nil {
		return nil, fmt.Errorf("seal: sign: %w", err)
	}
	if !sm2.VerifyASN1WithSM2(d.key, nil, tbs, value) {
		return nil, fmt.Errorf("%w: verifying what was signed", ErrSignature)
	}
	if d.spec.Layout == LayoutV1 {
		return wrap(idSequence, tbs, bitString(value)), nil
	}
	return wrap(idSequence, tbs, wrap(idOctetString, d.spec.CertDER), algorithm(), bitString(value)), nil
}

// toSign is DER(TBS_Sign). V1 has the time as UTCTime in a BIT STRING, and the
// certificate and the algorithm inside what is signed (GM/T 0031-2014, 6.2.1).
func (d *Draft) toSign() []byte {
	spec := d.spec
	at, tail := derTime(spec.Time), []byte(nil)
	if spec.Layout == LayoutV1 {
		at = bitString(derUTCTime(spec.Time))
		tail = append(wrap(idOctetString, spec.CertDER), algorithm()...)
	}
	return wrap(idSequence, derInt(headerVersion(spec.Layout)), spec.SealDER, at,
		bitString(spec.DataHash), wrap(idIA5, []byte(spec.Property)), tail)
}

// Sign is Prepare and Draft.Sign in one step.
func Sign(spec SignSpec, signer crypto.Signer) ([]byte, error) {
	d, err := Prepare(spec, signer.Public())
	if err != nil {
		return nil, err
	}
	return d.Sign(signer)
}
