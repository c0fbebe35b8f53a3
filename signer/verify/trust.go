package verify

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/smx509"
)

// ErrNoAnchor: a trust folder without a certificate.
var ErrNoAnchor = errors.New("verify: no certificate in the trust folder")

// maxAnchor bounds one file of a trust folder.
const maxAnchor = 4 << 20

// Trust is a set of anchors. A certificate is trusted when it equals an anchor or
// chains to one that is an authority.
type Trust struct {
	roots    *smx509.CertPool
	raw      map[string]struct{}
	licences map[string][]Accreditation // by anchor, DER
	domains  []Domain
}

// NewTrust takes certificates in DER. One that does not parse can still be
// matched byte by byte.
func NewTrust(ders ...[]byte) *Trust {
	t := &Trust{roots: smx509.NewCertPool(), raw: make(map[string]struct{}, len(ders))}
	for _, der := range ders {
		t.raw[string(der)] = struct{}{}
		if c, err := smx509.ParseCertificate(der); err == nil {
			t.roots.AddCert(c)
		}
	}
	return t
}

// ReadTrust takes every .pem, .crt, .cer and .der file of a folder, PEM or DER,
// and what accreditation.yaml or accreditation.json there says of them.
func ReadTrust(dir string) (*Trust, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading trust folder: %w", err)
	}
	var ders [][]byte
	for _, f := range files {
		switch strings.ToLower(filepath.Ext(f.Name())) {
		case ".pem", ".crt", ".cer", ".der":
		default:
			continue
		}
		if info, err := f.Info(); err != nil || info.Size() > maxAnchor {
			return nil, fmt.Errorf("reading trust anchor %s: too large or unreadable", f.Name())
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading trust anchor: %w", err)
		}
		got := Certificates(b)
		if len(got) == 0 {
			return nil, fmt.Errorf("reading trust anchor %s: no certificate", f.Name())
		}
		ders = append(ders, got...)
	}
	if len(ders) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoAnchor, dir)
	}
	t := NewTrust(ders...)
	if err := t.readAccreditation(dir); err != nil {
		return nil, err
	}
	return t, nil
}

// Certificates are those in a file, DER: the whole file is one, or PEM holds any
// number. Whether they read is not asked.
func Certificates(b []byte) [][]byte {
	if len(b) > 0 && b[0] == 0x30 {
		return [][]byte{b}
	}
	var out [][]byte
	for {
		var block *pem.Block
		if block, b = pem.Decode(bytes.TrimSpace(b)); block == nil {
			return out
		}
		if block.Type == "CERTIFICATE" {
			out = append(out, block.Bytes)
		}
	}
}

// Anchors are the certificates of the set, DER, in an order of their own.
func (t *Trust) Anchors() [][]byte {
	if t == nil {
		return nil
	}
	var out [][]byte
	for raw := range t.raw {
		out = append(out, []byte(raw))
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

// Include adds the anchors of another set, with what its owner said of them.
func (t *Trust) Include(o *Trust) {
	t.domains = append(t.domains, o.domains...)
	for raw := range o.raw {
		t.raw[raw] = struct{}{}
		if c, err := smx509.ParseCertificate([]byte(raw)); err == nil {
			t.roots.AddCert(c)
		}
	}
	for der, list := range o.licences {
		if t.licences == nil {
			t.licences = map[string][]Accreditation{}
		}
		t.licences[der] = append(t.licences[der], list...)
	}
}

// pinned reports whether the certificate itself is an anchor.
func (t *Trust) pinned(der []byte) bool {
	_, ok := t.raw[string(der)]
	return ok
}
