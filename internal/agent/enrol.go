package agent

import (
	"context"
	"crypto/ecdsa"
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

// Enrol makes the keys, spends the token, checks every certificate against the
// anchors, and puts a set in force: all six files or none. What was under way
// when a run ended is taken up again by the same token, for an hour. cfg.System may be empty: the token tells; else it must be
// the token's. cfg.Replace lets an enrolled system join anew, when its
// certificates have ended.
func Enrol(ctx context.Context, cfg Config, token string) (_ *Agent, err error) {
	base, err := cfg.check()
	if err != nil {
		return nil, err
	}
	made, err := prepare(&cfg) // before the token is spent
	defer func() {
		if err != nil && made {
			removeEmpty(cfg.Dir)
		}
	}()
	if err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	defer func() { _ = os.Remove(reservePath(cfg.Dir)) }()
	if err := reserve(cfg.Dir, cfg.Owner); err != nil {
		return nil, err
	}
	c := client(cfg, nil)
	defer c.CloseIdleConnections()
	p, err := readPending(cfg.Dir, fileEnrolment)
	if err != nil {
		return nil, err
	}
	resumed := p.of(token)
	if p.asked = resumed; !resumed {
		p, err = begin(cfg.Dir, token)
	}
	var m material
	if err == nil {
		m, err = p.finish(ctx, cfg, c, base, token)
	}
	if err == nil {
		err = cfg.remember()
	}
	if err == nil {
		err = m.install(cfg.Dir, cfg.Owner)
	}
	if err != nil {
		// What a refused second asking leaves is of no use and no harm: the next token
		// begins anew.
		if !p.asked || !resumable(err) && !(resumed && errors.Is(err, ErrRefused)) {
			err = errors.Join(err, dropPending(cfg.Dir, fileEnrolment))
		}
		return nil, err
	}
	if err := dropPending(cfg.Dir, fileEnrolment); err != nil {
		return nil, err
	}
	cfg.System = p.Answer.System
	return Open(cfg)
}

// resumable: the same token can still end in a complete set. A refusal or a
// wrong answer is final; a server that is away, a full disk or a wrong clock is
// not.
func resumable(err error) bool {
	var p *ProblemError
	if errors.As(err, &p) {
		return p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests
	}
	return errors.Is(err, ErrServer) || errors.Is(err, ErrFiles) || errors.Is(err, ErrClock)
}

// complete checks the pair and gets the ECDSA track.
func (p *pending) complete(ctx context.Context, cfg Config, c *http.Client) (m material, err error) {
	ans := p.Answer
	if ans.System == "" || cfg.System != "" && cfg.System != ans.System {
		return m, fmt.Errorf("%w: the token is for system %.80q", ErrEnvelope, ans.System)
	}
	if m.sign, err = unpackSM2(p.Sign); err != nil {
		return m, err
	}
	if err := m.takePair(cfg, wire.Pair{SignCert: ans.SignCert, EncCert: ans.EncCert, EnvelopedKey: ans.EnvelopedKey, Chain: ans.Chain}); err != nil {
		return m, err
	}
	if m.tls, err = unpackECDSA(p.TLS); err != nil {
		return m, err
	}
	if p.Issued == nil {
		if p.Issued, err = p.signTLS(ctx, c, m.tls); err != nil {
			return m, err
		}
		if err := p.keep(cfg.Dir); err != nil { // the one-time token is gone now
			return m, err
		}
	}
	_ = os.Remove(reservePath(cfg.Dir)) // room for the set
	m.issued = p.Issued
	return m, cfg.checkTLS(m.issued, &m.tls.PublicKey, ans.System)
}

// takePair opens the envelope of an encryption key and checks both halves.
func (m *material) takePair(cfg Config, pair wire.Pair) (err error) {
	if m.enc, err = sm2.ParseEnvelopedPrivateKey(m.sign, pair.EnvelopedKey); err != nil {
		return fmt.Errorf("%w: encryption key: %w", ErrEnvelope, err)
	}
	if len(pair.Chain) > maxChain {
		return fmt.Errorf("%w: chain of %d certificates", ErrEnvelope, len(pair.Chain))
	}
	var issuers []*smx509.Certificate
	for _, der := range pair.Chain {
		cert, err := smx509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("%w: chain: %w", ErrEnvelope, err)
		}
		issuers = append(issuers, cert)
	}
	if err := cfg.checkSM2(pair.SignCert, &m.sign.PublicKey, issuers); err != nil {
		return err
	}
	m.signs, m.encs = append([][]byte{pair.SignCert}, pair.Chain...), append([][]byte{pair.EncCert}, pair.Chain...)
	return cfg.checkSM2(pair.EncCert, &m.enc.PublicKey, issuers)
}

// signTLS is the ECDSA track: own key, own CSR, the one-time token.
func (p *pending) signTLS(ctx context.Context, c *http.Client, key *ecdsa.PrivateKey) ([][]byte, error) {
	to, err := url.Parse(p.Answer.SignURL)
	if err != nil || to.Scheme != "https" {
		return nil, fmt.Errorf("%w: the address to sign at is not https", ErrEnvelope)
	}
	csr, err := requestTLS(key, p.Answer.System, p.Answer.Hosts)
	if err != nil {
		return nil, err
	}
	chain, err := askTLS(ctx, c, to.String(), map[string]string{"csr": csr, "ott": p.Answer.OneTimeToken})
	if err != nil && !resumable(err) {
		return nil, fmt.Errorf("%w: %w", ErrHalf, err)
	}
	return chain, err
}

func requestTLS(key *ecdsa.PrivateKey, system string, hosts []string) (string, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: system}, DNSNames: hosts}, key)
	if err != nil {
		return "", fmt.Errorf("agent: make TLS request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), nil
}

// askTLS posts to the step-ca API: sign, renew and rekey answer alike.
func askTLS(ctx context.Context, c *http.Client, to string, question any) ([][]byte, error) {
	var signed struct {
		Crt   string   `json:"crt"`
		CA    string   `json:"ca"`
		Chain []string `json:"certChain"` // the two, and what leads to an earlier root
	}
	if err := call(ctx, c, http.MethodPost, to, question, &signed); err != nil {
		return nil, err
	}
	switch {
	case len(signed.Chain) == 0:
		return chainPEM(signed.Crt, signed.CA)
	case len(signed.Chain) > maxChain || len(signed.Chain) < 2 || signed.Chain[0] != signed.Crt:
		return nil, fmt.Errorf("%w: %d certificates came with the TLS certificate", ErrEnvelope, len(signed.Chain))
	}
	return chainPEM(signed.Chain...)
}

// prepare makes the folder and refuses one in use. made tells whether the
// folder is new.
func prepare(cfg *Config) (made bool, err error) {
	_, err = os.Lstat(cfg.Dir)
	made = errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(cfg.Dir)), 0o755); err != nil {
		return false, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if err := mkdir(cfg.Dir, cfg.Owner.folders()); err != nil {
		return made, err
	}
	set, err := liveSet(cfg.Dir)
	if err == nil {
		if !cfg.Replace {
			return made, fmt.Errorf("%w: %s holds %s", ErrEnrolled, cfg.Dir, filepath.Join(dirSets, set))
		}
		pair, err := readTLS(setPath(cfg.Dir, set), cfg.Owner)
		if err != nil {
			return made, err
		}
		if name := pair.Leaf.Subject.CommonName; cfg.System == "" {
			cfg.System = name // a folder stays one system's
		} else if name != cfg.System {
			return made, fmt.Errorf("%w: %s is enrolled as %q", ErrEnrolled, cfg.Dir, name)
		}
	} else {
		// Links of a run that was killed may be there; anything else is not ours.
		for _, name := range append(allFiles(), nameLive) {
			at := filepath.Join(cfg.Dir, name)
			if to, err := os.Readlink(at); err == nil && to == filepath.Join(nameLive, name) {
				continue
			}
			if _, err := os.Lstat(at); err == nil {
				return made, fmt.Errorf("%w: %s holds %s", ErrEnrolled, cfg.Dir, name)
			}
		}
	}
	return made, mkdir(filepath.Join(cfg.Dir, dirSets), cfg.Owner.folders())
}

// removeEmpty takes back a folder in which nothing was put into force; it takes
// nothing that holds a file of somebody else, or an enrolment under way.
func removeEmpty(dir string) {
	for _, f := range []string{fileEnrolment, nameLive} {
		if _, err := os.Lstat(filepath.Join(dir, f)); err == nil {
			return
		}
	}
	for _, f := range []string{".lock", dirSets, filepath.Join(dirHouse, fileHouse), filepath.Join(dirHouse, fileTLSRoot), filepath.Join(dirHouse, fileSM2Root), dirHouse} {
		_ = os.Remove(filepath.Join(dir, f))
	}
	for _, name := range allFiles() {
		_ = os.Remove(filepath.Join(dir, name)) // dangling links
	}
	_ = os.Remove(dir)
}
