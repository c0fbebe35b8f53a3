package stepca_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// succession is issuing authorities of which the last is current.
type succession struct {
	t    testing.TB
	mu   sync.Mutex
	all  []ca.Issuer // guarded by mu; the current one first
	away bool        // guarded by mu: this node has not the key
}

func (s *succession) add(root, issuing *x509.Certificate, by ca.Issuer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cert, err := smx509.ParseCertificate(issuing.Raw)
	if err != nil {
		s.t.Fatal(err)
	}
	by.Certificate, by.Above = cert, [][]byte{root.Raw}
	s.all = append([]ca.Issuer{by}, s.all...)
}

func (s *succession) Current(context.Context) (ca.Issuer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return ca.Issuer{}, ca.ErrNoIssuer
	}
	return s.all[0], nil
}

func (s *succession) All(context.Context) ([]ca.Issuer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]ca.Issuer{}, s.all...), nil
}

// What was issued before a change of authorities is renewed, revoked and downloaded
// after it; what is issued after it hangs on the new one; both roots are served.
func TestAuthoritiesChangeUnderTheAPI(t *testing.T) {
	s := &succession{t: t}
	o := newOffice(t, func(c *stepca.Config) {
		s.add(c.Root, c.Issuing, ca.Issuer{Signer: c.Signer})
		c.Issuers = s
	})
	cert, before := o.enrol(t)
	client := o.registered(t)
	ordered, key, err := o.obtain(t, client, "http-01", host)
	if err != nil {
		t.Fatal(err)
	}
	root, issuing, signer := authorities(t, o.registry)
	s.add(root, issuing, ca.Issuer{Signer: signer})

	for name, held := range map[string]*tls.Certificate{"by token": cert, "by ACME": {Certificate: [][]byte{ordered.Raw, o.cfg.Issuing.Raw}, PrivateKey: key, Leaf: ordered}} {
		got := o.post(t, o.client(held), "/1.0/renew", nil)
		next := got.leaf(t)
		if err := next.CheckSignatureFrom(issuing); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		block, _ := pem.Decode([]byte(got.Chain[1]))
		if block == nil || !bytes.Equal(block.Bytes, issuing.Raw) {
			t.Errorf("%s: another chain than the certificate's", name)
		}
	}
	if row, err := o.Peer(t.Context(), before); err != nil || row.System != system {
		t.Errorf("a certificate from before: %+v, %v", row, err)
	}
	after, _, err := o.obtain(t, client, "http-01", host)
	if err != nil || after.CheckSignatureFrom(issuing) != nil {
		t.Errorf("an ACME order on the account from before: %v", err)
	}
	if err := client.RevokeCert(t.Context(), nil, ordered.Raw, 4); err != nil {
		t.Error(err)
	}
	if row := o.rows()[ordered.SerialNumber.Text(16)]; row.State != ca.StateRevoked {
		t.Errorf("%s", row.State)
	}
	resp, err := o.client(nil).Get("https://localhost/roots")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	roots := string(raw)
	for _, r := range []*x509.Certificate{root, o.cfg.Root} {
		if !strings.Contains(roots, strings.ReplaceAll(string(ca.PEM(r.Raw)), "\n", `\n`)) {
			t.Errorf("/roots lacks %s", r.Subject)
		}
	}
	foreign, other, _ := authorities(t, o.registry)
	if _, err := o.Peer(t.Context(), other); !errors.Is(err, stepca.ErrPeer) {
		t.Errorf("an authority of nobody (%s): %v", foreign.Subject, err)
	}
	// A node without the new key does not fall back to the old one.
	s.away = true
	if a, err := o.tryPost(o.client(cert), "/1.0/renew", nil); err != nil || a.Status == http.StatusCreated || a.Status == http.StatusOK {
		t.Errorf("renewed without the key: %d, %v", a.Status, err)
	}
}
