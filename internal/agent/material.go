package agent

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
)

// material is one complete set: both tracks, chains leaf first, DER.
type material struct {
	sign, enc           *sm2.PrivateKey
	tls                 *ecdsa.PrivateKey
	signs, encs, issued [][]byte // of sign, enc and tls
}

// install writes a set and makes it the one in force: all six files or none.
func (m material) install(dir string, o *Owner) (err error) {
	if err := keepOld(dir, m.encs[0]); err != nil {
		return err
	}
	set, err := nextSet(dir, o.folders())
	if err != nil {
		return err
	}
	at := setPath(dir, set)
	defer func() {
		if now, _ := liveSet(dir); err != nil && now != set {
			err = errors.Join(err, os.RemoveAll(at))
		}
	}()
	for _, w := range []struct {
		name  string
		write func(string) error
	}{
		{FileSignCert, func(p string) error { return writeCerts(p, m.signs...) }},
		{FileEncCert, func(p string) error { return writeCerts(p, m.encs...) }},
		{FileTLSCert, func(p string) error { return writeCerts(p, m.issued...) }},
		{FileSignKey, func(p string) error { return writeKey(p, m.sign, 0o600) }},
		{FileEncKey, func(p string) error { return writeKey(p, m.enc, 0o600) }},
		{FileTLSKey, func(p string) error { return writeKey(p, m.tls, o.keyMode()) }},
	} {
		if err := w.write(filepath.Join(at, w.name)); err != nil {
			return err
		}
	}
	for _, name := range []string{FileTLSCert, FileTLSKey} {
		if err := o.take(filepath.Join(at, name)); err != nil {
			return err
		}
	}
	return publish(dir, set)
}

// load reads a set back, to change one track of it.
func load(at string, o *Owner) (material, error) {
	var m material
	var err error
	var certs []*smx509.Certificate
	if m.sign, certs, err = readPair(at, FileSignKey, FileSignCert); err != nil {
		return m, err
	}
	m.signs = raws(certs)
	if m.enc, certs, err = readPair(at, FileEncKey, FileEncCert); err != nil {
		return m, err
	}
	m.encs = raws(certs)
	pair, err := readTLS(at, o)
	if err != nil {
		return m, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return m, fmt.Errorf("%w: %s is not an ECDSA key", ErrFiles, FileTLSKey)
	}
	m.tls, m.issued = key, pair.Certificate
	return m, nil
}

func raws(certs []*smx509.Certificate) [][]byte {
	out := make([][]byte, len(certs))
	for i, c := range certs {
		out[i] = c.Raw
	}
	return out
}

// keepOld puts the encryption pair in force aside when another follows it: a
// document may still be on its way to it.
func keepOld(dir string, next []byte) error {
	set, err := liveSet(dir)
	if err != nil {
		return nil // the first set
	}
	key, certs, err := readPair(setPath(dir, set), FileEncKey, FileEncCert)
	if err != nil || string(certs[0].Raw) == string(next) {
		return err
	}
	old := filepath.Join(dir, dirOld)
	if err := mkdir(old, 0o700); err != nil {
		return err
	}
	name := filepath.Join(old, ca.FormatSerial(certs[0].SerialNumber))
	if err := writeCerts(name+".crt", raws(certs)...); err != nil {
		return err
	}
	if err := writeKey(name+".key", key, 0o600); err != nil {
		return err
	}
	return syncDir(old)
}

// encPair opens what was encrypted to its certificate.
type encPair struct {
	key  *sm2.PrivateKey
	cert *smx509.Certificate
}

// readOld returns the encryption pairs of before. A key comes after its
// certificate, so that one without its key is of a run that was killed.
func readOld(dir string) ([]encPair, error) {
	keys, err := filepath.Glob(filepath.Join(dir, dirOld, "*.key"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	var out []encPair
	for _, k := range keys {
		name := filepath.Base(k)
		key, certs, err := readPair(filepath.Join(dir, dirOld), name, name[:len(name)-len(".key")]+".crt")
		if err != nil {
			return nil, err
		}
		out = append(out, encPair{key, certs[0]})
	}
	return out, nil
}

// chainPEM decodes the answer of the ECDSA track.
func chainPEM(texts ...string) ([][]byte, error) {
	var out [][]byte
	for _, t := range texts {
		block, _ := pem.Decode([]byte(t))
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: TLS certificate is not PEM", ErrEnvelope)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("%w: TLS certificate: %w", ErrEnvelope, err)
		}
		out = append(out, block.Bytes)
	}
	return out, nil
}
