package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
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

// Enrol makes the keys, spends the token, and writes the folder. When the
// server refuses, no file is left behind. cfg.System may be empty: the token
// tells.
func Enrol(ctx context.Context, cfg Config, token string) (*Agent, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Scheme != "https" {
		return nil, fmt.Errorf("agent: address %q is not an https URL", cfg.URL)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, FileSignKey)); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrEnrolled, cfg.Dir)
	}
	if err := writable(cfg.Dir); err != nil { // before the token is spent
		return nil, err
	}
	signKey, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("agent: make signing key: %w", err)
	}
	// The subject is what was approved, not what the request says: it stays empty.
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3}, signKey)
	if err != nil {
		return nil, fmt.Errorf("agent: make request: %w", err)
	}
	c := client(cfg.TLSRoot, nil)
	defer c.CloseIdleConnections()
	var ans wire.EnrolAnswer
	if err := call(ctx, c, http.MethodPost, base.JoinPath(wire.PathEnrol).String(), wire.EnrolRequest{Token: token, SM2CSR: csr}, &ans); err != nil {
		return nil, err
	}
	encKey, err := sm2.ParseEnvelopedPrivateKey(signKey, ans.EnvelopedKey)
	if err != nil {
		return nil, fmt.Errorf("%w: encryption key: %w", ErrEnvelope, err)
	}
	if err := checkPair(ans, &signKey.PublicKey, &encKey.PublicKey); err != nil {
		return nil, err
	}
	tlsKey, chain, err := enrolTLS(ctx, c, ans)
	if err != nil {
		return nil, err
	}
	if err := writeFolder(cfg.Dir, signKey, encKey, tlsKey, ans, chain); err != nil {
		return nil, err
	}
	cfg.System = ans.System
	return Open(cfg)
}

// checkPair refuses certificates that are not for the keys at hand.
func checkPair(ans wire.EnrolAnswer, sign, enc *ecdsa.PublicKey) error {
	for _, p := range []struct {
		der []byte
		pub *ecdsa.PublicKey
	}{{ans.SignCert, sign}, {ans.EncCert, enc}} {
		cert, err := smx509.ParseCertificate(p.der)
		if err != nil {
			return fmt.Errorf("%w: certificate: %w", ErrEnvelope, err)
		}
		if pub, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !p.pub.Equal(pub) {
			return fmt.Errorf("%w: a certificate is for another key", ErrEnvelope)
		}
	}
	return nil
}

// enrolTLS is the ECDSA track: own key, own CSR, the one-time token.
func enrolTLS(ctx context.Context, c *http.Client, ans wire.EnrolAnswer) (*ecdsa.PrivateKey, [][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("agent: make TLS key: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: ans.System}, DNSNames: ans.Hosts,
	}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("agent: make TLS request: %w", err)
	}
	var signed struct {
		Crt   string            `json:"crt"`
		CA    string            `json:"ca"`
		Chain []json.RawMessage `json:"certChain"`
	}
	question := map[string]string{"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), "ott": ans.OneTimeToken}
	if err := call(ctx, c, http.MethodPost, ans.SignURL, question, &signed); err != nil {
		return nil, nil, err
	}
	var chain [][]byte
	for _, p := range []string{signed.Crt, signed.CA} {
		block, _ := pem.Decode([]byte(p))
		if block == nil {
			return nil, nil, fmt.Errorf("%w: TLS certificate is not PEM", ErrEnvelope)
		}
		chain = append(chain, block.Bytes)
	}
	return key, chain, nil
}

// writable makes the folder and proves that a private file can be written.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	probe := filepath.Join(dir, ".probe")
	if err := writeFile(probe, nil, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return os.Remove(probe)
}

// writeFolder writes everything or removes what it wrote.
func writeFolder(dir string, sign, enc *sm2.PrivateKey, tlsKey *ecdsa.PrivateKey, ans wire.EnrolAnswer, chain [][]byte) (err error) {
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
		{FileSignCert, func(p string) error { return writeCerts(p, append([][]byte{ans.SignCert}, ans.Chain...)...) }},
		{FileEncCert, func(p string) error { return writeCerts(p, append([][]byte{ans.EncCert}, ans.Chain...)...) }},
		{FileTLSCert, func(p string) error { return writeCerts(p, chain...) }},
		{FileTLSKey, func(p string) error { return writeKey(p, tlsKey) }},
		{FileEncKey, func(p string) error { return writeKey(p, enc) }},
		{FileSignKey, func(p string) error { return writeKey(p, sign) }},
	} {
		p := filepath.Join(dir, w.name)
		if err := w.write(p); err != nil {
			return err
		}
		done = append(done, p)
	}
	return nil
}
