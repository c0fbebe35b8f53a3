package agent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Discover completes the roots of cfg at the first contact. The ECDSA root is
// cfg.TLSRoot, or the one whose SHA-256 or SM3 is fingerprint: that alone is
// taken from a server not yet trusted. The SM2 root then comes over a connection
// that the ECDSA root vouches for. Without either nothing is asked.
func Discover(ctx context.Context, cfg Config, fingerprint string) (Config, error) {
	base, err := cfg.address()
	if err != nil {
		return cfg, err
	}
	if cfg.TLSRoot == nil {
		want, err := digest(fingerprint)
		if err != nil {
			return cfg, err
		}
		if cfg.TLSRoot, err = rootByDigest(ctx, base, want); err != nil {
			return cfg, err
		}
	}
	if cfg.SM2Root != nil {
		return cfg, nil
	}
	c := client(cfg, nil)
	defer c.CloseIdleConnections()
	var a wire.Anchors
	if err := call(ctx, c, http.MethodGet, base.JoinPath(wire.PathAnchors).String(), nil, &a); err != nil {
		return cfg, err
	}
	der, err := onePEM(a.SM2Root)
	if err == nil {
		cfg.SM2Root, err = smx509.ParseCertificate(der)
	}
	if err != nil {
		return cfg, fmt.Errorf("%w: SM2 root: %w", ErrServer, err)
	}
	return cfg, nil
}

// digest reads 64 hex digits, with or without colons.
func digest(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(s), ":", ""))
	if err != nil || len(b) != sha256.Size {
		return nil, fmt.Errorf("%w: a fingerprint has 64 hex digits", ErrConfig)
	}
	return b, nil
}

// rootByDigest asks a server that nobody vouches for yet. What it says counts
// only if its digest is the wanted one; nothing secret is sent.
func rootByDigest(ctx context.Context, base *url.URL, want []byte) (*x509.Certificate, error) {
	c := &http.Client{
		Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}},
	}
	defer c.CloseIdleConnections()
	var a wire.Anchors
	if err := call(ctx, c, http.MethodGet, base.JoinPath(wire.PathAnchors).String(), nil, &a); err != nil {
		return nil, err
	}
	der, err := onePEM(a.ECDSARoot)
	if err != nil {
		return nil, fmt.Errorf("%w: ECDSA root: %w", ErrServer, err)
	}
	s256, s3 := sha256.Sum256(der), sm3.Sum(der)
	if subtle.ConstantTimeCompare(s256[:], want)|subtle.ConstantTimeCompare(s3[:], want) != 1 {
		return nil, fmt.Errorf("%w: the server's root has SHA-256 %x", ErrFingerprint, s256)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: ECDSA root: %w", ErrServer, err)
	}
	return root, nil
}

func onePEM(text string) ([]byte, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("not one PEM certificate")
	}
	return block.Bytes, nil
}
