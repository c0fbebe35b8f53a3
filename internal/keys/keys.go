// Package keys is custody: where private keys live, and the only way they are
// used. The rest of the house sees a Signer or a Decrypter, never a private
// key; there is no way to export one (design law 5).
//
// Every backend meets the same contract (keystest.Run): an SM2 signing key
// signs messages, or the 32-byte value e when the option type says so; what the
// input is follows from the option's type, never from its length. Every
// signature is verified with the public key before it leaves; who verifies it
// anyway, with what it is part of, asks for the key Unverified. A signing key
// never decrypts and an encryption key never signs (双证书, GM/T 0034). A
// closed key does nothing.
//
// It refuses: a wrong passphrase, without saying what was wrong; a key file
// that others may read; a key that does not fit its record; parameters that
// would make opening a file expensive; any other option of Sign. The first
// backend is the encrypted file (OpenDir), custody class "software-file": it
// is a software implementation, not a certified cryptographic module.
package keys

import (
	"context"
	"crypto"
	"errors"
	"io"
	"time"
)

// Algorithm of a key.
type Algorithm string

// Algorithms.
const (
	SM2       Algorithm = "sm2"
	ECDSAP256 Algorithm = "ecdsa-p256"
)

// Purpose is the one thing a key does.
type Purpose string

// Purposes. ECDSA keys only sign.
const (
	PurposeSign    Purpose = "sign"
	PurposeEncrypt Purpose = "enc"
)

// Class says how strong the custody is; verification reports print it.
type Class string

// ClassSoftwareFile is custody by an encrypted file and our process memory.
const ClassSoftwareFile Class = "software-file"

// Key is what every key in custody tells about itself. Methods of a key are
// safe for concurrent use.
type Key interface {
	ID() string
	Backend() string
	Class() Class
	Algorithm() Algorithm
	Public() crypto.PublicKey // *ecdsa.PublicKey
	// Attest uses the key once and returns what custody can prove about it.
	Attest(ctx context.Context) (Attestation, error)
	// Close forgets the private key. It is idempotent; every later use is ErrClosed.
	Close() error
}

// Signer is a key of PurposeSign. It is a crypto.Signer; Sign takes
//   - SM2: exactly the pointer sm2.DefaultSM2SignerOpts (the input is a
//     message, user id 1234567812345678), or Digest{} (the input is e);
//   - ECDSA P-256: crypto.SHA256, SHA384 or SHA512 (the input is that digest).
//
// Everything else is ErrOptions, an empty message included.
type Signer interface {
	Key
	Sign(rand io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error)
}

// Decrypter is an SM2 key of PurposeEncrypt. It is a crypto.Decrypter; options
// must be nil, which accepts the ASN.1 form and the raw C1C3C2 form.
type Decrypter interface {
	Key
	Decrypt(rand io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error)
}

// Digest as an option of Sign says that the input already is
// e = SM3(Z ‖ M), 32 bytes, made for this very key.
type Digest struct{}

// HashFunc makes Digest a crypto.SignerOpts; SM3 has no crypto.Hash value.
func (Digest) HashFunc() crypto.Hash { return 0 }

// Attestation is what custody says about a key after it was used just now.
type Attestation struct {
	ID        string    `json:"id"`
	Backend   string    `json:"backend"`
	Class     Class     `json:"class"`
	Algorithm Algorithm `json:"algorithm"`
	Purpose   Purpose   `json:"purpose"`
	Owner     string    `json:"owner,omitempty"`
	SPKISM3   string    `json:"spki_sm3"` // SM3 of the SubjectPublicKeyInfo, hex
	CreatedAt time.Time `json:"created_at"`
	CheckedAt time.Time `json:"checked_at"` // of the pair-wise check
}

// Outcomes that callers branch on.
var (
	// ErrPassphrase: the file could not be opened with this passphrase; it
	// never says why.
	ErrPassphrase = errors.New("keys: wrong passphrase or damaged key file")
	// ErrWeak: a passphrase, PIN or service secret below its minimum.
	ErrWeak = errors.New("keys: passphrase too short")
	// ErrMode: others than the owner may read or write the file or directory.
	ErrMode = errors.New("keys: file or directory open to others")
	// ErrNotFound: no such key.
	ErrNotFound = errors.New("keys: not found")
	// ErrExists: there is a key of this id; it is never overwritten.
	ErrExists = errors.New("keys: key exists")
	// ErrSpec: an id, algorithm, purpose or owner that cannot be.
	ErrSpec = errors.New("keys: invalid specification")
	// ErrRecord: key and record do not fit, or the file is not of our making.
	ErrRecord = errors.New("keys: key file and record do not fit")
	// ErrPurpose: the key is for something else.
	ErrPurpose = errors.New("keys: key is not for this purpose")
	// ErrOptions: an option or input that Sign or Decrypt does not take.
	ErrOptions = errors.New("keys: input or option refused")
	// ErrDestroyed: the key was destroyed.
	ErrDestroyed = errors.New("keys: key is destroyed")
	// ErrClosed: the key was closed.
	ErrClosed = errors.New("keys: key is closed")
	// ErrFault: the key made a result that does not verify; do not use it.
	ErrFault = errors.New("keys: self-check failed")
)
