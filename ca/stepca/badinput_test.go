package stepca_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// Bad input of the step-ca API: refused with a status that says why, nothing
// signed, and one event each that names the system where it is known.
func TestBadInputIsRefusedAndRecorded(t *testing.T) {
	key := newKey(t)
	for _, c := range []struct {
		name   string
		send   func(*testing.T, *house) answer
		status int
		says   string
		event  string
		actor  string
	}{
		{"replayed token", func(t *testing.T, h *house) answer {
			body := map[string]any{"csr": csr(t, key, system, host), "ott": h.token(t, h.request(t, ca.RequestApproved))}
			h.post(t, h.client(nil), "/1.0/sign", body).leaf(t)
			return h.post(t, h.client(nil), "/1.0/sign", body)
		}, 401, "already used", "ca.token.refused", system},
		{"foreign CSR signature", func(t *testing.T, h *house) answer { return h.sign(t, spoilt(t, key)) }, 400, "csr", "ca.call.refused", system},
		{"explicit curve parameters", func(t *testing.T, h *house) answer { return h.sign(t, explicitCSR(t, key, host)) }, 400, "", "ca.call.refused", system},
		{"duplicate names", func(t *testing.T, h *house) answer { return h.sign(t, csr(t, key, system, host, host)) }, 400, "twice", "ca.call.refused", system},
		{"duplicate names, other case", func(t *testing.T, h *house) answer {
			return h.sign(t, csr(t, key, system, host, strings.ToUpper(host)))
		}, 403, "valid DNS names", "ca.call.refused", system},
		{"CSR of 1 MB", func(t *testing.T, h *house) answer {
			return h.sign(t, csr(t, key, system, strings.Repeat("a", 1<<20)+".gov"))
		}, 413, "too large", "ca.call.refused", "ca"},
		{"revoked client renewing", func(t *testing.T, h *house) answer { return h.revoked(t, "/1.0/renew") }, 401, "", "ca.call.refused", system},
		{"revoked client rekeying", func(t *testing.T, h *house) answer { return h.revoked(t, "/1.0/rekey") }, 401, "", "ca.call.refused", system},
		{"forged token", func(t *testing.T, h *house) answer {
			return h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, key, system, host), "ott": "a.b.c"})
		}, 401, "", "ca.call.refused", "ca"},
		{"no client certificate", func(t *testing.T, h *house) answer {
			return h.post(t, h.client(nil), "/1.0/renew", nil)
		}, 403, "not of this authority", "ca.call.refused", "ca"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			a := c.send(t, h)
			if a.Status != c.status || a.Chain != nil || !strings.Contains(a.Message, c.says) {
				t.Errorf("%d %q", a.Status, a.Message)
			}
			refusedOnce(t, h.people, c.event, c.actor)
		})
	}
}

// Bad input of ACME: the problem type of RFC 8555 6.7 and one event each.
func TestACMEBadInputIsRefusedAndRecorded(t *testing.T) {
	key := newKey(t)
	der := func(t *testing.T, pem string) []byte { return derOf(t, pem) }
	for _, c := range []struct {
		name  string
		send  func(*testing.T, *office) error
		want  string
		event string
		actor string
	}{
		{"wrong EAB", func(t *testing.T, o *office) error {
			e := o.eab(t)
			e.Key = []byte("another key of the right size...")
			_, err := o.newClient(t).Register(t.Context(), &acme.Account{ExternalAccountBinding: e}, acme.AcceptTOS)
			return err
		}, "unauthorized", "ca.acme_account.refused", system},
		{"bound EAB", func(t *testing.T, o *office) error {
			e := o.eab(t)
			_, first := o.newClient(t).Register(t.Context(), &acme.Account{ExternalAccountBinding: e}, acme.AcceptTOS)
			_, err := o.newClient(t).Register(t.Context(), &acme.Account{ExternalAccountBinding: e}, acme.AcceptTOS)
			if first != nil {
				return first
			}
			return err
		}, "unauthorized", "ca.acme_account.refused", system},
		{"no EAB", func(t *testing.T, o *office) error {
			_, err := o.newClient(t).Register(t.Context(), &acme.Account{}, acme.AcceptTOS)
			return err
		}, "externalAccountRequired", "ca.call.refused", "ca"},
		{"foreign CSR signature", func(t *testing.T, o *office) error { return o.finalizeProved(t, der(t, spoilt(t, key))) }, "badCSR", "ca.call.refused", system},
		{"explicit curve parameters", func(t *testing.T, o *office) error { return o.finalizeProved(t, der(t, explicitCSR(t, key, host))) }, "badCSR", "ca.call.refused", system},
		{"duplicate names in the CSR", func(t *testing.T, o *office) error { return o.finalizeProved(t, csrDER(t, key, host, host)) }, "badCSR", "ca.call.refused", system},
		{"CSR of 1 MB", func(t *testing.T, o *office) error {
			return o.finalizeProved(t, csrDER(t, key, host, strings.Repeat("a", 1<<20)+".gov"))
		}, "malformed", "ca.call.refused", "ca"},
		{"duplicate names in the order", func(t *testing.T, o *office) error {
			_, err := o.registered(t).AuthorizeOrder(t.Context(), acme.DomainIDs(host, host))
			return err
		}, "rejectedIdentifier", "ca.acme_order.refused", system},
		{"foreign name", func(t *testing.T, o *office) error {
			_, err := o.registered(t).AuthorizeOrder(t.Context(), acme.DomainIDs("evil.example"))
			return err
		}, "rejectedIdentifier", "ca.acme_order.refused", system},
		{"replayed nonce", func(t *testing.T, o *office) error {
			c, web, path := o.registered(t), o.client(nil), "/acme/acme/new-order"
			body := jws(t, c.Key.(*ecdsa.PrivateKey), map[string]any{"kid": string(c.KID), "url": o.url + path, "nonce": o.nonce(t, web)},
				`{"identifiers":[{"type":"dns","value":"`+host+`"}]}`)
			if got := o.send(t, web, path, body); got != "" {
				return fmt.Errorf("first: %s", got)
			}
			return &acme.Error{ProblemType: o.send(t, web, path, body)}
		}, "badNonce", "ca.call.refused", "ca"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t)
			if got := problemOf(c.send(t, o)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if n := len(o.rows()); n != 0 {
				t.Errorf("%d certificates", n)
			}
			refusedOnce(t, o.people, c.event, c.actor)
		})
	}
}

// Anybody may send rubbish; the ledger takes one note of it a minute, with a
// count. Whoever is known is recorded each time.
func TestStrangersDoNotFillTheLedger(t *testing.T) {
	now := time.Now()
	h := newHouse(t, func(c *stepca.Config) { c.Now = func() time.Time { return now } })
	rubbish := map[string]any{"csr": csr(t, newKey(t), system, host), "ott": "a.b.c"}
	for range 5 {
		h.post(t, h.client(nil), "/1.0/sign", rubbish)
	}
	h.sign(t, spoilt(t, newKey(t)))
	h.sign(t, spoilt(t, newKey(t)))
	now = now.Add(time.Minute)
	h.post(t, h.client(nil), "/1.0/sign", rubbish)
	events := h.people.recorded("ca.call.refused")
	var said []string
	for _, ev := range events {
		said = append(said, ev.Actor.ID+" "+ev.Details["passed_over"])
	}
	if got := strings.Join(said, "; "); got != "ca 0; "+system+" ; "+system+" ; ca 4" {
		t.Errorf("events: %s", got)
	}
}

func refusedOnce(t *testing.T, p *people, kind, actor string) {
	t.Helper()
	all := append(append(append(p.recorded("ca.call.refused"), p.recorded("ca.token.refused")...), p.recorded("ca.acme_account.refused")...), p.recorded("ca.acme_order.refused")...)
	all = append(all, p.recorded("ca.certificate.refused")...)
	if len(all) != 1 || all[0].Type != kind || all[0].Actor.ID != actor || all[0].Outcome != ledger.Failure {
		t.Errorf("want one %s of %s: %+v", kind, actor, all)
	}
	for _, ev := range all {
		raw, err := json.Marshal(ev)
		if err != nil || strings.Contains(string(raw), "evil.example") || len(raw) > 1000 {
			t.Errorf("event holds what the client sent: %s, %v", raw, err)
		}
	}
}

// sign sends a CSR with a good token.
func (h *house) sign(t *testing.T, request string) answer {
	t.Helper()
	return h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": request, "ott": h.token(t, h.request(t, ca.RequestApproved))})
}

// revoked asks with a certificate that was revoked before.
func (h *house) revoked(t *testing.T, path string) answer {
	t.Helper()
	cert, leaf := h.enrol(t)
	a := h.post(t, h.client(cert), "/1.0/revoke", map[string]any{"serial": leaf.SerialNumber.String(), "passive": true})
	if a.Status != 200 {
		t.Fatalf("revoke: %d %s", a.Status, a.Message)
	}
	return h.post(t, h.client(&tls.Certificate{Certificate: cert.Certificate, PrivateKey: cert.PrivateKey}), path, map[string]any{"csr": csr(t, newKey(t), system, host)})
}

// finalizeProved sends a CSR for an order that is proved.
func (o *office) finalizeProved(t *testing.T, der []byte) error {
	t.Helper()
	c := o.registered(t)
	order, err := c.AuthorizeOrder(t.Context(), acme.DomainIDs(host))
	if err == nil {
		err = o.prove(t, c, order, "http-01")
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(der) < 1<<20 {
		_, _, err = c.CreateOrderCert(t.Context(), order.FinalizeURL, der, true)
		return err
	}
	web, path := o.client(nil), strings.TrimPrefix(order.FinalizeURL, o.url)
	body := jws(t, c.Key.(*ecdsa.PrivateKey), map[string]any{"kid": string(c.KID), "url": order.FinalizeURL, "nonce": o.nonce(t, web)},
		`{"csr":"`+base64.RawURLEncoding.EncodeToString(der)+`"}`)
	return &acme.Error{ProblemType: o.send(t, web, path, body)}
}

// explicitCSR writes the curve out in numbers (RFC 5480 2.1.1 forbids it); the
// signature is right.
func explicitCSR(t *testing.T, key *ecdsa.PrivateKey, name string) string {
	t.Helper()
	params := elliptic.P256().Params()
	octets := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }
	generator := append(append([]byte{4}, octets(params.Gx)...), octets(params.Gy)...)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.ParseCertificateRequest(csrDER(t, key, name))
	if err != nil {
		t.Fatal(err)
	}
	var info cryptobyte.Builder
	info.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddBytes(plain.RawSubject)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier([]int{1, 2, 840, 10045, 2, 1})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(1)
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier([]int{1, 2, 840, 10045, 1, 1})
						b.AddASN1BigInt(params.P)
					})
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1OctetString(octets(new(big.Int).Sub(params.P, big.NewInt(3))))
						b.AddASN1OctetString(octets(params.B))
					})
					b.AddASN1OctetString(generator)
					b.AddASN1BigInt(params.N)
					b.AddASN1Int64(1)
				})
			})
			b.AddASN1BitString(point)
		})
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(*cryptobyte.Builder) {})
	})
	tbs := info.BytesOrPanic()
	sum := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier([]int{1, 2, 840, 10045, 4, 3, 2}) })
		b.AddASN1BitString(signature)
	})
	return string(pemOf("CERTIFICATE REQUEST", b.BytesOrPanic()))
}
