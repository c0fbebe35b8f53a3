package notify

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/internal/text"
)

const (
	maxAddress = 300
	maxName    = 60 // characters
	maxRoots   = 16 << 10
)

// hostForm is a name of DNS in its ASCII form. The last label has a letter: what
// ends in a number some resolvers take for an IPv4 address in another base.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?\.?$`)

// endpoint takes an address of a channel apart. The port is always there.
func endpoint(kind ChannelKind, address string) (u *url.URL, err error) {
	bad := func(why string) (*url.URL, error) { return nil, fmt.Errorf("%w: address: %s", ErrInvalid, why) }
	if len(address) == 0 || len(address) > maxAddress || text.Plain(address) != address || strings.ContainsAny(address, " \\") {
		return bad("it does not read")
	}
	if u, err = url.Parse(address); err != nil {
		return bad("it does not read") // the parser's words would repeat it
	}
	port := map[string]string{"https": "443", "tls": "6514", "tcp": "601", "udp": "514"}[u.Scheme]
	switch {
	case kind == Webhook && u.Scheme != "https":
		return bad("a webhook has https only")
	case kind == Syslog && (port == "" || u.Scheme == "https"):
		return bad("syslog has tls, tcp or udp")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return bad("no credentials, no query: it is shown on pages and stands in the ledger")
	case kind == Syslog && u.Path != "":
		return bad("syslog has no path")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return bad("port")
		}
		port = p
	} else if strings.HasSuffix(u.Host, ":") {
		return bad("port")
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err != nil && !hostForm.MatchString(host) || err == nil && (a.Zone() != "" || a.Is4In6()) {
		return bad("host")
	}
	u.Host = net.JoinHostPort(host, port)
	return u, nil
}

// check refuses a channel that cannot be.
func check(c Channel) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrInvalid, why) }
	u, err := endpoint(c.Kind, c.Address)
	if err != nil {
		return err
	}
	if c.Kind != Webhook && c.Kind != Syslog {
		return bad("kind")
	}
	if strings.TrimSpace(c.Name) == "" || utf8.RuneCountInString(c.Name) > maxName || text.Plain(c.Name) != c.Name {
		return bad("name")
	}
	if !slices.Contains(Severities(), c.Severity) {
		return bad("severity")
	}
	for i, k := range c.Kinds {
		if !slices.Contains(Kinds(), k) || slices.Contains(c.Kinds[:i], k) {
			return bad("kinds of notices")
		}
	}
	if len(c.Roots) == 0 {
		return nil
	}
	if u.Scheme != "https" && u.Scheme != "tls" {
		return bad("roots without TLS")
	}
	_, err = pool(c.Roots)
	return err
}

// pool reads every certificate of a PEM text; nil stands for the machine's.
func pool(roots []byte) (*x509.CertPool, error) {
	if len(roots) == 0 {
		return nil, nil
	}
	p, n := x509.NewCertPool(), 0
	for rest := roots; len(strings.TrimSpace(string(rest))) > 0; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" || len(roots) > maxRoots {
			return nil, fmt.Errorf("%w: roots are not PEM certificates", ErrInvalid)
		}
		crt, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !crt.IsCA {
			return nil, fmt.Errorf("%w: a root is no certificate of an authority", ErrInvalid)
		}
		p.AddCert(crt)
	}
	return p, nil
}
