package agent

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Names of the files that a system keeps in its folder. Keys are PKCS#8 with
// mode 0600, certificates PEM with the leaf first.
const (
	FileTLSKey   = "tls.key"
	FileTLSCert  = "tls.crt"
	FileSignKey  = "sm2-sign.key"
	FileSignCert = "sm2-sign.crt"
	FileEncKey   = "sm2-enc.key"
	FileEncCert  = "sm2-enc.crt"
)

// ErrFiles: the folder does not hold a complete, private set of files.
var ErrFiles = errors.New("agent: files of the system are missing or not private")

// writeFile writes whole or not at all: temporary file, fsync, rename.
func writeFile(path string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("agent: write %s: %w", filepath.Base(path), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("agent: write %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
		}
	}()
	if err = f.Chmod(mode); err == nil {
		if _, err = f.Write(data); err == nil {
			err = f.Sync()
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeKey(path string, key crypto.PrivateKey) error {
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("agent: encode key: %w", err)
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func writeCerts(path string, ders ...[]byte) error {
	var out []byte
	for _, d := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return writeFile(path, out, 0o644)
}

// readSM2Key refuses a file that others can read.
func readSM2Key(path string) (*sm2.PrivateKey, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o, want 0600", ErrFiles, path, fi.Mode().Perm())
	}
	if fi.Size() > 16<<10 {
		return nil, fmt.Errorf("%w: %s is too large", ErrFiles, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%w: %s is not PEM", ErrFiles, path)
	}
	key, err := smx509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFiles, path, err)
	}
	sk, ok := key.(*sm2.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not an SM2 key", ErrFiles, path)
	}
	return sk, nil
}

// readCerts returns all certificates of a PEM file, leaf first.
func readCerts(path string) ([]*smx509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	var out []*smx509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		cert, err := smx509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFiles, path, err)
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s holds no certificate", ErrFiles, path)
	}
	return out, nil
}

// readCert returns the first certificate of a PEM file.
func readCert(path string) (*smx509.Certificate, error) {
	certs, err := readCerts(path)
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}
