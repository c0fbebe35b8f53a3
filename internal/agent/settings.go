package agent

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/smx509"
)

// Names under house/: what a joined folder remembers of its house.
const (
	dirHouse     = "house"
	fileHouse    = "house.json"
	fileTLSRoot  = "ecdsa-root.crt"
	fileSM2Root  = "sm2-root.crt"
	maxRemembers = 4 << 10
)

// remembered is house/house.json.
type remembered struct {
	URL   string `json:"url"`
	Owner *Owner `json:"served_by,omitempty"`
}

// remember keeps address, roots and owner beside the keys, so that later
// commands need the folder only.
func (c Config) remember() error {
	at := filepath.Join(c.Dir, dirHouse)
	if err := mkdir(at, c.Owner.folders()); err != nil { // the served program needs the roots
		return err
	}
	raw, err := json.Marshal(remembered{URL: c.URL, Owner: c.Owner})
	if err != nil {
		return fmt.Errorf("agent: encode %s: %w", fileHouse, err)
	}
	return errors.Join(
		writeCerts(filepath.Join(at, fileTLSRoot), c.TLSRoot.Raw),
		writeCerts(filepath.Join(at, fileSM2Root), c.SM2Root.Raw),
		writeFile(filepath.Join(at, fileHouse), append(raw, '\n'), 0o600),
	)
}

// Load returns what a joined folder remembers: address, roots, owner.
func Load(dir string) (Config, error) {
	at := filepath.Join(dir, dirHouse)
	raw, err := read(at, fileHouse, private)
	if err != nil {
		return Config{}, err
	}
	var r remembered
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil || len(raw) > maxRemembers {
		return Config{}, fmt.Errorf("%w: %s does not parse", ErrFiles, fileHouse)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%w: %s: data after the object", ErrFiles, fileHouse)
	}
	c := Config{URL: r.URL, Dir: dir, Owner: r.Owner}
	block, err := readRoot(at, fileTLSRoot)
	if err != nil {
		return Config{}, err
	}
	if c.TLSRoot, err = x509.ParseCertificate(block); err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrFiles, fileTLSRoot, err)
	}
	if block, err = readRoot(at, fileSM2Root); err != nil {
		return Config{}, err
	}
	if c.SM2Root, err = smx509.ParseCertificate(block); err != nil {
		return Config{}, fmt.Errorf("%w: %s: %w", ErrFiles, fileSM2Root, err)
	}
	return c, nil
}

// Joined tells whether a folder remembers a house.
func Joined(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, dirHouse, fileHouse))
	return err == nil
}

func readRoot(dir, name string) ([]byte, error) {
	raw, err := read(dir, name, public)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%w: %s holds no certificate", ErrFiles, name)
	}
	return block.Bytes, nil
}
