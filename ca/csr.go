package ca

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxCSR bounds a certificate request; one with an SM2 key has about 300 bytes.
const maxCSR = 16 << 10

// ParseCSR reads an SM2 certificate request (PKCS #10, DER) and proves that its
// sender has the key. Errors wrap ErrCSR. Of the request only the key and the
// names count; usages that it asks for are ignored, the profile decides.
func ParseCSR(der []byte) (*smx509.CertificateRequest, error) {
	if len(der) == 0 || len(der) > maxCSR {
		return nil, fmt.Errorf("%w: size %d, at most %d", ErrCSR, len(der), maxCSR)
	}
	csr, err := smx509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	public, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != sm2.P256() {
		return nil, fmt.Errorf("%w: key is not on the SM2 curve", ErrCSR)
	}
	if !namedSM2(csr.RawSubjectPublicKeyInfo) {
		return nil, fmt.Errorf("%w: curve is not named; explicit parameters are refused", ErrCSR)
	}
	if csr.SignatureAlgorithm != smx509.SM2WithSM3 {
		return nil, fmt.Errorf("%w: not signed with SM2 and SM3", ErrCSR)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: signature: %w", ErrCSR, err)
	}
	return csr, nil
}

// namedSM2 looks at the raw key: the library compares only two of the explicit
// parameters, and then tells them from a named curve no more.
func namedSM2(spki []byte) bool {
	in := cryptobyte.String(spki)
	var outer, algorithm cryptobyte.String
	var kind, curve asn1.ObjectIdentifier
	return in.ReadASN1(&outer, cbasn1.SEQUENCE) && outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) &&
		algorithm.ReadASN1ObjectIdentifier(&kind) && algorithm.ReadASN1ObjectIdentifier(&curve) && algorithm.Empty() &&
		kind.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}) && curve.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301})
}

// fits refuses a CSR that names anything other than what was approved, or a host
// twice. It may name less: the certificate is made from the request.
func fits(csr *smx509.CertificateRequest, r Request) error {
	for _, a := range csr.Subject.Names { // the library's CommonName is the last of them
		// ACME clients write a host there.
		if cn, ok := a.Value.(string); a.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) && (!ok || cn != "" && cn != r.CommonName && !slices.Contains(r.Hosts, strings.ToLower(cn))) {
			return fmt.Errorf("%w: CN is not the approved one", ErrCSR)
		}
	}
	for _, o := range csr.Subject.Organization {
		if o != r.Organization {
			return fmt.Errorf("%w: O is not the approved one", ErrCSR)
		}
	}
	if len(csr.IPAddresses)+len(csr.EmailAddresses)+len(csr.URIs) > 0 {
		return fmt.Errorf("%w: alternative names may be DNS names only", ErrCSR)
	}
	if NamesTwice(csr.DNSNames) {
		return fmt.Errorf("%w: a host is named twice", ErrCSR)
	}
	for _, name := range csr.DNSNames {
		if !slices.Contains(r.Hosts, strings.ToLower(name)) {
			return fmt.Errorf("%w: host %q was not approved", ErrCSR, name)
		}
	}
	return nil
}

// NamesTwice says whether a host stands in a list twice, in any spelling.
func NamesTwice(names []string) bool {
	seen := map[string]bool{}
	for _, n := range names {
		if n = strings.ToLower(n); seen[n] {
			return true
		}
		seen[n] = true
	}
	return false
}

// NamesSM2 says whether a certificate or a certificate request, or what is left
// of one, belongs to the SM2 track: by the algorithm that signed it. It decides
// who reads it, and nothing else.
func NamesSM2(der []byte) bool {
	in := cryptobyte.String(der)
	var outer, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	return in.ReadASN1(&outer, cbasn1.SEQUENCE) && outer.SkipASN1(cbasn1.SEQUENCE) && outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) &&
		algorithm.ReadASN1ObjectIdentifier(&oid) && oid.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501})
}
