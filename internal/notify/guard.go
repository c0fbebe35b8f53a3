package notify

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// ErrAddress: notices do not go to this address.
var ErrAddress = errors.New("notify: the address is not allowed")

// never are addresses that no setting opens: those that a machine gives itself,
// groups, and where clouds answer questions about a machine, its credentials too.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
	"::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "64:ff9b::a9fe:0/112",
)

// inner are addresses of machines and networks of one's own, and ways to them
// through translators (RFC 6890, 6052, 3056, 4380): where the operator says so
// only. A government network lies in them, and so do its databases.
var inner = prefixes(
	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"::1/128", "fc00::/7", "fec0::/10", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
)

func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func within(a netip.Addr, nets []netip.Prefix) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// Networks parses what the operator allows besides public addresses. A network
// that holds an address of never is taken: that address stays closed.
func Networks(cidrs []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range cidrs {
		n, err := netip.ParsePrefix(s)
		if err != nil || n != n.Masked() || n.Addr().Is4In6() {
			return nil, fmt.Errorf("%w: network %q is not address/length", ErrAddress, s)
		}
		out = append(out, n)
	}
	return out, nil
}

// guard decides about the address of a connection that is about to be made, when
// the name has been resolved: a name that changes its answers gains nothing.
type guard []netip.Prefix

func (g guard) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid() || within(a, never):
		return false
	case within(a, g):
		return true
	}
	return !within(a, inner)
}

// control is net.Dialer's.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(to.Addr()) {
		return fmt.Errorf("%w: %s", ErrAddress, address)
	}
	return nil
}

func (g guard) dialer() *net.Dialer {
	return &net.Dialer{Control: g.control}
}
