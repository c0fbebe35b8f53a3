// Package cms writes and reads the two messages of GB/T 35275 (GM/T 0010) that
// the house needs: SignedData with SM2 and SM3, and EnvelopedData with SM4-GCM
// to one SM2 encryption certificate; and the signed envelope in which a
// document travels (design §4).
//
// SignedData is written in form (b), with signed attributes, which the widest
// range of readers accepts, and verified over the attribute bytes as they are
// stored: real signers exist whose attributes are not in DER order. The chain
// of the signer's certificate is judged by the caller.
//
// It refuses input over MaxSize, anything that is not DER, more than one
// signer or recipient, RSA, a signer without a certificate, empty content, and
// content encryption without authentication. It never panics on foreign bytes.
package cms

import (
	"encoding/asn1"
	"errors"
)

// MaxSize bounds a message: the largest document (200 MB) and its frame.
const MaxSize = 256 << 20

// Outcomes that callers branch on.
var (
	// ErrFormat: the bytes are not such a message.
	ErrFormat = errors.New("cms: malformed message")
	// ErrUnsupported: well formed, but of a kind or an algorithm not handled here.
	ErrUnsupported = errors.New("cms: unsupported message or algorithm")
	// ErrSignature: the signature or the digest does not fit.
	ErrSignature = errors.New("cms: signature does not verify")
	// ErrRecipient: the message is not for this certificate or key.
	ErrRecipient = errors.New("cms: not the recipient")
	// ErrDecrypt: the content was changed, or the key is not the recipient's.
	ErrDecrypt = errors.New("cms: cannot be decrypted")
	// ErrCertificate: a certificate or key that may not be used for this.
	ErrCertificate = errors.New("cms: certificate or key not usable")
	// ErrEmpty: nothing to sign or to encrypt.
	ErrEmpty = errors.New("cms: empty content")
)

// Object identifiers of GB/T 35275, PKCS#9 and the algorithms.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 2}
	oidEnvelopedData = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 1, 4, 2, 3}
	oidPKCS7Data     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} // seen as inner type

	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}

	oidSM3        = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 401}
	oidSM2Sign    = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301, 1}
	oidSM2WithSM3 = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 501} // seen in its place
	oidSM4GCM     = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 104, 8}
)
