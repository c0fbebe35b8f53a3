package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"slices"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// What we write, and the caps on what we open. Nothing is parsed or derived
// before the caps hold: reading a key file must not cost more than writing it.
// SM4-CBC with scrypt N=2^14 is what OpenSSL 3 reads; it refuses N=2^15.
const (
	pemType      = "ENCRYPTED PRIVATE KEY"
	maxFile      = 16 << 10
	saltSize     = 16
	scryptN      = 1 << 14
	scryptR      = 8
	scryptP      = 1
	minSecret    = 8
	maxSecret    = 1 << 10
	maxSalt      = 64
	maxScryptN   = 1 << 15
	sm4BlockSize = 16
)

// encryptedKeyInfo is EncryptedPrivateKeyInfo of RFC 5208.
type encryptedKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

type scryptParams struct {
	Salt   []byte
	N, R   int
	P      int
	KeyLen int `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidSM4CBC = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 104, 2}
)

func checkSecret(secret []byte) error {
	if len(secret) < minSecret {
		return fmt.Errorf("%w: at least %d bytes", ErrWeak, minSecret)
	}
	if len(secret) > maxSecret {
		return fmt.Errorf("%w: passphrase longer than %d bytes", ErrSpec, maxSecret)
	}
	return nil
}

// seal encrypts a private key. The passphrase is checked here as well: with an
// empty one the library would write the key in clear.
func seal(k *private, passphrase []byte, rand io.Reader, w Work) ([]byte, error) {
	if err := checkSecret(passphrase); err != nil {
		return nil, err
	}
	var key any = k.ec
	if k.sm2 != nil {
		key = k.sm2
	}
	plain, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("keys: encoding: %w", err)
	}
	defer clear(plain)
	enc := pkcs.NewPBESEncrypter(pkcs.SM4CBC, pkcs.NewScryptOpts(saltSize, w.file(), scryptR, scryptP))
	alg, data, err := enc.Encrypt(rand, passphrase, plain)
	if err != nil {
		return nil, fmt.Errorf("keys: encrypting: %w", err)
	}
	der, err := asn1.Marshal(encryptedKeyInfo{*alg, data})
	if err != nil {
		return nil, fmt.Errorf("keys: encoding: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// unseal opens a key file. Structure errors are ErrRecord and known before the
// passphrase is used; everything after that is ErrPassphrase.
func unseal(file, passphrase []byte, a Algorithm, w Work) (k *private, err error) {
	der, err := checkEncrypted(file, pemType, oidSM4CBC, w)
	if err != nil {
		return nil, err
	}
	if checkSecret(passphrase) != nil {
		return nil, ErrPassphrase
	}
	defer func() {
		// Foreign bytes went through a cipher: whatever a parser does with
		// them is one and the same answer.
		if recover() != nil {
			k, err = nil, ErrPassphrase
		}
	}()
	key, err := pkcs8.ParsePKCS8PrivateKey(der, passphrase)
	if err != nil {
		return nil, ErrPassphrase
	}
	switch key := key.(type) {
	case *sm2.PrivateKey:
		if a == SM2 {
			return &private{sm2: key}, nil
		}
	case *ecdsa.PrivateKey:
		if a == ECDSAP256 && key.Curve == elliptic.P256() {
			return &private{ec: key}, nil
		}
	}
	return nil, fmt.Errorf("%w: another kind of key", ErrRecord)
}

// checkEncrypted refuses a file that is not one PEM block of this type with
// PBES2, scrypt within our limits and this cipher.
func checkEncrypted(file []byte, kind string, cipher asn1.ObjectIdentifier, w Work) ([]byte, error) {
	block, rest := pem.Decode(file)
	if block == nil || block.Type != kind || len(block.Headers) > 0 || len(rest) > 0 {
		return nil, fmt.Errorf("%w: not one PEM block %q", ErrRecord, kind)
	}
	var info encryptedKeyInfo
	var params pbes2Params
	var kdf scryptParams
	if !exactly(block.Bytes, &info) || !info.Algorithm.Algorithm.Equal(oidPBES2) ||
		!exactly(info.Algorithm.Parameters.FullBytes, &params) {
		return nil, fmt.Errorf("%w: not PKCS#8 with PBES2", ErrRecord)
	}
	if !params.KDF.Algorithm.Equal(oidScrypt) || !params.Cipher.Algorithm.Equal(cipher) ||
		!exactly(params.KDF.Parameters.FullBytes, &kdf) {
		return nil, fmt.Errorf("%w: not SM4 with scrypt", ErrRecord)
	}
	if kdf.N < w.file() || kdf.N > maxScryptN || kdf.R != scryptR || kdf.P != scryptP ||
		len(kdf.Salt) < saltSize || len(kdf.Salt) > maxSalt || kdf.KeyLen > sm4BlockSize {
		return nil, fmt.Errorf("%w: scrypt parameters outside the limits", ErrRecord)
	}
	if len(info.Data) == 0 || cipher.Equal(oidSM4CBC) && len(info.Data)%sm4BlockSize != 0 {
		return nil, fmt.Errorf("%w: broken ciphertext", ErrRecord)
	}
	return slices.Clone(block.Bytes), nil
}

// exactly decodes der into v and reports whether that was all of it.
func exactly(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}
