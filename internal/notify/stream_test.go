package notify_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/internal/notify"
)

// form is what a receiver has to see; message_internal_test.go reads it strictly.
var form = regexp.MustCompile(`^<108>1 \S+Z house\.example yinxin - certificate\.held \[notice@32473 id="n1_[0-9a-f-]{36}" unit="u-1" system="s-1" objectKind="certificate" object="iss:01" at="\S+Z"\] ` + "\ufeff" + `证书已挂起：s-1 / a certificate is held: s-1$`)

// framed reads messages with a count of octets before each (RFC 5425 4.3), until
// the sender ends.
func framed(r io.Reader) (out []string, err error) {
	in := bufio.NewReader(r)
	for {
		n, err := in.ReadString(' ')
		if err == io.EOF && n == "" {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		size, err := strconv.Atoi(strings.TrimSuffix(n, " "))
		if err != nil || strings.HasPrefix(n, "0") {
			return out, err
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(in, raw); err != nil {
			return out, err
		}
		out = append(out, string(raw))
	}
}

// stream takes connections on ln and hands on what each brought.
func stream(t *testing.T, ln net.Listener) <-chan []string {
	got := make(chan []string, 8)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all, err := framed(c)
			if err != nil {
				t.Logf("receiver: %v", err)
			}
			_ = c.Close()
			got <- all
		}
	}()
	return got
}

func listen(t *testing.T) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	return ln
}

func TestSyslogOverTCP(t *testing.T) {
	h, ln := newHouse(t, loopback), listen(t)
	got := stream(t, ln)
	h.register(notify.Channel{Kind: notify.Syslog, Address: "tcp://" + ln.Addr().String()})
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	if all := <-got; len(all) != 1 || !form.MatchString(all[0]) {
		t.Errorf("%q", all)
	}
}

func TestSyslogOverTLS(t *testing.T) {
	h, like := newHouse(t, loopback), newHook(t)
	ln := listen(t)
	got := stream(t, tls.NewListener(ln, &tls.Config{Certificates: like.TLS.Certificates}))
	c := notify.Channel{Kind: notify.Syslog, Address: "tls://" + ln.Addr().String(), Roots: like.channel().Roots}
	c, _ = h.register(c)
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	if all := <-got; len(all) != 1 || !form.MatchString(all[0]) || h.standing(c.ID).SentAt.IsZero() {
		t.Errorf("%q %+v", all, h.standing(c.ID))
	}
	// Without these roots nothing is said.
	c.Roots = nil
	strange, _ := h.register(c)
	h.tell(notify.CertificateHeld, "u-1", "n2")
	h.round()
	if s := h.standing(strange.ID); !strings.Contains(s.LastError, "certificate") || !s.SentAt.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestSyslogOverUDP(t *testing.T) {
	h := newHouse(t, loopback)
	in, err := net.ListenPacket("udp", "127.0.0.1:0")
	ok(t, err)
	t.Cleanup(func() { _ = in.Close() })
	h.register(notify.Channel{Kind: notify.Syslog, Address: "udp://" + in.LocalAddr().String()})
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	ok(t, in.SetReadDeadline(time.Now().Add(10*time.Second)))
	raw := make([]byte, 4096)
	n, _, err := in.ReadFrom(raw)
	if ok(t, err); !form.Match(raw[:n]) {
		t.Errorf("%q", raw[:n])
	}
}

// A receiver that is gone, or resets what it was sent, did not take it.
func TestSyslogFailuresAreRetried(t *testing.T) {
	h, ln := newHouse(t, loopback), listen(t)
	resets := make(chan error, 4)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			// Linger 0 with something unread: the sender gets a reset.
			_, err = io.ReadFull(c, make([]byte, 1))
			if tcp, is := c.(*net.TCPConn); is && err == nil {
				err = tcp.SetLinger(0)
			}
			_ = c.Close()
			resets <- err
		}
	}()
	c, _ := h.register(notify.Channel{Kind: notify.Syslog, Address: "tcp://" + ln.Addr().String()})
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	ok(t, <-resets)
	if s := h.standing(c.ID); s.Failures != 1 || s.Queued != 1 {
		t.Fatalf("after a reset: %+v", s)
	}
	ok(t, ln.Close())
	h.clock.add(time.Minute)
	h.round()
	if s := h.standing(c.ID); s.Failures != 2 || !strings.Contains(s.LastError, "refused") {
		t.Errorf("nobody there: %+v", s)
	}
}

// Addresses are decided about when a connection is made: a name is no way around.
func TestChannelsReachNoForbiddenAddress(t *testing.T) {
	in := newHook(t)
	_, port, err := net.SplitHostPort(in.Listener.Addr().String())
	ok(t, err)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	ok(t, err)
	t.Cleanup(func() { _ = udp.Close() })
	for name, tc := range map[string]struct {
		networks []string
		c        notify.Channel
	}{
		"an address":                     {nil, in.channel()},
		"a name that leads inside":       {nil, notify.Channel{Kind: notify.Webhook, Address: "https://localhost:" + port}},
		"another network is allowed":     {[]string{"10.0.0.0/8"}, in.channel()},
		"syslog":                         {nil, notify.Channel{Kind: notify.Syslog, Address: "tcp://localhost:" + port}},
		"syslog over TLS":                {nil, notify.Channel{Kind: notify.Syslog, Address: "tls://127.0.0.1:" + port}},
		"syslog over UDP":                {nil, notify.Channel{Kind: notify.Syslog, Address: "udp://" + udp.LocalAddr().String()}},
		"where clouds keep credentials":  {[]string{"0.0.0.0/0"}, notify.Channel{Kind: notify.Webhook, Address: "https://169.254.169.254/latest"}},
		"the same in the form of IPv6":   {[]string{"0.0.0.0/0", "::/0"}, notify.Channel{Kind: notify.Syslog, Address: "tcp://[fe80::1]:514"}},
		"what stands for all of them":    {nil, notify.Channel{Kind: notify.Webhook, Address: "https://0.0.0.0:" + port}},
		"what stands for all of them, 6": {nil, notify.Channel{Kind: notify.Webhook, Address: "https://[::]:" + port}},
		"the loopback of IPv6":           {nil, notify.Channel{Kind: notify.Webhook, Address: "https://[::1]:" + port}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, tc.networks...)
			c, _ := h.register(tc.c)
			h.tell(notify.CertificateHeld, "u-1", "n1")
			h.round()
			if s := h.standing(c.ID); !strings.Contains(s.LastError, notify.ErrAddress.Error()) || s.Queued != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
	if len(in.posts()) != 0 {
		t.Errorf("%v", in.names())
	}
}

// The environment's proxy would resolve names for us, unguarded.
func TestWebhookUsesNoProxy(t *testing.T) {
	proxy := httptest.NewServer(nil)
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	h, in := newHouse(t, loopback), newHook(t)
	h.register(in.channel())
	h.tell(notify.CertificateHeld, "u-1", "n1")
	h.round()
	if len(in.posts()) != 1 {
		t.Error(h.log.text())
	}
}
