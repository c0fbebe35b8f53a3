package stepca_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// x5cToken is what step makes of a certificate and its key.
func (h *house) x5cToken(t *testing.T, cert *tls.Certificate, change ...func(jwt.MapClaims)) string {
	t.Helper()
	var chain []string
	for _, der := range cert.Certificate {
		chain = append(chain, base64.StdEncoding.EncodeToString(der))
	}
	now := h.cfg.Now
	if now == nil {
		now = time.Now
	}
	c := jwt.MapClaims{
		"iss": "x5c", "aud": "https://" + h.cfg.Address + "/1.0/sign#x5c/x5c", "sub": host, "sans": []string{host}, "jti": uuid.NewString(),
		"iat": now().Unix(), "nbf": now().Unix(), "exp": now().Add(5 * time.Minute).Unix(),
	}
	for _, f := range change {
		f(c)
	}
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	tok.Header["x5c"] = chain
	s, err := tok.SignedString(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A certificate of a system opens its own request, once a token.
func TestX5CGivesAFurtherCertificateOfTheSystem(t *testing.T) {
	h := newHouse(t)
	cert, first := h.enrol(t)
	body := map[string]any{"csr": csr(t, newKey(t), host, host), "ott": h.x5cToken(t, cert)}
	leaf := h.post(t, h.client(nil), "/1.0/sign", body).leaf(t)
	row := h.rows()[ca.FormatSerial(leaf.SerialNumber)]
	if row.System != system || row.Agency != uscc || row.Request != h.rows()[ca.FormatSerial(first.SerialNumber)].Request {
		t.Errorf("row %+v", row)
	}
	if leaf.NotAfter.After(first.NotAfter) {
		t.Errorf("ends %s, its authority %s", leaf.NotAfter, first.NotAfter)
	}
	if a := h.post(t, h.client(nil), "/1.0/sign", body); a.Status != 401 || !strings.Contains(a.Message, "already used") {
		t.Errorf("replay: %d %s", a.Status, a.Message)
	}
	if ev := h.people.recorded("ca.token.refused"); len(ev) != 1 || ev[0].Actor.ID != system || ev[0].Actor.Certificate != ca.FormatSerial(first.SerialNumber) {
		t.Errorf("events %+v", ev)
	}
}

func TestX5CRefuses(t *testing.T) {
	other := newHouse(t)
	foreign, _ := other.enrol(t)
	set := func(key string, v any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[key] = v } }
	for _, c := range []struct {
		name   string
		token  func(*testing.T, *house, *tls.Certificate) string
		hosts  []string
		status int
	}{
		{"certificate of another authority", func(t *testing.T, h *house, _ *tls.Certificate) string { return h.x5cToken(t, foreign) }, nil, 401},
		{"key of another", func(t *testing.T, h *house, cert *tls.Certificate) string {
			return h.x5cToken(t, &tls.Certificate{Certificate: cert.Certificate, PrivateKey: newKey(t)})
		}, nil, 401},
		{"revoked", func(t *testing.T, h *house, cert *tls.Certificate) string {
			h.post(t, h.client(cert), "/1.0/revoke", map[string]any{"serial": cert.Leaf.SerialNumber.String(), "passive": true})
			return h.x5cToken(t, cert)
		}, nil, 401},
		{"on hold", func(t *testing.T, h *house, cert *tls.Certificate) string {
			row := h.rows()[ca.FormatSerial(cert.Leaf.SerialNumber)]
			ev := ledger.Event{ID: uuid.NewString(), Type: "ca.certificate.held", Class: ledger.ClassCertificate, Time: time.Now().UTC().Truncate(time.Millisecond),
				Actor: ledger.Actor{Kind: "person", ID: "p-ra"}, Object: ledger.Object{Kind: "certificate", ID: row.Serial}, Outcome: ledger.Success}
			if _, err := h.registry.SetState(t.Context(), row.Issuer, row.Serial, ca.StateHold, 6, time.Now(), ev); err != nil {
				t.Fatal(err)
			}
			return h.x5cToken(t, cert)
		}, nil, 401},
		{"the house's own certificate", func(t *testing.T, h *house, _ *tls.Certificate) string {
			s, err := h.ServerCertificate(t.Context(), []string{"localhost"})
			if err != nil {
				t.Fatal(err)
			}
			crt, err := s.GetCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			return h.x5cToken(t, crt)
		}, nil, 401},
		{"host that was not approved", func(t *testing.T, h *house, cert *tls.Certificate) string {
			return h.x5cToken(t, cert, set("sub", "svc2.xicheng.gov.internal"), set("sans", []string{"svc2.xicheng.gov.internal"}))
		}, []string{"svc2.xicheng.gov.internal"}, 403},
		{"for a day", func(t *testing.T, h *house, cert *tls.Certificate) string {
			return h.x5cToken(t, cert, set("exp", time.Now().Add(24*time.Hour).Unix()))
		}, nil, 401},
		{"expired", func(t *testing.T, h *house, cert *tls.Certificate) string {
			return h.x5cToken(t, cert, set("exp", time.Now().Add(-time.Hour).Unix()))
		}, nil, 401},
		{"without an id", func(t *testing.T, h *house, cert *tls.Certificate) string { return h.x5cToken(t, cert, set("jti", "")) }, nil, 401},
		{"for another authority", func(t *testing.T, h *house, cert *tls.Certificate) string {
			return h.x5cToken(t, cert, set("aud", "https://elsewhere/1.0/sign#x5c/x5c"))
		}, nil, 401},
		{"for revoking", func(t *testing.T, h *house, cert *tls.Certificate) string {
			return h.x5cToken(t, cert, set("aud", "https://"+h.cfg.Address+"/1.0/revoke#x5c/x5c"))
		}, nil, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			cert, _ := h.enrol(t)
			hosts := append(c.hosts, host)[:1]
			token, before := c.token(t, h, cert), len(h.rows())
			a := h.post(t, h.client(nil), "/1.0/sign", map[string]any{"csr": csr(t, newKey(t), hosts[0], hosts[0]), "ott": token})
			if a.Status != c.status || len(h.rows()) != before {
				t.Errorf("%d %s, %d certificates", a.Status, a.Message, len(h.rows())-before)
			}
			if n := len(h.people.recorded("ca.call.refused")) + len(h.people.recorded("ca.certificate.refused")); n != 1 {
				t.Errorf("%d refusals recorded", n)
			}
		})
	}
	// In its own time: a certificate that has ended opens nothing.
	now := time.Now()
	h := newHouse(t, func(c *stepca.Config) { c.Now = func() time.Time { return now } })
	cert, leaf := h.enrol(t)
	now = leaf.NotAfter.Add(time.Minute)
	body, err := json.Marshal(map[string]string{"csr": csr(t, newKey(t), host, host), "ott": h.x5cToken(t, cert)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.Routes().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/1.0/sign", bytes.NewReader(body)))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("ended: %d %s", w.Code, w.Body)
	}
}
