package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// ErrEnrolled: the folder holds keys already; nothing was changed.
var ErrEnrolled = errors.New("agent: the folder is already enrolled")

// identity is what enrolment makes, before any of it is written.
type identity struct {
	sign, enc *sm2.PrivateKey
	tls       *ecdsa.PrivateKey
	tlsChain  [][]byte // leaf first
	answer    wire.EnrolAnswer
}

// Enrol makes the keys, spends the token, checks every certificate against the
// anchors, and writes the folder: all six files or none. cfg.System may be
// empty: the token tells; else it must be the token's.
func Enrol(ctx context.Context, cfg Config, token string) (_ *Agent, err error) {
	base, err := cfg.check()
	if err != nil {
		return nil, err
	}
	made, err := prepare(cfg.Dir) // before the token is spent
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && made {
			_ = os.Remove(cfg.Dir) // takes an empty folder only
		}
	}()
	c := client(cfg, nil)
	defer c.CloseIdleConnections()
	var id identity
	if err := id.enrolSM2(ctx, cfg, c, base, token); err != nil {
		return nil, err
	}
	if err := id.enrolTLS(ctx, cfg, c); err != nil {
		return nil, err
	}
	if err := id.write(cfg.Dir); err != nil {
		return nil, err
	}
	cfg.System = id.answer.System
	return Open(cfg)
}

// enrolSM2 turns the token into the SM2 pair: own signing key, encryption key
// from the key management centre.
func (id *identity) enrolSM2(ctx context.Context, cfg Config, c *http.Client, base *url.URL, token string) (err error) {
	if id.sign, err = sm2.GenerateKey(rand.Reader); err != nil {
		return fmt.Errorf("agent: make signing key: %w", err)
	}
	// The subject is what was approved, not what the request says: it stays empty.
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3}, id.sign)
	if err != nil {
		return fmt.Errorf("agent: make request: %w", err)
	}
	ans := &id.answer
	if err := call(ctx, c, http.MethodPost, base.JoinPath(wire.PathEnrol).String(), wire.EnrolRequest{Token: token, SM2CSR: csr}, ans); err != nil {
		return err
	}
	if ans.System == "" || cfg.System != "" && cfg.System != ans.System {
		return fmt.Errorf("%w: the token is for system %.80q", ErrEnvelope, ans.System)
	}
	if id.enc, err = sm2.ParseEnvelopedPrivateKey(id.sign, ans.EnvelopedKey); err != nil {
		return fmt.Errorf("%w: encryption key: %w", ErrEnvelope, err)
	}
	if len(ans.Chain) > maxChain {
		return fmt.Errorf("%w: chain of %d certificates", ErrEnvelope, len(ans.Chain))
	}
	var issuers []*smx509.Certificate
	for _, der := range ans.Chain {
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("%w: chain: %w", ErrEnvelope, err)
		}
		issuers = append(issuers, cert)
	}
	if err := cfg.checkSM2(ans.SignCert, &id.sign.PublicKey, issuers); err != nil {
		return err
	}
	return cfg.checkSM2(ans.EncCert, &id.enc.PublicKey, issuers)
}

// enrolTLS is the ECDSA track: own key, own CSR, the one-time token.
func (id *identity) enrolTLS(ctx context.Context, cfg Config, c *http.Client) (err error) {
	to, err := url.Parse(id.answer.SignURL)
	if err != nil || to.Scheme != "https" {
		return fmt.Errorf("%w: the address to sign at is not https", ErrEnvelope)
	}
	if id.tls, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return fmt.Errorf("agent: make TLS key: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: id.answer.System}, DNSNames: id.answer.Hosts,
	}, id.tls)
	if err != nil {
		return fmt.Errorf("agent: make TLS request: %w", err)
	}
	var signed struct {
		Crt string `json:"crt"`
		CA  string `json:"ca"`
	}
	question := map[string]string{"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), "ott": id.answer.OneTimeToken}
	if err := call(ctx, c, http.MethodPost, to.String(), question, &signed); err != nil {
		return err
	}
	for _, p := range []string{signed.Crt, signed.CA} {
		block, _ := pem.Decode([]byte(p))
		if block == nil || block.Type != "CERTIFICATE" {
			return fmt.Errorf("%w: TLS certificate is not PEM", ErrEnvelope)
		}
		id.tlsChain = append(id.tlsChain, block.Bytes)
	}
	return cfg.checkTLS(id.tlsChain, &id.tls.PublicKey, id.answer.System)
}

// prepare makes the folder, refuses one in use, and proves that a private file
// can be written. made tells whether the folder is new.
func prepare(dir string) (made bool, err error) {
	for _, name := range allFiles() {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return false, fmt.Errorf("%w: %s holds %s", ErrEnrolled, dir, name)
		}
	}
	_, err = os.Lstat(dir)
	made = errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	probe := filepath.Join(dir, ".probe")
	if err := writeFile(probe, nil, 0o600); err != nil {
		return made, err
	}
	if err := os.Remove(probe); err != nil {
		return made, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return made, nil
}

// write puts everything in place or removes what it wrote. The signing key
// comes last: it marks a complete folder.
func (id *identity) write(dir string) (err error) {
	var done []string
	defer func() {
		if err != nil {
			for _, f := range done {
				err = errors.Join(err, os.Remove(f))
			}
		}
	}()
	for _, w := range []struct {
		name  string
		write func(string) error
	}{
		{FileSignCert, func(p string) error {
			return writeCerts(p, append([][]byte{id.answer.SignCert}, id.answer.Chain...)...)
		}},
		{FileEncCert, func(p string) error { return writeCerts(p, append([][]byte{id.answer.EncCert}, id.answer.Chain...)...) }},
		{FileTLSCert, func(p string) error { return writeCerts(p, id.tlsChain...) }},
		{FileTLSKey, func(p string) error { return writeKey(p, id.tls) }},
		{FileEncKey, func(p string) error { return writeKey(p, id.enc) }},
		{FileSignKey, func(p string) error { return writeKey(p, id.sign) }},
	} {
		p := filepath.Join(dir, w.name)
		if err := w.write(p); err != nil {
			return err
		}
		done = append(done, p)
	}
	return nil
}
