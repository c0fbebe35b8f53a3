package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/seal"
)

// Caps on a key file: deriving its key must not cost more than a second or two
// and 128 MB, whatever the file says.
const (
	maxKeyFile    = 16 << 10
	maxPassphrase = 1 << 10
	maxIterations = 5_000_000
	maxScryptCost = 1 << 20 // N·r
	maxScryptP    = 16
)

// passphraseEnv is the environment variable read when no file is given.
const passphraseEnv = "YINXIN_PASSPHRASE"

var (
	oidPBKDF2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidSMPBKDF  = asn1.ObjectIdentifier{1, 2, 156, 10197, 6, 4, 1, 5, 1}
	oidScrypt   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	errKeyFile  = errors.New("not an acceptable key file")
	errPassword = errors.New("the key file does not open")
)

// openKey opens an SM2 or P-256 key in an encrypted PKCS#8 file, as gmsm and
// OpenSSL write it. A key in clear is refused: it should not exist.
func openKey(name, passphraseFile string) (key crypto.Signer, err error) {
	if err := private(name); err != nil {
		return nil, fail(err, "sign.hint.key")
	}
	file, err := readFile(name, maxKeyFile)
	if err != nil {
		return nil, fail(err, "sign.hint.input")
	}
	block, rest := pem.Decode(file)
	if block == nil || block.Type != "ENCRYPTED PRIVATE KEY" || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fail(fmt.Errorf("%s: %w: not one PEM block ENCRYPTED PRIVATE KEY", name, errKeyFile), "sign.hint.key")
	}
	if err := checkDerivation(block.Bytes); err != nil {
		return nil, fail(fmt.Errorf("%s: %w", name, err), "sign.hint.key")
	}
	passphrase, err := readPassphrase(passphraseFile)
	if err != nil {
		return nil, fail(err, "sign.hint.passphrase")
	}
	defer clear(passphrase)
	// Bytes that a wrong passphrase decrypted go through parsers: whatever they
	// do, the answer is the same.
	defer func() {
		if recover() != nil {
			key, err = nil, fail(fmt.Errorf("%s: %w", name, errPassword), "sign.hint.passphrase")
		}
	}()
	k, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, passphrase)
	if err != nil {
		return nil, fail(fmt.Errorf("%s: %w", name, errPassword), "sign.hint.passphrase")
	}
	switch k := k.(type) {
	case *sm2.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, fail(fmt.Errorf("%s: %w: neither an SM2 nor a P-256 key", name, errKeyFile), "sign.hint.key")
}

// checkDerivation bounds what opening the file costs, before it is paid.
func checkDerivation(der []byte) error {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	var params struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if !exactly(der, &info) || !exactly(info.Algorithm.Parameters.FullBytes, &params) {
		return fmt.Errorf("%w: not PKCS#8 with PBES2", errKeyFile)
	}
	raw := params.KDF.Parameters.FullBytes
	switch oid := params.KDF.Algorithm; {
	case oid.Equal(oidScrypt):
		var s struct {
			Salt    []byte
			N, R, P int
			Len     int `asn1:"optional"`
		}
		if !exactly(raw, &s) || s.N < 2 || s.R < 1 || s.P < 1 || s.N > maxScryptCost || s.R > maxScryptCost/s.N || s.P > maxScryptP {
			return fmt.Errorf("%w: scrypt parameters outside the limits", errKeyFile)
		}
	case oid.Equal(oidPBKDF2), oid.Equal(oidSMPBKDF):
		var p struct {
			Salt       asn1.RawValue
			Iterations int
			Len        int                      `asn1:"optional"`
			PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
		}
		if !exactly(raw, &p) || p.Iterations < 1 || p.Iterations > maxIterations {
			return fmt.Errorf("%w: PBKDF2 parameters outside the limits", errKeyFile)
		}
	default:
		return fmt.Errorf("%w: key derivation %v", errKeyFile, oid)
	}
	return nil
}

// exactly decodes der into v and reports whether that was all of it.
func exactly(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}

// readPassphrase takes the passphrase from a file or the environment; it is
// never a flag, which other users of the machine could read.
func readPassphrase(file string) ([]byte, error) {
	if file == "" {
		v, ok := os.LookupEnv(passphraseEnv)
		if !ok || v == "" || len(v) > maxPassphrase {
			return nil, fmt.Errorf("no passphrase: neither --passphrase-file nor %s is set", passphraseEnv)
		}
		return []byte(v), nil
	}
	if err := private(file); err != nil {
		return nil, err
	}
	b, err := readFile(file, maxPassphrase)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 || bytes.ContainsAny(b, "\r\n") {
		return nil, fmt.Errorf("%s: not one line", file)
	}
	return b, nil
}

// signerCertificate reads --cert, or finds the certificate of the key in the
// seal's list.
func signerCertificate(name string, e *seal.Seal, pub crypto.PublicKey) ([]byte, error) {
	if name == "" {
		for _, der := range e.Certs {
			c, err := smx509.ParseCertificate(der)
			if err != nil {
				continue
			}
			if own, ok := c.PublicKey.(*ecdsa.PublicKey); ok && own.Equal(pub) {
				return der, nil
			}
		}
		return nil, fail(errors.New("no certificate of the key in the seal's list"), "sign.hint.cert")
	}
	return readCertificate(name)
}

// readCertificate reads the one certificate of a file, or the first of several.
func readCertificate(name string) ([]byte, error) {
	list, err := readCertificates(name)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// readCertificates reads those of a file: one in DER, or one or more in PEM.
func readCertificates(name string) ([][]byte, error) {
	b, err := readFile(name, maxCertFile)
	if err != nil {
		return nil, fail(err, "sign.hint.input")
	}
	list, err := certificatesIn(name, b)
	if err != nil {
		return nil, err
	}
	for _, der := range list {
		if _, err := smx509.ParseCertificate(der); err != nil {
			return nil, fail(fmt.Errorf("%s: %w", name, err), "sign.hint.cert")
		}
	}
	return list, nil
}

// readChain reads the authorities that a signature shall carry along; the
// signer's own certificate may stand among them.
func readChain(name string, own []byte) (chain [][]byte, err error) {
	if name == "" {
		return nil, nil
	}
	list, err := readCertificates(name)
	if err != nil {
		return nil, err
	}
	for _, der := range list {
		if !bytes.Equal(der, own) {
			chain = append(chain, der)
		}
	}
	return chain, nil
}
