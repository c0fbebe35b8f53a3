package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Limits of a fetch.
const (
	fetchTimeout = 30 * time.Second
	fetchEvery   = time.Hour
)

// ErrAddress: an address that lists are not fetched from.
var ErrAddress = errors.New("peer: not an address of lists")

// Fetcher brings the lists of domains in force from the addresses that two persons
// signed. It follows no redirect to another host, uses no proxy, and dials no address
// of this machine or of its own link, whatever a name resolves to.
type Fetcher struct {
	service *Service
	client  *http.Client
	warn    func(ctx context.Context, domain, what string, err error)
}

// FetcherConfig of a Fetcher.
type FetcherConfig struct {
	Service *Service                                                  // required
	Warn    func(ctx context.Context, domain, what string, err error) // required; err may be nil
	Allow   func(netip.Addr) bool                                     // addresses that may be dialled; nil: those of other machines
}

// NewFetcher refuses an incomplete configuration.
func NewFetcher(cfg FetcherConfig) (*Fetcher, error) {
	if cfg.Service == nil || cfg.Warn == nil {
		return nil, errors.New("peer: service and warn are required")
	}
	allow := cfg.Allow
	if allow == nil {
		allow = elsewhere
	}
	// Control sees the address that is really dialled: a name cannot resolve to one
	// thing when it is checked and to another when it is used.
	dialer := &net.Dialer{Timeout: fetchTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !allow(to.Addr().Unmap()) {
			return fmt.Errorf("%w: %s", ErrAddress, address)
		}
		return nil
	}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchTimeout, ResponseHeaderTimeout: fetchTimeout, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true}
	return &Fetcher{service: cfg.Service, warn: cfg.Warn, client: &http.Client{
		Transport: transport, Timeout: 2 * fetchTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 2 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
				return fmt.Errorf("%w: redirected elsewhere", ErrAddress)
			}
			return nil
		},
	}}, nil
}

// elsewhere: no loopback, no link of its own (cloud metadata among it), nothing that
// is no host. Networks of governments have private addresses; those are allowed.
func elsewhere(a netip.Addr) bool {
	return a.IsValid() && (a.IsGlobalUnicast() || a.IsPrivate()) && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}

// Run makes rounds until ctx ends, the first one at once, about an hour apart: nodes
// that start together do not ask together.
func (f *Fetcher) Run(ctx context.Context) {
	for {
		f.Round(ctx)
		wait := time.NewTimer(fetchEvery - fetchEvery/8 + rand.N(fetchEvery/4))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// Round completes what broke off, fetches every list once, and warns of domains
// whose lists run out. One that fails does not stop the others.
func (f *Fetcher) Round(ctx context.Context) {
	if err := f.service.Complete(ctx); err != nil && ctx.Err() == nil {
		f.warn(ctx, "", "systems of peer domains are not registered", err)
	}
	all, err := f.service.InForce(ctx)
	if err != nil {
		if ctx.Err() == nil {
			f.warn(ctx, "", "the register of peer domains is not read", err)
		}
		return
	}
	for _, e := range all {
		for _, from := range e.Lists {
			if err := f.fetch(ctx, e.Domain, from); err != nil && ctx.Err() == nil {
				f.warn(ctx, e.Domain, "a list of revoked certificates is not fetched", err)
			}
		}
		lists, err := f.service.Freshness(ctx, e)
		if err != nil && ctx.Err() == nil {
			f.warn(ctx, e.Domain, "lists of revoked certificates are not read", err)
		}
		for _, l := range lists {
			if l.Near {
				f.warn(ctx, e.Domain, "the list of "+l.Subject+" is missing or runs out "+l.Ends.UTC().Format(time.RFC3339), nil)
			}
		}
	}
}

func (f *Fetcher) fetch(ctx context.Context, domain, from string) error {
	if u, err := url.Parse(from); err != nil || !source(u.String()) {
		return ErrAddress
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return fmt.Errorf("peer: fetch list: %w", err)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return fmt.Errorf("peer: fetch list: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read to the bound
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("peer: fetch list: %s answers %s", from, res.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, MaxList+1))
	if err != nil {
		return fmt.Errorf("peer: fetch list: %w", err)
	}
	_, err = f.service.take(ctx, f.service.cfg.Actor, domain, raw, from)
	if errors.Is(err, ErrOld) {
		return nil
	}
	return err
}
