package tlcp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/tlcp"
)

func sm2Public(c *smx509.Certificate) *ecdsa.PublicKey { return c.PublicKey.(*ecdsa.PublicKey) }

// house serves "hello <subject of the caller>" over TLCP.
type house struct {
	*pki
	address string
	calls   atomic.Int32
}

func newHouse(t testing.TB, limits tlcp.Limits) *house {
	h := &house{pki: newPKI(t)}
	pair := h.server()
	l := must(tlcp.Listen(must(net.Listen("tcp", "127.0.0.1:0")), tlcp.ListenerConfig{Pair: always(pair), Trust: func(context.Context) (tlcp.Trust, error) { return h.trust(), nil }, Limits: limits}))
	type key struct{}
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			p, _ := tlcp.PeerOf(c)
			return context.WithValue(ctx, key{}, p)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.calls.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "hello %s", r.Context().Value(key{}).(tlcp.Peer).Sign.Subject.CommonName)
		}),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	h.address = net.JoinHostPort("localhost", strings.TrimPrefix(l.Addr().String(), "127.0.0.1:"))
	return h
}

// ask is one request; ok: it was answered to name.
func (h *house) ask(c tlcp.Client, body io.Reader) (string, error) {
	tr := c.Transport()
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Post("https://"+h.address+"/", "text/plain", body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func (h *house) works(t *testing.T) {
	t.Helper()
	got, err := h.ask(tlcp.Client{Pair: h.pair("system", nil), Trust: h.trust()}, strings.NewReader("x"))
	if err != nil || got != "hello system" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestMutualAuthenticationByDualCertificates(t *testing.T) {
	h := newHouse(t, tlcp.Limits{})
	client := tlcp.Client{Pair: h.pair("系统甲", nil), Trust: h.trust()}
	for _, size := range []int{0, 1, 15, 16, 17, 100_000} { // records of every padding, and many of them
		if got, err := h.ask(client, bytes.NewReader(make([]byte, size))); err != nil || got != "hello 系统甲" {
			t.Fatalf("%d: %q, %v", size, got, err)
		}
	}
}

// The same over a client that shares no code with the library.
func TestBareClientGBT38636(t *testing.T) {
	h := newHouse(t, tlcp.Limits{})
	p := h.pair("bare", nil)
	for name, certs := range map[string][][]byte{"pair": {p.Sign.Raw, p.Enc.Raw}, "pair and authorities": {p.Sign.Raw, p.Enc.Raw, h.issuing.Raw, h.root.Raw}} {
		t.Run(name, func(t *testing.T) {
			b := &bare{conn: must(net.Dial("tcp", h.address)), certs: certs, key: p.SignKey, suite: 0xe013}
			defer b.conn.Close()
			if err := b.handshake(); err != nil {
				t.Fatal(err)
			}
			if err := b.record(recData, []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(b), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body := must(io.ReadAll(resp.Body)); string(body) != "hello bare" {
				t.Errorf("%q", body)
			}
		})
	}
}

func TestListenerRefusesPairsGBT38636Section6453(t *testing.T) {
	h := newHouse(t, tlcp.Limits{RatePer: 1000, Rate: 1000})
	good := h.pair("a", nil)
	other := h.pair("b", nil)
	foreign := newPKI(t).pair("a", nil)
	old := h.pair("a", expired)
	nist := p256()
	nistLeaf := h.leaf(&nist.PublicKey, signing, "a", nil)
	authority := h.pair("a", func(c *smx509.Certificate) { c.IsCA = true })
	both := func(pub crypto.PublicKey, change func(*smx509.Certificate)) []byte {
		return h.leaf(pub, signing|encrypting, "a", change).Raw
	}
	elsewhere := func(c *smx509.Certificate) { c.DNSNames = []string{"elsewhere"} }
	for name, c := range map[string]struct {
		certs [][]byte
		key   crypto.Signer
	}{
		"signing certificate that decrypts":  {[][]byte{both(good.SignKey.Public(), nil), good.Enc.Raw}, good.SignKey},
		"encryption certificate that signs":  {[][]byte{good.Sign.Raw, both(good.Enc.PublicKey, nil)}, good.SignKey},
		"one key in both":                    {[][]byte{good.Sign.Raw, h.leaf(good.SignKey.Public(), encrypting, "a", nil).Raw}, good.SignKey},
		"other hosts in the second":          {[][]byte{good.Sign.Raw, h.leaf(good.Enc.PublicKey, encrypting, "a", elsewhere).Raw}, good.SignKey},
		"no certificate":                     {nil, nil},
		"one certificate":                    {[][]byte{good.Sign.Raw}, good.SignKey},
		"pair in the wrong order":            {[][]byte{good.Enc.Raw, good.Sign.Raw}, good.EncKey.(crypto.Signer)},
		"signing certificate twice":          {[][]byte{good.Sign.Raw, good.Sign.Raw}, good.SignKey},
		"two holders":                        {[][]byte{good.Sign.Raw, other.Enc.Raw}, good.SignKey},
		"signing certificate over":           {[][]byte{old.Sign.Raw, good.Enc.Raw}, old.SignKey},
		"encryption certificate over":        {[][]byte{good.Sign.Raw, old.Enc.Raw}, good.SignKey},
		"another root":                       {[][]byte{foreign.Sign.Raw, foreign.Enc.Raw}, foreign.SignKey},
		"encryption half of another root":    {[][]byte{good.Sign.Raw, foreign.Enc.Raw}, good.SignKey},
		"P-256 signing certificate":          {[][]byte{nistLeaf.Raw, good.Enc.Raw}, nist},
		"an authority":                       {[][]byte{authority.Sign.Raw, authority.Enc.Raw}, authority.SignKey},
		"key of somebody else":               {[][]byte{good.Sign.Raw, good.Enc.Raw}, other.SignKey},
		"no proof of the key":                {[][]byte{good.Sign.Raw, good.Enc.Raw}, nil},
		"garbage for the second certificate": {[][]byte{good.Sign.Raw, []byte("garbage")}, good.SignKey},
		"seven certificates":                 {[][]byte{good.Sign.Raw, good.Enc.Raw, h.root.Raw, h.root.Raw, h.root.Raw, h.root.Raw, h.root.Raw}, good.SignKey},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bare{conn: must(net.Dial("tcp", h.address)), certs: c.certs, key: c.key, suite: 0xe013}
			defer b.conn.Close()
			if err := b.handshake(); err == nil {
				t.Error("was let in")
			}
		})
	}
	if h.calls.Load() != 0 {
		t.Error("a handler was called")
	}
	h.works(t)
}

func TestListenerRefusesMalformedMessages(t *testing.T) {
	h := newHouse(t, tlcp.Limits{RatePer: 1000, Rate: 1000})
	p := h.pair("a", nil)
	for name, c := range map[string]struct {
		kind  byte
		spoil func([]byte) []byte
	}{
		"ClientKeyExchange of one byte":       {msgClientKeyExchange, func([]byte) []byte { return []byte{0} }}, // gmtls panics
		"empty ClientKeyExchange":             {msgClientKeyExchange, func([]byte) []byte { return nil }},
		"ciphertext with a point off curve":   {msgClientKeyExchange, func(b []byte) []byte { b[10] ^= 1; return b }},
		"premaster secret of the wrong size":  {msgClientKeyExchange, func(b []byte) []byte { return b[:len(b)-1] }},
		"ClientHello cut short":               {msgClientHello, func(b []byte) []byte { return b[:20] }},
		"version of SSL 3.0 below TLCP":       {msgClientHello, func(b []byte) []byte { b[0] = 0; return b }},
		"certificate list longer than itself": {msgCertificate, func(b []byte) []byte { b[2]++; return b }},
		"CertificateVerify flipped":           {msgCertificateVerify, func(b []byte) []byte { b[20] ^= 1; return b }},
		"empty CertificateVerify":             {msgCertificateVerify, func([]byte) []byte { return nil }},
		"Finished flipped":                    {msgFinished, func(b []byte) []byte { b[0] ^= 1; return b }},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bare{conn: must(net.Dial("tcp", h.address)), certs: [][]byte{p.Sign.Raw, p.Enc.Raw}, key: p.SignKey, suite: 0xe013, spoil: map[byte]func([]byte) []byte{c.kind: c.spoil}}
			defer b.conn.Close()
			if err := b.handshake(); err == nil {
				t.Error("was let in")
			}
		})
	}
	for _, suite := range []uint16{0xe011, 0xe053, 0xe051, 0xe015, 0xe019, 0x1301, 0xc02b} {
		b := &bare{conn: must(net.Dial("tcp", h.address)), suite: suite}
		if err := b.handshake(); err == nil || !strings.Contains(err.Error(), "record 21") {
			t.Errorf("suite %#x: %v, want an alert", suite, err)
		}
		_ = b.conn.Close()
	}
	h.works(t)
}

func TestListenerRefusesOtherProtocols(t *testing.T) {
	h := newHouse(t, tlcp.Limits{RatePer: 1000, Rate: 1000})
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS13} {
		c, err := tls.Dial("tcp", h.address, &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v})
		if err == nil {
			t.Errorf("TLS %#x was let in", v)
			_ = c.Close()
		}
	}
	huge := append([]byte{22, 1, 1, 0xff, 0xff}, make([]byte, 10<<20)...)
	message := append([]byte{22, 1, 1, 0, 4}, 1, 0xa0, 0, 0) // a message of 10 MB announced
	noise := make([]byte, 1<<16)
	_, _ = rand.Read(noise)
	for name, sent := range map[string][]byte{"record of 10 MB": huge, "message of 10 MB": message, "plain HTTP": []byte("GET / HTTP/1.1\r\n\r\n"), "noise": noise, "SSLv2": {0x80, 46, 1, 0, 2}} {
		c := must(net.Dial("tcp", h.address))
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write(sent) // the other side may be gone before all of it is sent
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: still connected", name)
		}
		_ = c.Close()
	}
	h.works(t)
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestASlowCallerHoldsUpNobody(t *testing.T) {
	h := newHouse(t, tlcp.Limits{})
	slow := must(net.Dial("tcp", h.address))
	defer slow.Close()
	_, _ = slow.Write([]byte{22, 1, 1})
	h.works(t)
}

// A caller that never speaks, or stops, holds its place no longer than a
// handshake may last.
func TestSlowHandshakeEnds(t *testing.T) {
	for name, sent := range map[string][]byte{"silent": nil, "stopped in a record": {22, 1, 1, 0}} {
		h := newHouse(t, tlcp.Limits{Handshake: 50 * time.Millisecond})
		slow := must(net.Dial("tcp", h.address))
		defer slow.Close()
		_, _ = slow.Write(sent)
		_ = slow.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := slow.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("%s: still connected: %v", name, err)
		}
	}
}

func TestPlacesOfOneAddressAreBounded(t *testing.T) {
	h := newHouse(t, tlcp.Limits{PerAddress: 2, Handshake: time.Minute})
	var held []net.Conn
	for range 2 {
		held = append(held, must(net.Dial("tcp", h.address)))
	}
	third := must(net.Dial("tcp", h.address))
	_ = third.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := third.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a third connection was taken: %v", err)
	}
	for _, c := range append(held, third) {
		_ = c.Close()
	}
	for n := 0; ; n++ { // the places come back
		if _, err := h.ask(tlcp.Client{Pair: h.pair("system", nil), Trust: h.trust()}, nil); err == nil {
			return
		} else if n == 50 {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestClientRefusesServers(t *testing.T) {
	p := newPKI(t)
	foreign := newPKI(t)
	swapped := p.server()
	swapped.Sign, swapped.Enc, swapped.SignKey, swapped.EncKey = swapped.Enc, swapped.Sign, swapped.EncKey.(crypto.Signer), swapped.SignKey.(crypto.Decrypter)
	elsewhere := p.pair("house", func(c *smx509.Certificate) { c.DNSNames = []string{"elsewhere"} })
	elsewhere.Sign = p.leaf(elsewhere.SignKey.Public(), signing, "house", func(c *smx509.Certificate) { serverAuth(c); c.DNSNames = []string{"elsewhere"} })
	over := p.pair("house", expired)
	over.Sign = p.leaf(over.SignKey.Public(), signing, "house", func(c *smx509.Certificate) { serverAuth(c); expired(c) })
	client := tlcp.Client{Pair: p.pair("system", nil), Trust: p.trust()}
	for name, c := range map[string]struct {
		pair tlcp.Pair
		ok   bool
	}{
		"the house": {p.server(), true}, "a system's pair": {p.pair("house", nil), false}, "another root": {foreign.server(), false},
		"another name": {elsewhere, false}, "over": {over, false}, "wrong order": {swapped, false},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			served := make(chan error, 1)
			go func() {
				served <- tlcp.Serve(t.Context(), there, c.pair, p.trust())
				_ = there.Close()
			}()
			conn, err := client.Handshake(t.Context(), here, "localhost")
			if (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
			if err != nil && !errors.Is(err, tlcp.ErrHandshake) {
				t.Errorf("err = %v", err)
			}
			if conn != nil {
				_ = conn.Close()
			}
			_ = here.Close()
			if err := <-served; (err == nil) != c.ok {
				t.Errorf("server: %v", err)
			}
		})
	}
}

func TestOwnPairIsChecked(t *testing.T) {
	p := newPKI(t)
	good, other := p.server(), p.server()
	for name, bad := range map[string]tlcp.Pair{
		"nothing": {}, "no key": {Sign: good.Sign, Enc: good.Enc},
		"key of another": {Sign: good.Sign, Enc: good.Enc, SignKey: other.SignKey, EncKey: good.EncKey},
		"wrong order":    {Sign: good.Enc, Enc: good.Sign, SignKey: good.EncKey.(crypto.Signer), EncKey: good.SignKey.(crypto.Decrypter)},
	} {
		if _, err := (tlcp.Client{Pair: bad, Trust: p.trust()}).Handshake(t.Context(), nil, "x"); !errors.Is(err, tlcp.ErrPair) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestContextEndsAHandshake(t *testing.T) {
	p := newPKI(t)
	here, there := net.Pipe()
	defer there.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	go func() {
		_, _ = io.ReadFull(there, make([]byte, 8)) // the hello is on its way
		cancel(why)
	}()
	if _, err := (tlcp.Client{Pair: p.pair("a", nil), Trust: p.trust()}).Handshake(ctx, here, "localhost"); !errors.Is(err, why) {
		t.Errorf("err = %v", err)
	}
}
