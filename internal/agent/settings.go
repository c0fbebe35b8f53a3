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
		c.keepRoots(),
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
	blocks, err := readRoots(at, fileTLSRoot)
	if err != nil {
		return Config{}, err
	}
	for n, block := range blocks {
		root, err := x509.ParseCertificate(block)
		switch {
		case err != nil:
			return Config{}, fmt.Errorf("%w: %s: %w", ErrFiles, fileTLSRoot, err)
		case n == 0:
			c.TLSRoot = root
		default:
			c.TLSAlso = append(c.TLSAlso, root)
		}
	}
	if blocks, err = readRoots(at, fileSM2Root); err != nil {
		return Config{}, err
	}
	for n, block := range blocks {
		root, err := smx509.ParseCertificate(block)
		switch {
		case err != nil:
			return Config{}, fmt.Errorf("%w: %s: %w", ErrFiles, fileSM2Root, err)
		case n == 0:
			c.SM2Root = root
		default:
			c.SM2Also = append(c.SM2Also, root)
		}
	}
	return c, nil
}

// Joined tells whether a folder remembers a house.
func Joined(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, dirHouse, fileHouse))
	return err == nil
}

// readRoots reads the pinned roots of a track: the one that was joined with, and
// those that followed it.
func readRoots(dir, name string) (out [][]byte, err error) {
	rest, err := read(dir, name, public)
	if err != nil {
		return nil, err
	}
	for len(out) < maxRoots {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		out = append(out, block.Bytes)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s holds no certificate", ErrFiles, name)
	}
	return out, nil
}
