package app

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Names of certificates in the anchors folder; all are public.
const (
	fileSM2Root      = "sm2-root.crt"
	fileSM2Issuing   = "sm2-issuing.crt"
	fileECDSARoot    = "ecdsa-root.crt"
	fileECDSAIssuing = "ecdsa-issuing.crt"
	fileLedgerCert   = "ledger.crt"
	fileExchangeCert = "exchange.crt"
	fileMakerCert    = "seal-maker.crt"
	fileStampSM2     = "tsa-sm2.crt"
	fileStampECDSA   = "tsa-ecdsa.crt"

	fileAccreditation = "accreditation.yaml" // beside copies of the anchors
	dirAccredited     = "accredited"
)

// anchors are the authorities that the house was founded with, and those of others
// that its operator trusts. They are files: an auditor copies the folder.
type anchors struct {
	dir                     string
	sm2Root, sm2Issuing     *smx509.Certificate
	ecdsaRoot, ecdsaIssuing *x509.Certificate
	accredited              *verify.Trust // nil: none
}

func saveCert(dir, name string, der []byte) error {
	return writeAtomic(filepath.Join(dir, dirAnchors, name), ca.PEM(der), 0o644)
}

func readDER(dir, name string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, dirAnchors, name))
	if err != nil {
		return nil, fmt.Errorf("app: certificate %s: %w", name, err)
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("app: certificate %s is not PEM", name)
	}
	return block.Bytes, nil
}

// loadAuthorities reads the four authorities.
func loadAuthorities(dir string) (anchors, error) {
	a := anchors{dir: filepath.Join(dir, dirAnchors)}
	for _, f := range []struct {
		name string
		into **smx509.Certificate
	}{{fileSM2Root, &a.sm2Root}, {fileSM2Issuing, &a.sm2Issuing}} {
		der, err := readDER(dir, f.name)
		if err != nil {
			return anchors{}, err
		}
		if *f.into, err = smx509.ParseCertificate(der); err != nil {
			return anchors{}, fmt.Errorf("app: certificate %s: %w", f.name, err)
		}
	}
	for _, f := range []struct {
		name string
		into **x509.Certificate
	}{{fileECDSARoot, &a.ecdsaRoot}, {fileECDSAIssuing, &a.ecdsaIssuing}} {
		der, err := readDER(dir, f.name)
		if err != nil {
			return anchors{}, err
		}
		if *f.into, err = x509.ParseCertificate(der); err != nil {
			return anchors{}, fmt.Errorf("app: certificate %s: %w", f.name, err)
		}
	}
	return a, nil
}

// loadAccredited reads the anchors of accredited services, which an operator puts
// into a folder of their own for imported seals, with their licences in
// accreditation.yaml. No folder is no anchor; what does not read stops the start.
func (a *anchors) loadAccredited() error {
	t, err := verify.ReadTrust(filepath.Join(a.dir, dirAccredited))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, verify.ErrNoAnchor):
		return nil
	case err != nil:
		return fmt.Errorf("app: anchors of accredited services: %w", err)
	}
	a.accredited = t
	return nil
}

// services are the anchors of accredited services with the licences that the
// operator lists for them.
func (a anchors) services() (out []life.Anchor) {
	for _, der := range a.accredited.Anchors() {
		one := life.Anchor{DER: der}
		for _, l := range a.accredited.Licences(der) {
			one.Licences = append(one.Licences, signer.Accreditation{Service: l.Service, Licence: l.Licence, URL: l.URL, ValidFrom: l.From, ValidUntil: l.Until})
		}
		out = append(out, one)
	}
	return out
}

// trust is the house's own authorities of both tracks, which no licence makes
// accredited ones (商用密码管理条例 art. 24, 30), and the services that the operator
// says are.
func (a anchors) trust(own [][]byte) (*verify.Trust, error) {
	t := verify.NewTrust(own...)
	for _, der := range t.Anchors() {
		if err := t.Accredit(der, verify.Accreditation{Internal: true}); err != nil {
			return nil, err
		}
	}
	if a.accredited != nil {
		t.Include(a.accredited)
	}
	return t, nil
}

// SM3Hex is the fingerprint of a certificate or file: SM3, lower-case hex.
func SM3Hex(b []byte) string {
	sum := sm3.Sum(b)
	return hex.EncodeToString(sum[:])
}

// ecdsaID names an authority of the ECDSA track as the registry does.
func ecdsaID(c *x509.Certificate) string {
	return profile.IssuerID(c.RawSubject, c.RawSubjectPublicKeyInfo)
}

// Roots are the anchors that a new client pins, of TLS and of the SM2 track: those
// above the authorities that issue now.
func (h *House) Roots() (*x509.Certificate, *smx509.Certificate) {
	set := h.Succession.Known()
	return set.Roots(profile.ECDSA)[0].TLS, set.Roots(profile.SM2)[0].Certificate
}

// Trust is what the house itself verifies seals against.
func (h *House) Trust() *verify.Trust { return h.trust }

// LedgerCertificate is the certificate of the checkpoint signer, DER. Its key stays
// the same when it renews.
func (h *House) LedgerCertificate() []byte { return h.own.der(keyLedger) }

// authorityFile names the certificate of an authority in a copy: those that the
// house was founded with as in its own folder, later ones with their generation.
func authorityFile(a authority.Authority) string {
	if a.Generation == 1 {
		return fmt.Sprintf("%s-%s.crt", a.Track, a.Kind)
	}
	name := fmt.Sprintf("%s-%s-g%d", a.Track, a.Kind, a.Generation)
	if a.Kind == authority.Bridge {
		name += "-" + a.Serial[:8]
	}
	return name + ".crt"
}

// CopyAnchors writes the public certificates into a folder of somebody else, and
// what they are.
func (h *House) CopyAnchors(dir string) error {
	set, err := h.Succession.Set(context.Background())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("app: copy anchors: %w", err)
	}
	files := map[string][]byte{
		fileLedgerCert: h.LedgerCertificate(),
		fileStampSM2:   h.stamps.sm2.certificate(), fileStampECDSA: h.stamps.ecdsa.certificate(), // for tokens without one
	}
	for _, a := range set.All() {
		files[authorityFile(a)] = a.Certificate.Raw
	}
	for name, der := range files {
		if err := writeAtomic(filepath.Join(dir, name), ca.PEM(der), 0o644); err != nil {
			return err
		}
	}
	// Whoever verifies with this folder reads that these are no accredited
	// services, instead of nothing.
	var say strings.Builder
	for _, a := range slices.Backward(set.All()) {
		fmt.Fprintf(&say, "- {certificate: %s, internal: true}\n", SM3Hex(a.Certificate.Raw))
	}
	return writeAtomic(filepath.Join(dir, fileAccreditation), []byte(say.String()), 0o644)
}
