package stepca

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Resolver answers from the register of systems where a host is: challenges are
// never looked up in a public or local DNS.
type Resolver interface {
	// Address is the IP address of a registered host.
	Address(ctx context.Context, host string) (addr string, err error)
}

const (
	probeTime     = 10 * time.Second // for one challenge, redirects and all
	maxProbeBody  = 4 << 10          // a key authorization has less than 150 bytes
	maxProbeHead  = 16 << 10
	maxRedirects  = 3
	httpPort      = 80  // RFC 8555 8.3
	tlsPort       = 443 // RFC 8737 3
	maxProbeTries = 32  // at once; more wait for their turn, within their time
)

var (
	errNoAddress = errors.New("no address is registered for the host")
	errRedirect  = errors.New("a redirect leads away from the host")
	errNoText    = errors.New("no text record is registered for the host")
)

// prober is the acme.Client of smallstep: it proves that a host answers for an
// order, at the registered address only.
type prober struct {
	life     context.Context
	resolver Resolver
	register registerOfTexts
	ports    map[string]int // from the port of the RFC to the one that is dialled
	client   *http.Client
	turns    chan struct{}
}

func newProber(life context.Context, resolver Resolver, texts registerOfTexts, httpAt, tlsAt int) *prober {
	p := &prober{
		life: life, resolver: resolver, register: texts, turns: make(chan struct{}, maxProbeTries),
		ports: map[string]int{strconv.Itoa(httpPort): httpAt, strconv.Itoa(tlsPort): tlsAt},
	}
	p.client = &http.Client{
		Timeout:       probeTime,
		CheckRedirect: sameHost,
		Transport: &http.Transport{ // no proxy, no reuse: every probe is a new connection to the registered address
			DialContext: p.dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxProbeHead,
			TLSHandshakeTimeout: probeTime,
			// After a redirect to https there is no certificate yet that could be
			// verified: to get one is what the probe is for (RFC 8555 8.3).
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
		},
	}
	return p
}

// sameHost follows a redirect within the host and the two ports of the RFC.
func sameHost(req *http.Request, via []*http.Request) error {
	port := req.URL.Port()
	okPort := port == "" || req.URL.Scheme == "http" && port == strconv.Itoa(httpPort) || req.URL.Scheme == "https" && port == strconv.Itoa(tlsPort)
	if len(via) > maxRedirects || !okPort || !strings.EqualFold(req.URL.Hostname(), via[0].URL.Hostname()) {
		return errRedirect
	}
	return nil
}

// dial goes to the registered address, whatever the name resolves to elsewhere.
func (p *prober) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, fmt.Errorf("stepca: probe: %w", err)
	}
	to, ok := p.ports[port]
	if !ok {
		return nil, errRedirect
	}
	addr, err := p.resolver.Address(ctx, strings.ToLower(strings.TrimSuffix(host, ".")))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAddress, err)
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: the register holds no IP address", errNoAddress)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, net.JoinHostPort(ip.String(), strconv.Itoa(to)))
}

// begin waits for a turn and bounds the probe.
func (p *prober) begin() (context.Context, func(), error) {
	ctx, cancel := context.WithTimeout(p.life, probeTime)
	select {
	case p.turns <- struct{}{}:
		return ctx, func() { cancel(); <-p.turns }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, fmt.Errorf("stepca: too many probes at once: %w", ctx.Err())
	}
}

// Get fetches the answer to http-01. The body is cut short: whoever holds the
// host does not decide how much is read.
func (p *prober) Get(url string) (*http.Response, error) {
	ctx, end, err := p.begin()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		end()
		return nil, err
	}
	res, err := p.client.Do(req)
	if err != nil {
		end()
		return nil, err
	}
	res.Body = &shortBody{Reader: io.LimitReader(res.Body, maxProbeBody), body: res.Body, end: end}
	return res, nil
}

// shortBody ends the probe when it is closed.
type shortBody struct {
	io.Reader
	body io.Closer
	end  func()
}

func (b *shortBody) Close() error {
	defer b.end()
	return b.body.Close()
}

// LookupTxt answers dns-01 from the register.
func (p *prober) LookupTxt(name string) ([]string, error) {
	ctx, end, err := p.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	texts, err := p.register.texts(ctx, strings.TrimSuffix(name, "."))
	if err == nil && len(texts) == 0 {
		err = errNoText
	}
	return texts, err
}

// TLSDial connects for tls-alpn-01 and completes the handshake: smallstep looks
// at the peer's certificate without making one.
func (p *prober) TLSDial(network, addr string, cfg *tls.Config) (*tls.Conn, error) {
	ctx, end, err := p.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	raw, err := p.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}
