package agent

import (
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/tlcp"
)

// checkTLCP wants no address, or host:port.
func (c Config) checkTLCP() error {
	if c.TLCP == "" {
		return nil
	}
	if host, port, err := net.SplitHostPort(c.TLCP); err != nil || host == "" || port == "" {
		return fmt.Errorf("%w: TLCP address %.80q is not host:port", ErrConfig, c.TLCP)
	}
	return nil
}

// overTLCP is where calls go, and what carries them, when the house is reached
// over TLCP (遗留互通, legacy interop): it knows the system by its SM2 pair there.
func (a *Agent) overTLCP() (*url.URL, *http.Client) {
	c := *a.direct
	c.Transport = tlcp.Client{
		Pair:  tlcp.Pair{Sign: a.signs[0], Enc: a.encs[0].cert, SignKey: a.m.sign, EncKey: a.encs[0].key},
		Trust: tlcp.Trust{Roots: append([]*smx509.Certificate{a.cfg.SM2Root}, a.cfg.SM2Also...), Issuing: a.signs[1:], Now: a.cfg.now},
	}.Transport()
	return &url.URL{Scheme: "https", Host: a.cfg.TLCP}, &c
}
