package keys

import (
	"bytes"
	"crypto/hkdf"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"
	"golang.org/x/crypto/scrypt"
)

// PassphraseFromFile reads the passphrase from the first line of a file of
// mode 0600, each time it is asked.
func PassphraseFromFile(path string) Passphrase {
	return func() ([]byte, error) {
		b, err := readPrivate(path)
		if err != nil {
			return nil, fmt.Errorf("passphrase file: %w", err)
		}
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		if bytes.IndexByte(b, '\n') >= 0 {
			return nil, fmt.Errorf("passphrase file: %w: more than one line", ErrSpec)
		}
		return b, checkSecret(b)
	}
}

// PassphraseFromEnv reads the passphrase from an environment variable.
func PassphraseFromEnv(name string) Passphrase {
	return func() ([]byte, error) {
		v, ok := os.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("%w: environment variable %s is not set", ErrNotFound, name)
		}
		return []byte(v), checkSecret([]byte(v))
	}
}

// CreateSecretFile writes 256 random bits as one line of text that
// PassphraseFromFile reads: mode 0600, ErrExists when the file is there.
func CreateSecretFile(path string, rand io.Reader) error {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return fmt.Errorf("keys: reading randomness: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	return writePrivate(path, []byte(base64.RawURLEncoding.EncodeToString(raw)+"\n"))
}

// Limits of a person's key.
const (
	MinPIN     = 8
	maxPIN     = 64
	minService = 32
	pinScryptN = 1 << 15
)

// PersonPassphrase derives the passphrase of a person's key from the service's
// secret and the person's PIN, so that neither opens it alone (design law 5):
// a thief of the disk lacks the PIN, and one who saw the PIN lacks the secret.
// The PIN is stretched with scrypt, then both go through HKDF-SM3. It returns
// ErrWeak for a PIN under MinPIN characters or a service secret under 32 bytes.
// A wrong PIN shows only when the key is opened; whoever lets people try must
// count (internal/signin does).
func PersonPassphrase(service []byte, pin string, salt []byte, w Work) ([]byte, error) {
	if err := CheckPIN(pin); err != nil {
		return nil, err
	}
	if len(service) < minService {
		return nil, fmt.Errorf("%w: service secret under %d bytes", ErrWeak, minService)
	}
	if len(salt) < saltSize {
		return nil, fmt.Errorf("%w: salt under %d bytes", ErrSpec, saltSize)
	}
	stretched, err := scrypt.Key([]byte(pin), salt, w.pin(), scryptR, scryptP, sm3.Size)
	if err != nil {
		return nil, fmt.Errorf("keys: stretching the PIN: %w", err)
	}
	defer clear(stretched)
	// The stretched PIN has a fixed length and stands last: no two pairs of
	// inputs make the same keying material.
	ikm := append(append(make([]byte, 0, len(service)+len(stretched)), service...), stretched...)
	defer clear(ikm)
	out, err := hkdf.Key(sm3.New, ikm, salt, "yinxin/person-key/v1", sm3.Size)
	if err != nil {
		return nil, fmt.Errorf("keys: deriving: %w", err)
	}
	// Text, so that OpenSSL takes it as a passphrase too.
	return []byte(hex.EncodeToString(out)), nil
}

// CheckPIN returns ErrWeak for a PIN that is too short, too long, not text, or of
// one kind of character only (GB/T 22239-2019, 8.1.4.1 a: complexity).
func CheckPIN(pin string) error {
	n := utf8.RuneCountInString(pin)
	if n < MinPIN || len(pin) > maxPIN || !utf8.ValidString(pin) {
		return fmt.Errorf("%w: a PIN has %d to %d characters", ErrWeak, MinPIN, maxPIN)
	}
	kinds := map[string]bool{}
	for _, r := range pin {
		switch {
		case unicode.IsDigit(r):
			kinds["digit"] = true
		case unicode.IsLetter(r):
			kinds["letter"] = true
		default:
			kinds["other"] = true
		}
	}
	if len(kinds) < 2 {
		return fmt.Errorf("%w: a PIN has letters, digits and signs, two of these kinds", ErrWeak)
	}
	return nil
}
