package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// maxInput bounds one message or ciphertext. The largest thing the house signs
// in one piece is a set of CMS attributes or a CRL; documents come as digests.
const maxInput = 64 << 20

// private is what the software backend keeps in memory. Exactly one field is
// set; the pointer to it is dropped by Close.
type private struct {
	sm2 *sm2.PrivateKey
	ec  *ecdsa.PrivateKey
}

func (p *private) public() *ecdsa.PublicKey {
	if p.sm2 != nil {
		return &p.sm2.PublicKey
	}
	return &p.ec.PublicKey
}

// software is the part that signing and encryption keys share. The Go heap
// keeps copies of big integers that nobody can wipe: Close only drops ours.
type software struct {
	rec  Record
	pub  *ecdsa.PublicKey
	key  atomic.Pointer[private]
	rand io.Reader
	now  func() time.Time
}

func (s *software) ID() string               { return s.rec.ID }
func (s *software) Backend() string          { return "file" }
func (s *software) Class() Class             { return s.rec.Class }
func (s *software) Algorithm() Algorithm     { return s.rec.Algorithm }
func (s *software) Public() crypto.PublicKey { return s.pub }

func (s *software) Close() error {
	s.key.Store(nil)
	return nil
}

// Format prints the same harmless words for every verb: a private key must not
// reach a log through %d or %#v.
func (s *software) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "key %s (%s, %s)", s.rec.ID, s.rec.Algorithm, s.rec.Purpose)
}

func (s *software) Attest(ctx context.Context) (Attestation, error) {
	if err := ctx.Err(); err != nil {
		return Attestation{}, err
	}
	k := s.key.Load()
	if k == nil {
		return Attestation{}, ErrClosed
	}
	if err := pairwise(k, s.rec.Purpose, s.rand); err != nil {
		return Attestation{}, err
	}
	return Attestation{
		ID: s.rec.ID, Backend: s.Backend(), Class: s.rec.Class,
		Algorithm: s.rec.Algorithm, Purpose: s.rec.Purpose, Owner: s.rec.Owner,
		SPKISM3: s.rec.SPKISM3, CreatedAt: s.rec.CreatedAt,
		CheckedAt: s.now().UTC().Truncate(time.Millisecond),
	}, nil
}

// signing and decrypting are different types, so that a key has no method for
// what it may not do.
type signing struct{ software }

var _ Signer = (*signing)(nil)

func (s *signing) Sign(rand io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := s.raw(rand, input, opts)
	if err == nil && !verifies(s.pub, input, opts, sig) {
		return nil, ErrFault
	}
	return sig, err
}

func (s *signing) raw(rand io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	k := s.key.Load()
	if k == nil {
		return nil, ErrClosed
	}
	if rand == nil {
		// gmsm signs deterministically without randomness, which is for tests only.
		rand = s.rand
	}
	return sign(k, rand, input, opts)
}

// Unverified is the same key for a caller that verifies each signature itself,
// in what it is part of, before anybody gets it (ca.Draft): once, and not twice.
func (s *signing) Unverified() crypto.Signer { return unverified{s} }

type unverified struct{ key *signing }

func (u unverified) Public() crypto.PublicKey      { return u.key.Public() }
func (u unverified) Format(f fmt.State, verb rune) { u.key.Format(f, verb) }

func (u unverified) Sign(rand io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	return u.key.raw(rand, input, opts)
}

type decrypting struct{ software }

var _ Decrypter = (*decrypting)(nil)

func (d *decrypting) Decrypt(rand io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	k := d.key.Load()
	if k == nil {
		return nil, ErrClosed
	}
	if opts != nil {
		return nil, fmt.Errorf("%w: decryption option %T", ErrOptions, opts)
	}
	if len(ciphertext) == 0 || len(ciphertext) > maxInput {
		return nil, fmt.Errorf("%w: ciphertext of %d bytes", ErrOptions, len(ciphertext))
	}
	plain, err := k.sm2.Decrypt(rand, ciphertext, nil)
	if err != nil {
		return nil, fmt.Errorf("keys: decrypting: %w", err)
	}
	return plain, nil
}

func sign(k *private, rand io.Reader, input []byte, opts crypto.SignerOpts) ([]byte, error) {
	if len(input) == 0 || len(input) > maxInput {
		return nil, fmt.Errorf("%w: input of %d bytes", ErrOptions, len(input))
	}
	if k.ec != nil {
		return signECDSA(k.ec, rand, input, opts)
	}
	switch o := opts.(type) {
	case *sm2.SM2SignerOption:
		// The user id of any other option is unexported: we could not know
		// what is being signed.
		if o != sm2.DefaultSM2SignerOpts {
			return nil, fmt.Errorf("%w: not the default SM2 option", ErrOptions)
		}
		sig, err := k.sm2.Sign(rand, input, o)
		if err != nil {
			return nil, fmt.Errorf("keys: signing: %w", err)
		}
		return sig, nil
	case Digest:
		if len(input) != sm3.Size {
			return nil, fmt.Errorf("%w: e is %d bytes", ErrOptions, len(input))
		}
		sig, err := sm2.SignASN1(rand, k.sm2, input, nil)
		if err != nil {
			return nil, fmt.Errorf("keys: signing: %w", err)
		}
		return sig, nil
	}
	return nil, fmt.Errorf("%w: SM2 signature with option %T", ErrOptions, opts)
}

// verifies checks what sign made.
func verifies(pub *ecdsa.PublicKey, input []byte, opts crypto.SignerOpts, sig []byte) bool {
	switch opts.(type) {
	case *sm2.SM2SignerOption:
		return sm2.VerifyASN1WithSM2(pub, nil, input, sig)
	case Digest:
		return sm2.VerifyASN1(pub, input, sig)
	}
	return ecdsa.VerifyASN1(pub, input, sig)
}

func signECDSA(key *ecdsa.PrivateKey, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	h, ok := opts.(crypto.Hash)
	if !ok || (h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512) || len(digest) != h.Size() {
		return nil, fmt.Errorf("%w: ECDSA signature with option %T over %d bytes", ErrOptions, opts, len(digest))
	}
	sig, err := ecdsa.SignASN1(rand, key, digest)
	if err != nil {
		return nil, fmt.Errorf("keys: signing: %w", err)
	}
	return sig, nil
}

func generate(a Algorithm, rand io.Reader) (*private, error) {
	if a == SM2 {
		k, err := sm2.GenerateKey(rand)
		if err != nil {
			return nil, fmt.Errorf("keys: generating: %w", err)
		}
		return &private{sm2: k}, nil
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, fmt.Errorf("keys: generating: %w", err)
	}
	return &private{ec: k}, nil
}

func spkiSM3(pub *ecdsa.PublicKey) (der []byte, digest string, err error) {
	if der, err = smx509.MarshalPKIXPublicKey(pub); err != nil {
		return nil, "", fmt.Errorf("keys: encoding the public key: %w", err)
	}
	sum := sm3.Sum(der)
	return der, hex.EncodeToString(sum[:]), nil
}

// Public is the key's public half, known without opening the key. That the
// private half fits is checked whenever the key is opened.
func (r Record) Public() (*ecdsa.PublicKey, error) {
	key, err := smx509.ParsePKIXPublicKey(r.SPKI)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRecord, r.ID, err)
	}
	pub, ok := key.(*ecdsa.PublicKey)
	sum := sm3.Sum(r.SPKI)
	if !ok || hex.EncodeToString(sum[:]) != r.SPKISM3 {
		return nil, fmt.Errorf("%w: %s: public key", ErrRecord, r.ID)
	}
	return pub, nil
}
