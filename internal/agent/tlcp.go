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
	over := *a
	over.cfg.URL = "https://" + address
	base, err := over.cfg.check()
	if err != nil {
		return nil, err
	}
	over.base = base
	c := *a.http
	c.Transport = tlcp.Client{
		Pair:  tlcp.Pair{Sign: a.signs[0], Enc: a.encs[0].cert, SignKey: a.m.sign, EncKey: a.encs[0].key},
		Trust: tlcp.Trust{Roots: []*smx509.Certificate{a.cfg.SM2Root}, Issuing: a.signs[1:], Now: a.cfg.now},
	}.Transport()
	over.http = &c
	return &over, nil
}
