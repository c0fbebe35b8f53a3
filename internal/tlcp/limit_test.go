package tlcp

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

type from string

func (f from) Network() string { return "tcp" }
func (f from) String() string  { return string(f) }

type dialled struct {
	net.Conn
	from
}

func (d dialled) RemoteAddr() net.Addr { return d.from }

func TestAddressesAreCountedByHolder(t *testing.T) {
	for seen, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::", "[fe80::1%eth0]:1": "fe80::", "pipe": "invalid IP",
	} {
		if got := addressOf(dialled{from: from(seen)}).String(); got != want {
			t.Errorf("%s is %s, want %s", seen, got, want)
		}
	}
}

func TestGateBoundsPlacesAndRates(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	enter := func(g *gate, addr netip.Addr, times int) (in int) {
		for range times {
			if g.enter(addr, now) {
				in++
			}
		}
		return in
	}
	g := newGate(Limits{Conns: 5, PerAddress: 3, Rate: 1000, RatePer: 1000}.withDefaults(), now)
	if n, m := enter(g, a, 10), enter(g, b, 10); n != 3 || m != 2 {
		t.Errorf("%d and %d places, want 3 of one address and 5 in all", n, m)
	}
	g.leave(a)
	if n, m := enter(g, b, 10), enter(g, a, 10); n != 1 || m != 0 {
		t.Errorf("after one left: %d and %d", n, m)
	}
	g = newGate(Limits{Conns: 1000, PerAddress: 1000, Rate: 8, RatePer: 5}.withDefaults(), now)
	if n, m := enter(g, a, 100), enter(g, b, 100); n != 10 || m != 6 {
		t.Errorf("%d and %d at once, want 10 of one address and 16 in all", n, m)
	}
	now = now.Add(time.Second)
	if n := enter(g, a, 100); n != 5 {
		t.Errorf("%d in the next second", n)
	}
	now = now.Add(-time.Hour) // a clock that is set back gives nothing away
	if n := enter(g, a, 100); n > 3 {
		t.Errorf("%d after the clock was set back", n)
	}
}

func TestGateForgetsWhoLeft(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	g := newGate(Limits{Rate: 1e9, Conns: 1 << 20}.withDefaults(), now)
	caller := netip.MustParseAddr("10.0.0.0")
	next := func() netip.Addr { caller = caller.Next(); return caller }
	stays := next()
	g.enter(stays, now)
	for range maxAddresses - 1 {
		addr := next()
		g.enter(addr, now)
		g.leave(addr)
	}
	if g.enter(next(), now) {
		t.Error("more addresses than are remembered")
	}
	now = now.Add(time.Minute)
	if !g.enter(next(), now) || g.from[stays] == nil || len(g.from) != 2 {
		t.Errorf("%d addresses are remembered", len(g.from))
	}
}
