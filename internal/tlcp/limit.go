package tlcp

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of a listener. Zero values stand for the numbers beside them.
type Limits struct {
	Handshake  time.Duration // of one handshake, from the first byte or before it; 10 s
	Conns      int           // at a time, handshakes included; 256
	PerAddress int           // of them from one address; 32
	Rate       float64       // handshakes a second in all; 50. Twice as many may come at once
	RatePer    float64       // of them from one address; 10
}

func (l Limits) withDefaults() Limits {
	for _, n := range []struct {
		is   *int
		zero int
	}{{&l.Conns, 256}, {&l.PerAddress, 32}} {
		if *n.is <= 0 {
			*n.is = n.zero
		}
	}
	for _, n := range []struct {
		is   *float64
		zero float64
	}{{&l.Rate, 50}, {&l.RatePer, 10}} {
		if *n.is <= 0 {
			*n.is = n.zero
		}
	}
	if l.Handshake <= 0 {
		l.Handshake = 10 * time.Second
	}
	return l
}

// maxAddresses bounds what is remembered of callers.
const maxAddresses = 4096

// gate counts connections and handshakes.
type gate struct {
	limits Limits

	mu    sync.Mutex
	conns int                     // guarded by mu
	all   bucket                  // guarded by mu
	from  map[netip.Addr]*account // guarded by mu
}

// account is one address.
type account struct {
	conns int
	rate  bucket
}

// bucket fills at a rate up to twice of it; one handshake takes one.
type bucket struct {
	have float64
	at   time.Time
}

func (b *bucket) fill(rate float64, now time.Time) {
	b.have = min(2*rate, b.have+rate*max(0, now.Sub(b.at).Seconds()))
	b.at = now
}

func newGate(l Limits, now time.Time) *gate {
	return &gate{limits: l, all: bucket{have: 2 * l.Rate, at: now}, from: map[netip.Addr]*account{}}
}

// enter takes a place for a connection from an address, or says that there is none.
func (g *gate) enter(addr netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.from[addr]
	if a == nil {
		if len(g.from) >= maxAddresses {
			g.forget(now)
		}
		if len(g.from) >= maxAddresses {
			return false
		}
		a = &account{rate: bucket{have: 2 * g.limits.RatePer, at: now}}
		g.from[addr] = a
	}
	g.all.fill(g.limits.Rate, now)
	a.rate.fill(g.limits.RatePer, now)
	if g.conns >= g.limits.Conns || a.conns >= g.limits.PerAddress || g.all.have < 1 || a.rate.have < 1 {
		return false
	}
	g.conns, a.conns = g.conns+1, a.conns+1
	g.all.have, a.rate.have = g.all.have-1, a.rate.have-1
	return true
}

// leave gives a place back.
func (g *gate) leave(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns--
	g.from[addr].conns--
}

// forget drops the addresses of which nothing is worth remembering. Called with
// mu held.
func (g *gate) forget(now time.Time) {
	for addr, a := range g.from {
		a.rate.fill(g.limits.RatePer, now)
		if a.conns == 0 && a.rate.have >= 2*g.limits.RatePer {
			delete(g.from, addr)
		}
	}
}

// addressOf is whom a connection is counted to: an IPv4 address, or the /64 that
// one holder of IPv6 addresses usually has.
func addressOf(c net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
