package stepca_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// fails orders a certificate and wants the proof to fail for a stated reason.
func (o *office) fails(t *testing.T, c *acme.Client, kind, problem, says string) {
	t.Helper()
	order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = o.prove(t, c, order, kind)
	if err == nil || problemOf(err) != problem || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v, want %s %q", kind, err, problem, says)
	}
	if d := time.Since(start); d > 14*time.Second {
		t.Errorf("took %s", d)
	}
	if o, err := c.GetOrder(t.Context(), order.URI); err != nil || o.Status != acme.StatusInvalid {
		t.Errorf("order after it: %+v, %v", o, err)
	}
	if n := len(o.rows()); n != 0 {
		t.Fatalf("%d certificates", n)
	}
}

// A host answers for itself, at its registered address, on the ports of the RFC,
// and nothing else does.
func TestACMEProbeRefuses(t *testing.T) {
	o := newOffice(t)
	c := o.registered(t)
	elsewhere := newMachine(t)
	var reached atomic.Bool
	elsewhere.set(func(m *machine) {
		m.handler = func(w http.ResponseWriter, r *http.Request) { reached.Store(true) }
	})
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	o.register.set(func(r *register) { r.addrs["other.gov.internal"] = "127.0.0.1" })
	for _, tc := range []struct {
		name, kind, problem, says string
		web                       http.HandlerFunc
	}{
		{"nothing there", "http-01", "connection", "", http.NotFound},
		{"another's answer", "http-01", "rejectedIdentifier", "", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("secret of the inner network")) }},
		{"an answer without end", "http-01", "rejectedIdentifier", "", func(w http.ResponseWriter, _ *http.Request) {
			for range 1 << 12 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}},
		{"redirect to another registered host", "http-01", "connection", "a redirect leads away", redirect("http://other.gov.internal/x")},
		{"redirect to an address", "http-01", "connection", "a redirect leads away", redirect("http://127.0.0.1/x")},
		{"redirect to another port", "http-01", "connection", "a redirect leads away", redirect("http://" + host + ":" + strconv.Itoa(elsewhere.httpPort) + "/x")},
		{"redirect to a file", "http-01", "connection", "a redirect leads away", redirect("file:///etc/passwd")},
		{"redirects in a circle", "http-01", "connection", "a redirect leads away", redirect("http://" + host + "/x")},
		{"no certificate for tls-alpn-01", "tls-alpn-01", "connection", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o.machine.set(func(m *machine) { m.handler = tc.web })
			if tc.kind == "tls-alpn-01" {
				o.register.set(func(r *register) { r.addrs[host] = "127.0.0.2" })
				defer o.register.set(func(r *register) { r.addrs[host] = "127.0.0.1" })
			}
			o.fails(t, c, tc.kind, tc.problem, tc.says)
		})
	}
	if reached.Load() {
		t.Error("the probe went to another port")
	}
	if strings.Contains(o.log.String(), "secret of the inner network") {
		t.Error("what a probed host answered is in the log")
	}
	o.machine.set(func(m *machine) { m.handler = nil })
	for addr, says := range map[string]string{"": "no address is registered", "localhost": "no address is registered", "127.0.0.1:80": "no address is registered"} {
		o.register.set(func(r *register) {
			r.addrs[host] = addr
			if addr == "" {
				delete(r.addrs, host)
			}
		})
		o.fails(t, c, "http-01", "connection", says)
		o.fails(t, c, "tls-alpn-01", "connection", says)
	}
}

// RFC 8555 8.3: within the host a redirect is followed, to https too; that the
// certificate there is not one of ours yet is no obstacle.
func TestACMEProbeFollowsWithinTheHost(t *testing.T) {
	for name, to := range map[string]string{"http": "http://" + strings.ToUpper(host), "https": "https://" + host} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			c := o.registered(t)
			crt, err := c.TLSALPN01ChallengeCert("any", host) // some certificate of its own
			if err != nil {
				t.Fatal(err)
			}
			var hops atomic.Int32
			o.machine.set(func(m *machine) {
				m.proof = &crt
				m.handler = func(w http.ResponseWriter, r *http.Request) {
					if path, moved := strings.CutPrefix(r.URL.Path, "/moved"); moved {
						w.Write([]byte(m.answers[path]))
						return
					}
					hops.Add(1)
					http.Redirect(w, r, to+"/moved"+r.URL.Path, http.StatusMovedPermanently)
				}
			})
			if _, _, err := o.obtain(t, c, "http-01", host); err != nil || hops.Load() != 1 {
				t.Errorf("after %d hops: %v", hops.Load(), err)
			}
		})
	}
}

func TestACMEConfigRefuses(t *testing.T) {
	o := newOffice(t)
	for name, change := range map[string]func(*stepca.Config){
		"no resolver": func(c *stepca.Config) { c.Resolver = nil },
		"no key":      func(c *stepca.Config) { c.Wrapper = nil },
		"port":        func(c *stepca.Config) { c.HTTPPort = 70000 },
		"key life":    func(c *stepca.Config) { c.KeyLife = -time.Hour },
	} {
		cfg := o.cfg
		change(&cfg)
		if a, err := stepca.New(t.Context(), cfg); err == nil {
			a.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
