package revocation

import (
	"crypto/sha1" // names an issuer in a CertID (RFC 6960 4.3), protects nothing
	"crypto/sha256"
	"crypto/sha512"
	encasn1 "encoding/asn1"
	"fmt"
	"hash"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxAnswers bounds the certificates of one response, and its responder's chain.
const (
	maxAnswers = 100
	maxCerts   = 8
)

// response is a successful OCSPResponse of the basic type.
type response struct {
	item      Item
	tbs       []byte
	algorithm smx509.SignatureAlgorithm
	value     []byte
	byName    []byte // ResponderID: one of the two
	byKey     []byte
	produced  time.Time
	singles   []single
	certs     []*smx509.Certificate
}

// single is the answer for one certificate.
type single struct {
	digest          func() hash.Hash
	nameHash, keyID []byte
	serial          []byte
	is              says
	silent          bool // "unknown": the responder knows nothing of it
	since           time.Time
	made, until     time.Time
}

func parseResponse(der []byte) (*response, error) {
	in := cryptobyte.String(der)
	var outer, wrapped, basic, body, element cryptobyte.String
	var status int
	var oid encasn1.ObjectIdentifier
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Enum(&status) {
		return nil, malformed("response")
	}
	if status != 0 {
		return nil, fmt.Errorf("%w: a refusal, status %d", ErrUnsupported, status)
	}
	if !outer.ReadASN1(&wrapped, tag0.Constructed()) || !outer.Empty() || !wrapped.ReadASN1(&basic, asn1.SEQUENCE) || !wrapped.Empty() ||
		!basic.ReadASN1ObjectIdentifier(&oid) || !basic.ReadASN1(&body, asn1.OCTET_STRING) || !basic.Empty() {
		return nil, malformed("response")
	}
	if !oid.Equal(encasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}) {
		return nil, fmt.Errorf("%w: response of type %v", ErrUnsupported, oid)
	}
	r := &response{item: Item{Kind: OCSP, Raw: der}}
	var seq cryptobyte.String
	if !body.ReadASN1(&seq, asn1.SEQUENCE) || !body.Empty() || !readSigned(&seq, &element, &oid, &r.value) {
		return nil, malformed("basic response")
	}
	r.tbs = element
	var err error
	if r.algorithm, err = algorithmOf(oid); err != nil {
		return nil, err
	}
	if err := r.readCerts(&seq); err != nil {
		return nil, err
	}
	return r, r.readData(element)
}

func (r *response) readCerts(in *cryptobyte.String) error {
	var wrapped, list cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&wrapped, &has, tag0.Constructed()) || !in.Empty() || has && (!wrapped.ReadASN1(&list, asn1.SEQUENCE) || !wrapped.Empty()) {
		return malformed("certificates of a response")
	}
	for n := 0; !list.Empty(); n++ {
		var el cryptobyte.String
		if n == maxCerts || !list.ReadASN1Element(&el, asn1.SEQUENCE) {
			return malformed("certificates of a response")
		}
		if c, err := smx509.ParseCertificate(el); err == nil {
			r.certs = append(r.certs, c)
		}
	}
	return nil
}

func (r *response) readData(in cryptobyte.String) error {
	var data, responder, list, wrapped cryptobyte.String
	bad := malformed("data of a response")
	version := 0
	if !in.ReadASN1(&data, asn1.SEQUENCE) || !data.ReadOptionalASN1Integer(&version, tag0.Constructed(), 0) || version != 0 {
		return bad
	}
	switch {
	case data.PeekASN1Tag(tag1.Constructed()):
		if !data.ReadASN1(&responder, tag1.Constructed()) {
			return bad
		}
		r.byName = responder
	case !data.ReadASN1(&wrapped, tag2.Constructed()) || !wrapped.ReadASN1(&responder, asn1.OCTET_STRING) || !wrapped.Empty():
		return bad
	default:
		r.byKey = responder
	}
	var has bool
	if !data.ReadASN1GeneralizedTime(&r.produced) || !data.ReadASN1(&list, asn1.SEQUENCE) ||
		!data.ReadOptionalASN1(&wrapped, &has, tag1.Constructed()) || !data.Empty() {
		return bad
	}
	if has {
		if err := understood(&wrapped); err != nil {
			return err
		}
	}
	for !list.Empty() {
		if len(r.singles) == maxAnswers {
			return fmt.Errorf("%w: answers of one response", ErrLimit)
		}
		s, err := readSingle(&list)
		if err != nil {
			return err
		}
		r.singles = append(r.singles, s)
	}
	if len(r.singles) == 0 {
		return bad
	}
	r.item.ThisUpdate, r.item.NextUpdate = r.singles[0].made, r.singles[0].until
	return nil
}

// understood reads extensions of which none may be critical: a nonce and archive
// cutoff are not.
func understood(in *cryptobyte.String) error {
	all, err := readExtensions(in)
	if err != nil {
		return err
	}
	if !in.Empty() {
		return malformed("extensions of a response")
	}
	return refuseCritical(all)
}

func readSingle(list *cryptobyte.String) (single, error) {
	var one, id, alg, name, key, serial, state, wrapped cryptobyte.String
	var oid encasn1.ObjectIdentifier
	var tag asn1.Tag
	var s single
	bad := malformed("answer of a response")
	if !list.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1(&id, asn1.SEQUENCE) || !id.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!id.ReadASN1(&name, asn1.OCTET_STRING) || !id.ReadASN1(&key, asn1.OCTET_STRING) || !id.ReadASN1(&serial, asn1.INTEGER) || !id.Empty() ||
		!one.ReadAnyASN1(&state, &tag) || !one.ReadASN1GeneralizedTime(&s.made) {
		return s, bad
	}
	s.digest, s.nameHash, s.keyID, s.serial = digestOf(oid), name, key, serial
	switch tag {
	case tag0: // good
	case tag1.Constructed():
		var reason cryptobyte.String
		var why int
		var has bool
		if !state.ReadASN1GeneralizedTime(&s.since) || !state.ReadOptionalASN1(&reason, &has, tag0.Constructed()) || !state.Empty() ||
			has && (!reason.ReadASN1Enum(&why) || !reason.Empty()) {
			return s, bad
		}
		if s.is = revoked; why == reasonHold {
			s.is = held
		}
	case tag2:
		s.silent = true
	default:
		return s, bad
	}
	s.until = s.made
	var has bool
	if !one.ReadOptionalASN1(&wrapped, &has, tag0.Constructed()) || has && (!wrapped.ReadASN1GeneralizedTime(&s.until) || !wrapped.Empty()) ||
		!one.ReadOptionalASN1(&wrapped, &has, tag1.Constructed()) || !one.Empty() {
		return s, bad
	}
	if has {
		return s, understood(&wrapped)
	}
	return s, nil
}

// digestOf are the hashes that name an issuer; nil: another one, which names
// nobody. It is an identifier, so that SHA-1 does no harm here.
func digestOf(oid encasn1.ObjectIdentifier) func() hash.Hash {
	switch {
	case oid.Equal(encasn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}):
		return sha1.New
	case oid.Equal(encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}):
		return sha256.New
	case oid.Equal(encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}):
		return sha512.New384
	case oid.Equal(encasn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}):
		return sha512.New
	case oid.Equal(encasn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}):
		return sm3.New
	}
	return nil
}
