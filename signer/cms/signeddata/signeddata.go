// Package signeddata writes and reads SignedData on both algorithm tracks: SM2
// with SM3 in the frame of GB/T 35275, and ECDSA P-256 with SHA-256 as RFC 5652
// and RFC 5035 (signing-certificate-v2, the CAdES-B of ETSI EN 319 122-1) have
// it: what PAdES signatures, RFC 3161 tokens and signatures of any file are made
// of. It is the one writer of SignedData in the house.
//
// The content is embedded, of any content type, or detached and known by its
// digest alone. Around and Open write and read messages whose content streams
// by, of any size; all else is bounded (MaxSize, 16 signers, 32 certificates).
// Open judges each of several signers apart, and reads DER, the BER of streaming
// writers and PEM, with or without signed attributes. RSA (PKCS #1 v1.5, 2048
// bits or more) and the larger NIST curves are read too, because foreign
// signatures use them; they are never written.
//
// Parse, for messages that stand inside other formats, refuses anything that is
// not DER, more than one signer, and a message without signed attributes. Both
// refuse SHA-1, MD5, attributes that stand twice, and bytes behind the end. They
// judge mathematics only; chains and periods are the caller's.
package signeddata

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// Outcomes that callers branch on.
var (
	// ErrFormat: the bytes are not such a message.
	ErrFormat = errors.New("signeddata: malformed message")
	// ErrUnsupported: well formed, but of a kind or an algorithm not handled here.
	ErrUnsupported = errors.New("signeddata: unsupported message or algorithm")
	// ErrSignature: a signature or digest does not fit.
	ErrSignature = errors.New("signeddata: signature does not verify")
	// ErrCertificate: a certificate or key that may not be used for this.
	ErrCertificate = errors.New("signeddata: certificate or key not usable")
)

// MaxSize bounds a message in memory (Parse), and all but the content of a file.
const MaxSize = 16 << 20

// Content types.
func oidData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }

var (
	oidGMData       = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 1}
	oidGMSignedData = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 2}
	oidSignedData   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidTimeStamp     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}

	oidSM3    = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}

	oidSM2Sign     = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301, 1}
	oidSM2WithSM3  = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501}
	oidECDSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
)

// Digest is a hash that a message may name.
type Digest struct {
	OID  asn1.ObjectIdentifier
	Hash crypto.Hash // 0: SM3, which crypto does not know
	New  func() hash.Hash
}

// Of returns the digest of some bytes.
func (d Digest) Of(b []byte) []byte {
	h := d.New()
	h.Write(b)
	return h.Sum(nil)
}

// DigestOf finds a digest by its identifier.
func DigestOf(oid asn1.ObjectIdentifier) (Digest, error) {
	for _, d := range []Digest{
		{oidSM3, 0, sm3.New}, {oidSHA256, crypto.SHA256, sha256.New},
		{oidSHA384, crypto.SHA384, sha512.New384}, {oidSHA512, crypto.SHA512, sha512.New},
	} {
		if d.OID.Equal(oid) {
			return d, nil
		}
	}
	return Digest{}, fmt.Errorf("%w: digest %v", ErrUnsupported, oid)
}

// track is what the key of a certificate decides.
type track struct {
	digest    Digest
	frame     asn1.ObjectIdentifier // type of the whole message
	data      asn1.ObjectIdentifier // type of plain content
	signature asn1.ObjectIdentifier
	null      bool // GB/T 35275 writes NULL parameters, RFC 5754 none
}

// trackOf reads a certificate that shall sign.
func trackOf(certDER []byte) (*smx509.Certificate, *ecdsa.PublicKey, track, error) {
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return nil, nil, track{}, fmt.Errorf("%w: %v", ErrCertificate, err)
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	switch {
	case ok && pub.Curve == sm2.P256():
		return cert, pub, track{Digest{oidSM3, 0, sm3.New}, oidGMSignedData, oidGMData, oidSM2Sign, true}, nil
	case ok && pub.Curve == elliptic.P256():
		return cert, pub, track{Digest{oidSHA256, crypto.SHA256, sha256.New}, oidSignedData, oidData(), oidECDSASHA256, false}, nil
	}
	return nil, nil, track{}, fmt.Errorf("%w: neither an SM2 nor a P-256 key", ErrCertificate)
}

// DigestFor is the digest that a certificate's key signs with.
func DigestFor(certDER []byte) (Digest, error) {
	_, _, t, err := trackOf(certDER)
	return t.digest, err
}
