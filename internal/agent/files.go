package agent

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Names of the files that a system keeps in its folder; each is a link into the
// set in force. Keys are PKCS#8 with mode 0600, certificates PEM with the leaf
// first.
const (
	FileTLSKey   = "tls.key"
	FileTLSCert  = "tls.crt"
	FileSignKey  = "sm2-sign.key"
	FileSignCert = "sm2-sign.crt"
	FileEncKey   = "sm2-enc.key"
	FileEncCert  = "sm2-enc.crt"
)

// maxFile bounds a file of the folder; a long chain has 20 kB.
const maxFile = 256 << 10

// ErrFiles: the folder does not hold a complete, private set of files.
var ErrFiles = errors.New("agent: files of the system are missing or not private")

func allFiles() []string {
	return []string{FileTLSKey, FileTLSCert, FileSignKey, FileSignCert, FileEncKey, FileEncCert}
}

// writeFile writes whole or not at all: temporary file, fsync, rename.
func writeFile(path string, data []byte, mode os.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: write %s: %w", ErrFiles, filepath.Base(path), err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	if err = f.Chmod(mode); err == nil {
		if _, err = f.Write(data); err == nil {
			err = f.Sync()
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func writeKey(path string, key crypto.PrivateKey, mode os.FileMode) error {
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("agent: encode key: %w", err)
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), mode)
}

func writeCerts(path string, ders ...[]byte) error {
	var out []byte
	for _, d := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return writeFile(path, out, 0o644)
}

// Permissions that a file must not give: a private key none to anybody else, a
// served one at most reading to its group.
const (
	public  os.FileMode = 0
	served  os.FileMode = 0o037
	private os.FileMode = 0o077
)

// read returns a file of bounded size, refused when it gives a permission that
// it must not. The file that was looked at is the one read.
func read(dir, name string, never os.FileMode) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is no file", ErrFiles, f.Name())
	case info.Mode().Perm()&never != 0:
		return nil, fmt.Errorf("%w: %s has mode %04o, want %04o", ErrFiles, f.Name(), info.Mode().Perm(), info.Mode().Perm()&^never)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%w: %s is too large", ErrFiles, f.Name())
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return raw, nil
}

// readPair returns an SM2 key with its certificate and what follows it.
func readPair(dir, keyName, certName string) (*sm2.PrivateKey, []*smx509.Certificate, error) {
	raw, err := read(dir, keyName, private)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, nil, fmt.Errorf("%w: %s holds no PKCS#8 key", ErrFiles, keyName)
	}
	parsed, err := smx509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrFiles, keyName, err)
	}
	key, ok := parsed.(*sm2.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %s is not an SM2 key", ErrFiles, keyName)
	}
	certs, err := readCerts(dir, certName)
	if err != nil {
		return nil, nil, err
	}
	if pub, ok := certs[0].PublicKey.(*ecdsa.PublicKey); !ok || !key.PublicKey.Equal(pub) {
		return nil, nil, fmt.Errorf("%w: %s is not for %s", ErrFiles, certName, keyName)
	}
	return key, certs, nil
}

// readCerts returns all certificates of a PEM file, leaf first.
func readCerts(dir, name string) ([]*smx509.Certificate, error) {
	raw, err := read(dir, name, public)
	if err != nil {
		return nil, err
	}
	var out []*smx509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		cert, err := smx509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFiles, name, err)
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s holds no certificate", ErrFiles, name)
	}
	return out, nil
}

func readTLS(dir string, o *Owner) (tls.Certificate, error) {
	never := private
	if o.group() {
		never = served
	}
	key, err := read(dir, FileTLSKey, never)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := read(dir, FileTLSCert, public)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %s: %w", ErrFiles, FileTLSCert, err)
	}
	return pair, nil
}
