package stepca_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// register is a Resolver: the only place where the names of these tests have an
// address. No DNS knows them.
type register struct {
	mu    sync.Mutex
	addrs map[string]string
	asked []string
}

var errUnregistered = errors.New("not in the register")

func (r *register) Address(_ context.Context, host string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, host)
	if a, ok := r.addrs[host]; ok {
		return a, nil
	}
	return "", errUnregistered
}

func (r *register) set(f func(*register)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

// machine is the machine of the agency: it answers challenges on two ports.
type machine struct {
	mu                sync.Mutex
	answers           map[string]string // path → key authorization
	handler           http.HandlerFunc  // instead of the answers
	proof             *tls.Certificate
	httpPort, tlsPort int
}

func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.handler != nil {
		m.handler(w, r)
		return
	}
	a, ok := m.answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, a)
}

func (m *machine) set(f func(*machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{answers: map[string]string{}}
	listen := func() (net.Listener, int) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln, ln.Addr().(*net.TCPAddr).Port
	}
	var plain, secure net.Listener
	plain, m.httpPort = listen()
	secure, m.tlsPort = listen()
	quiet := log.New(io.Discard, "", 0)
	web := &http.Server{Handler: m, ErrorLog: quiet}
	alpn := &http.Server{Handler: m, ErrorLog: quiet, TLSConfig: &tls.Config{
		NextProtos: []string{"acme-tls/1", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.proof == nil {
				return nil, errors.New("no certificate")
			}
			return m.proof, nil
		},
		MinVersion: tls.VersionTLS12,
	}, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){"acme-tls/1": func(*http.Server, *tls.Conn, http.Handler) {}}}
	go web.Serve(plain)
	go alpn.ServeTLS(secure, "", "")
	t.Cleanup(func() { web.Close(); alpn.Close() })
	return m
}

// office is a house with ACME, its register, and one machine of an agency.
type office struct {
	*house
	store    *catest.ACME
	register *register
	machine  *machine
	text     [2]string // user and password of the newest key, for the text register
}

func newOffice(t testing.TB, change ...func(*stepca.Config)) *office {
	t.Helper()
	o := &office{register: &register{addrs: map[string]string{host: "127.0.0.1", "svc2.xicheng.gov.internal": "127.0.0.1"}}, machine: newMachine(t)}
	serve := func(c *stepca.Config) {
		o.store = catest.NewACME(c.Registry.(*catest.Registry))
		c.ACME, c.Wrapper, c.Resolver, c.HTTPPort, c.TLSPort = o.store, kek(t), o.register, o.machine.httpPort, o.machine.tlsPort
	}
	o.house = newHouse(t, append([]func(*stepca.Config){serve}, change...)...)
	return o
}

// eab makes an external account key for an approved request.
func (o *office) eab(t testing.TB, change ...func(*ca.Request)) *acme.ExternalAccountBinding {
	t.Helper()
	eab, err := o.CreateEAB(t.Context(), o.request(t, ca.RequestApproved, change...), ledger.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.RawURLEncoding.DecodeString(eab.HMAC)
	if err != nil || len(key) < 32 {
		t.Fatalf("key %q, %v", eab.HMAC, err)
	}
	o.text = [2]string{eab.KID, eab.TextPassword}
	return &acme.ExternalAccountBinding{KID: eab.KID, Key: key}
}

func kek(t testing.TB) stepca.Wrapper {
	t.Helper()
	k, err := kmc.NewLocalKEK([]byte("sixteen bytes..."), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// setText sends a change to the text register and returns the status.
func (o *office) setText(t testing.TB, c *http.Client, path, user, password, name, value string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, o.url+path, strings.NewReader(`{"fqdn":"`+name+`","value":"`+value+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// newClient is an ACME client without an account.
func (o *office) newClient(t testing.TB) *acme.Client {
	t.Helper()
	return &acme.Client{
		Key: newKey(t), HTTPClient: o.client(nil), DirectoryURL: o.url + "/acme/acme/directory",
		// The package would repeat for ever on an error of the house.
		RetryBackoff: func(n int, _ *http.Request, _ *http.Response) time.Duration {
			if n > 3 {
				return -1
			}
			return time.Millisecond
		},
	}
}

func (o *office) registered(t testing.TB) *acme.Client {
	t.Helper()
	c := o.newClient(t)
	if _, err := c.Register(t.Context(), &acme.Account{Contact: []string{"mailto:a@b.cn"}, ExternalAccountBinding: o.eab(t)}, acme.AcceptTOS); err != nil {
		t.Fatal(err)
	}
	return c
}

// prove answers the challenge of a kind for every authorization of an order.
func (o *office) prove(t testing.TB, c *acme.Client, order *acme.Order, kind string) error {
	t.Helper()
	for _, u := range order.AuthzURLs {
		z, err := c.GetAuthorization(t.Context(), u)
		if err != nil {
			return err
		}
		for _, ch := range z.Challenges {
			if ch.Type != kind {
				continue
			}
			if err := o.answer(t, c, z.Identifier.Value, ch); err != nil {
				return err
			}
			if _, err := c.Accept(t.Context(), ch); err != nil {
				return err
			}
			if _, err := c.WaitAuthorization(t.Context(), u); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *office) answer(t testing.TB, c *acme.Client, host string, ch *acme.Challenge) error {
	switch ch.Type {
	case "http-01":
		body, err := c.HTTP01ChallengeResponse(ch.Token)
		o.machine.set(func(m *machine) { m.answers[c.HTTP01ChallengePath(ch.Token)] = body })
		return err
	case "tls-alpn-01":
		crt, err := c.TLSALPN01ChallengeCert(ch.Token, host)
		o.machine.set(func(m *machine) { m.proof = &crt })
		return err
	default:
		text, err := c.DNS01ChallengeRecord(ch.Token)
		for _, v := range []string{strings.Repeat("o", 43), text} {
			if got := o.setText(t, o.client(nil), "/acme/txt/present", o.text[0], o.text[1], "_acme-challenge."+host+".", v); got != http.StatusNoContent {
				return fmt.Errorf("text register: %d", got)
			}
		}
		return err
	}
}

// obtain walks order → proof → finalize → download.
func (o *office) obtain(t testing.TB, c *acme.Client, kind string, hosts ...string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	t.Helper()
	order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(hosts...))
	if err != nil {
		return nil, nil, err
	}
	if err := o.prove(t, c, order, kind); err != nil {
		return nil, nil, err
	}
	key := newKey(t)
	chain, _, err := c.CreateOrderCert(t.Context(), order.FinalizeURL, csrDER(t, key, hosts...), true)
	if err != nil {
		return nil, nil, err
	}
	if len(chain) != 2 {
		return nil, nil, fmt.Errorf("chain of %d", len(chain))
	}
	return parse(t, chain[0]), key, nil
}

func csrDER(t testing.TB, key crypto.Signer, hosts ...string) []byte {
	t.Helper()
	return derOf(t, csr(t, key, "", hosts...))
}

// problemOf is the last part of the type of an ACME problem.
func problemOf(err error) string {
	var e *acme.Error
	var z *acme.AuthorizationError
	switch {
	case errors.As(err, &e):
		return e.ProblemType[strings.LastIndex(e.ProblemType, ":")+1:]
	case errors.As(err, &z) && len(z.Errors) > 0:
		return problemOf(z.Errors[0])
	}
	return fmt.Sprint(err)
}
