package status

import (
	"crypto/sha1" // names an issuer in a CertID (RFC 6960 4.3), protects nothing
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"math/big"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a request. One for one certificate has about 100 bytes.
const (
	maxRequest   = 8 << 10
	maxCertIDs   = 16
	maxCertID    = 256
	maxSerial    = 32
	maxNonce     = 128 // RFC 9654 2.1
	maxExtension = 16
)

// errMalformed: the client gets malformedRequest.
var errMalformed = errors.New("status: malformed OCSP request")

// certID asks for one certificate. raw goes into the answer as it came.
type certID struct {
	raw       []byte
	algorithm asn1.ObjectIdentifier
	nameHash  []byte
	keyHash   []byte
	serial    *big.Int
}

// request is an OCSPRequest. A signature in it is not looked at: who asks makes
// no difference to the answer (RFC 6960 4.1.2).
type request struct {
	ids   []certID
	nonce []byte // the extension's value as it came; nil: none
}

func parseRequest(der []byte) (request, error) {
	if len(der) > maxRequest {
		return request{}, fmt.Errorf("%w: larger than %d bytes", errMalformed, maxRequest)
	}
	in := cryptobyte.String(der)
	var outer, tbs, list, wrapped cryptobyte.String
	var has bool
	constructed := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!outer.SkipOptionalASN1(constructed(0)) || !outer.Empty() {
		return request{}, fmt.Errorf("%w: outer structure", errMalformed)
	}
	if !tbs.ReadOptionalASN1(&wrapped, &has, constructed(0)) {
		return request{}, fmt.Errorf("%w: version", errMalformed)
	}
	if version := 0; has && (!wrapped.ReadASN1Integer(&version) || version != 0) {
		return request{}, fmt.Errorf("%w: version", errMalformed)
	}
	if !tbs.SkipOptionalASN1(constructed(1)) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return request{}, fmt.Errorf("%w: request list", errMalformed)
	}
	var r request
	for !list.Empty() {
		var one, id cryptobyte.String
		if len(r.ids) == maxCertIDs {
			return request{}, fmt.Errorf("%w: more than %d certificates", errMalformed, maxCertIDs)
		}
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1Element(&id, cbasn1.SEQUENCE) {
			return request{}, fmt.Errorf("%w: request", errMalformed)
		}
		c, err := parseCertID(id)
		if err != nil {
			return request{}, err
		}
		if _, err := optionalExtensions(&one, constructed(0)); err != nil || !one.Empty() {
			return request{}, fmt.Errorf("%w: extensions of a request", errMalformed)
		}
		r.ids = append(r.ids, c)
	}
	var err error
	if r.nonce, err = optionalExtensions(&tbs, constructed(2)); err != nil {
		return request{}, err
	}
	if !tbs.Empty() {
		return request{}, fmt.Errorf("%w: after the extensions", errMalformed)
	}
	return r, nil
}

func parseCertID(raw cryptobyte.String) (certID, error) {
	c := certID{raw: raw, serial: new(big.Int)}
	var outer, algorithm, name, key, serial cryptobyte.String
	ok := len(raw) <= maxCertID && raw.ReadASN1(&outer, cbasn1.SEQUENCE) && outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) &&
		algorithm.ReadASN1ObjectIdentifier(&c.algorithm) && outer.ReadASN1(&name, cbasn1.OCTET_STRING) && outer.ReadASN1(&key, cbasn1.OCTET_STRING)
	rest := outer
	if !ok || !rest.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) > maxSerial || !outer.ReadASN1Integer(c.serial) || !outer.Empty() {
		return certID{}, fmt.Errorf("%w: certificate id", errMalformed)
	}
	c.nameHash, c.keyHash = name, key
	return c, nil
}

// optionalExtensions returns the value of the nonce, if there is one. A critical
// extension that we do not know cannot be honoured, so it is refused.
func optionalExtensions(in *cryptobyte.String, tag cbasn1.Tag) (nonce []byte, err error) {
	var wrapped, list cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&wrapped, &has, tag) {
		return nil, fmt.Errorf("%w: extensions", errMalformed)
	}
	if !has {
		return nil, nil
	}
	if !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return nil, fmt.Errorf("%w: extensions", errMalformed)
	}
	for n := 0; !list.Empty(); n++ {
		var ext, value cryptobyte.String
		var id asn1.ObjectIdentifier
		var critical bool
		if n == maxExtension || !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&id) ||
			ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) || !ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() {
			return nil, fmt.Errorf("%w: extension", errMalformed)
		}
		switch {
		case id.Equal(oidNonce()):
			if nonce != nil || !validNonce(value) {
				return nil, fmt.Errorf("%w: nonce", errMalformed)
			}
			nonce = value
		case critical:
			return nil, fmt.Errorf("%w: critical extension %s", errMalformed, id)
		}
	}
	return nonce, nil
}

// validNonce: an OCTET STRING of 1 to 128 octets (RFC 9654 2.1).
func validNonce(value cryptobyte.String) bool {
	var octets cryptobyte.String
	return value.ReadASN1(&octets, cbasn1.OCTET_STRING) && value.Empty() && len(octets) >= 1 && len(octets) <= maxNonce
}

func oidNonce() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2} }

// issuerHash is how clients name an issuer, for one hash function.
type issuerHash struct {
	algorithm asn1.ObjectIdentifier
	name, key []byte
}

func (h issuerHash) is(c certID) bool {
	return h.algorithm.Equal(c.algorithm) && subtle.ConstantTimeCompare(h.name, c.nameHash) == 1 && subtle.ConstantTimeCompare(h.key, c.keyHash) == 1
}

// issuerHashes computes the names of an issuer once: SHA-1 because clients still
// use it by default (RFC 6960 4.3), SM3 for those of the SM2 track.
func issuerHashes(cert *smx509.Certificate) ([]issuerHash, error) {
	in := cryptobyte.String(cert.RawSubjectPublicKeyInfo)
	var spki cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&spki, cbasn1.SEQUENCE) || !spki.SkipASN1(cbasn1.SEQUENCE) || !spki.ReadASN1BitString(&bits) {
		return nil, errors.New("public key cannot be read")
	}
	var out []issuerHash
	for _, f := range []struct {
		oid asn1.ObjectIdentifier
		new func() hash.Hash
	}{
		{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, sha1.New},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, sha256.New},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, sha512.New384},
		{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, sha512.New},
		{asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}, sm3.New},
	} {
		name, key := f.new(), f.new()
		name.Write(cert.RawSubject)
		key.Write(bits.RightAlign())
		out = append(out, issuerHash{f.oid, name.Sum(nil), key.Sum(nil)})
	}
	return out, nil
}
