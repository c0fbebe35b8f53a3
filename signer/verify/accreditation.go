package verify

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
	"gopkg.in/yaml.v3"
)

// ErrAccreditation: a statement about anchors that cannot be used.
var ErrAccreditation = errors.New("verify: accreditation of anchors")

// Accreditation is what the owner of a trust folder says of an anchor: the
// certification service behind it and its licence (商用密码管理条例 art. 24, 30;
// 电子签名法 art. 18). Nothing in a certificate proves it.
type Accreditation struct {
	Service  string    // name of the certification service
	Licence  string    // 资质编号
	URL      string    // where the service publishes both
	From     time.Time // first moment of the licence
	Until    time.Time // first moment after it
	Internal bool      // the owner's own authority: no licence, and nothing else is set
}

// At reports whether the licence was in force.
func (a Accreditation) At(t time.Time) bool {
	return !a.Internal && !t.Before(a.From) && t.Before(a.Until)
}

// accreditationLine is one entry of the file accreditation.yaml or .json.
type accreditationLine struct {
	Certificate string `yaml:"certificate"` // SM3 of the anchor's DER, hex
	Service     string `yaml:"service"`
	Licence     string `yaml:"licence"`
	URL         string `yaml:"url"`
	ValidFrom   string `yaml:"valid_from"` // first and last day, in China
	ValidUntil  string `yaml:"valid_until"`
	Internal    bool   `yaml:"internal"`
}

const maxAccreditation = 1 << 20

// readAccreditation takes the file of a trust folder, if there is one.
func (t *Trust) readAccreditation(dir string) error {
	var raw []byte
	for _, name := range []string{"accreditation.yaml", "accreditation.json"} {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading accreditation: %w", err)
		}
		b, err := io.ReadAll(io.LimitReader(f, maxAccreditation+1))
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("reading accreditation: %w", err)
		}
		if raw != nil || len(b) > maxAccreditation {
			return fmt.Errorf("%w: %s: too large, or one file too many", ErrAccreditation, name)
		}
		raw = b
	}
	if raw == nil {
		return nil
	}
	var list []accreditationLine
	dec := yaml.NewDecoder(bytes.NewReader(raw)) // JSON is YAML too
	dec.KnownFields(true)
	if err := dec.Decode(&list); err != nil {
		return fmt.Errorf("%w: %w", ErrAccreditation, err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more than one list", ErrAccreditation)
	}
	for i, l := range list {
		if err := t.accreditLine(l); err != nil {
			return fmt.Errorf("%w (entry %d)", err, i+1)
		}
	}
	return nil
}

func (t *Trust) accreditLine(l accreditationLine) error {
	var der []byte
	for raw := range t.raw {
		if sum := sm3.Sum([]byte(raw)); hex.EncodeToString(sum[:]) == l.Certificate {
			der = []byte(raw)
		}
	}
	if der == nil {
		return fmt.Errorf("%w: %.80q is the SM3 of no anchor in this folder", ErrAccreditation, l.Certificate)
	}
	a := Accreditation{Service: l.Service, Licence: l.Licence, URL: l.URL, Internal: l.Internal}
	if !l.Internal || l.ValidFrom != "" || l.ValidUntil != "" {
		china := time.FixedZone("UTC+8", 8*3600) // a licence counts whole days there
		var err error
		if a.From, err = time.ParseInLocation(time.DateOnly, l.ValidFrom, china); err != nil {
			return fmt.Errorf("%w: valid_from %.40q is not a date like 2026-01-31", ErrAccreditation, l.ValidFrom)
		}
		last, err := time.ParseInLocation(time.DateOnly, l.ValidUntil, china)
		if err != nil {
			return fmt.Errorf("%w: valid_until %.40q is not a date like 2026-01-31", ErrAccreditation, l.ValidUntil)
		}
		a.Until = last.AddDate(0, 0, 1)
	}
	return t.Accredit(der, a)
}

// Accredit notes what its owner says of an anchor, before the anchors are used.
// An anchor may have several licences, one after the other.
func (t *Trust) Accredit(der []byte, a Accreditation) error {
	if !t.pinned(der) {
		return fmt.Errorf("%w: the certificate is no anchor", ErrAccreditation)
	}
	// A licence is for a certification service; the certificate of one signer
	// says nothing about who issued it.
	if c, err := smx509.ParseCertificate(der); err != nil || !c.IsCA {
		return fmt.Errorf("%w: the anchor is not the certificate of an authority", ErrAccreditation)
	}
	if a.Internal {
		if a != (Accreditation{Internal: true}) {
			return fmt.Errorf("%w: an internal authority has no licence", ErrAccreditation)
		}
	} else if err := a.check(); err != nil {
		return err
	}
	for _, have := range t.licences[string(der)] {
		if a.Internal || have.Internal || a.From.Before(have.Until) && have.From.Before(a.Until) {
			return fmt.Errorf("%w: two statements about one anchor at one time", ErrAccreditation)
		}
	}
	if t.licences == nil {
		t.licences = map[string][]Accreditation{}
	}
	t.licences[string(der)] = append(t.licences[string(der)], a)
	return nil
}

func (a Accreditation) check() error {
	if a.Service == "" || a.Licence == "" || len(a.Service)+len(a.Licence)+len(a.URL) > 2000 {
		return fmt.Errorf("%w: service and licence are required, and short", ErrAccreditation)
	}
	if u, err := url.Parse(a.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("%w: url %.80q is not a web address", ErrAccreditation, a.URL)
	}
	if !a.From.Before(a.Until) {
		return fmt.Errorf("%w: the licence ends before it begins", ErrAccreditation)
	}
	return nil
}

// Licences is what the owner said of an anchor, nil when nothing.
func (t *Trust) Licences(der []byte) []Accreditation {
	if t == nil {
		return nil
	}
	return t.licences[string(der)]
}
