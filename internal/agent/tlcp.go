package agent

import (
	"fmt"
	"net"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/tlcp"
)

// OverTLCP is the same system on the house's TLCP port (host:port; 遗留互通,
// legacy interop), where it is known by its SM2 pair. The host must be a name of
// the house. Both agents are to be closed.
func (a *Agent) OverTLCP(address string) (*Agent, error) {
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("%w: TLCP address %q is not host:port", ErrConfig, address)
	}
	key, certs, err := readPair(a.cfg.Dir, FileSignKey, FileSignCert)
	if err != nil {
		return nil, err
	}
	over := *a
	over.cfg.URL = "https://" + address
	if over.base, err = over.cfg.check(); err != nil {
		return nil, err
	}
	c := *a.http
	c.Transport = tlcp.Client{
		Pair:  tlcp.Pair{Sign: certs[0], Enc: a.encCert, SignKey: key, EncKey: a.encKey},
		Trust: tlcp.Trust{Roots: []*smx509.Certificate{a.cfg.SM2Root}, Issuing: a.issuers, Now: a.cfg.now},
	}.Transport()
	over.http = &c
	return &over, nil
}
