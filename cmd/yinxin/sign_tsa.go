package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
	"github.com/yinxin-gov/yinxin/signer/tsa"
)

// tsaFlags say which time-stamp service, and how to reach it.
type tsaFlags struct{ url, cacert, auth string }

// bind adds the flags, under a prefix where the command has others.
func (f *tsaFlags) bind(c *cobra.Command, prefix string, word func(string) string) {
	fs := c.Flags()
	fs.StringVar(&f.url, prefix+"url", "", word("flag."+prefix+"url"))
	fs.StringVar(&f.cacert, prefix+"cacert", "", word("flag.cacert"))
	fs.StringVar(&f.auth, prefix+"auth-file", "", word("flag.auth"))
}

var (
	// errAuthFile: not one line with a name and a password, or open to others.
	errAuthFile = errors.New("no file of mode 0600 with name:password")
	// errRoots: no certificate in the file.
	errRoots = errors.New("no PEM certificate")
)

// client reaches the service; imprints are made with digest d.
func (f tsaFlags) client(d signeddata.Digest) (tsa.Client, error) {
	cfg := tsa.ClientConfig{URL: f.url, Digest: d}
	if f.cacert != "" {
		raw, err := readFile(f.cacert, maxCertFile)
		if err != nil {
			return tsa.Client{}, err
		}
		if cfg.Roots = x509.NewCertPool(); !cfg.Roots.AppendCertsFromPEM(raw) {
			return tsa.Client{}, fmt.Errorf("%s: %w", f.cacert, errRoots)
		}
	}
	if f.auth != "" {
		if err := private(f.auth); err != nil {
			return tsa.Client{}, fmt.Errorf("%w: %w", errAuthFile, err)
		}
		raw, err := readFile(f.auth, 4<<10)
		if err != nil {
			return tsa.Client{}, err
		}
		var ok bool
		if cfg.User, cfg.Password, ok = strings.Cut(strings.TrimRight(string(raw), "\r\n"), ":"); !ok || cfg.User == "" {
			return tsa.Client{}, fmt.Errorf("%s: %w", f.auth, errAuthFile)
		}
	}
	return tsa.NewClient(cfg)
}

// stamper is the service for seals, asked with the digest of the signer's own
// algorithm.
func (f tsaFlags) stamper(certDER []byte) (signer.Stamper, error) {
	digest, err := signeddata.DigestFor(certDER)
	if err != nil {
		return nil, err
	}
	return f.client(digest)
}

// stampHint says what to do about a service that gave no token.
func stampHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var path *os.PathError
	switch {
	case errors.Is(err, tsa.ErrPassword), errors.Is(err, errAuthFile):
		return "ts.hint.auth"
	case errors.As(err, &unknown), errors.As(err, &name), errors.Is(err, errRoots):
		return "ts.hint.tls"
	case errors.Is(err, tsp.ErrRefused):
		return "ts.hint.refused"
	case errors.As(err, &path):
		return "sign.hint.input"
	}
	return "sign.hint.tsa"
}
