package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// A lost answer of an enrolment: the same request gets the same pair and a fresh
// one-time token; of all one-time tokens one is used.
func TestEnrolmentAnswersTheSameRequestAgain(t *testing.T) {
	w := newKeyTown(t)
	key, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	request := func() []byte {
		der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{SignatureAlgorithm: smx509.SM2WithSM3}, key)
		ok(t, err)
		return der
	}
	ask := wire.EnrolRequest{Token: w.token(), SM2CSR: request()}
	first, err := w.Enrol(bg, ask)
	ok(t, err)
	again, err := w.Enrol(bg, ask)
	ok(t, err)
	if !bytes.Equal(first.SignCert, again.SignCert) || !bytes.Equal(first.EncCert, again.EncCert) || !bytes.Equal(first.EnvelopedKey, again.EnvelopedKey) || first.System != again.System {
		t.Error("another pair")
	}
	if first.OneTimeToken == again.OneTimeToken {
		t.Error("the one-time token is not a fresh one")
	}
	if _, err := w.Enrol(bg, wire.EnrolRequest{Token: ask.Token, SM2CSR: request()}); !errors.Is(err, ca.ErrToken) {
		t.Errorf("another request: %v", err)
	}
	if got := w.signTLS(again); got != http.StatusCreated {
		t.Errorf("the fresh one-time token: %d", got)
	}
	if got := w.signTLS(first); got != http.StatusUnauthorized {
		t.Errorf("a second one-time token of one enrolment: %d", got)
	}
	late, err := w.Enrol(bg, ask)
	ok(t, err)
	if got := w.signTLS(late); got != http.StatusUnauthorized {
		t.Errorf("one made after the use: %d", got)
	}
	w.badInput(t, ask.Token, request())
}

// badInput sends to our own API what issue 4 lists as bad input: each is refused
// with its problem and status, and is on the ledger with the system whose it was,
// or, of a stranger, with a count.
func (w *keyTown) badInput(t *testing.T, used string, good []byte) {
	dir, _, _ := w.enrolled("bad-input")
	fresh := w.token()
	key, err := sm2.GenerateKey(rand.Reader)
	ok(t, err)
	csr := func(r smx509.CertificateRequest) []byte {
		r.SignatureAlgorithm = smx509.SM2WithSM3
		der, err := smx509.CreateCertificateRequest(rand.Reader, &r, key)
		ok(t, err)
		return der
	}
	flipped := csr(smx509.CertificateRequest{})
	flipped[len(flipped)-3] ^= 1
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	otherTrack, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p256)
	ok(t, err)
	const host = "civil-a.gov.internal"
	var seen uint64
	enrol := func(token string, csr []byte) func() (int, string) {
		return func() (int, string) {
			raw, err := json.Marshal(wire.EnrolRequest{Token: token, SM2CSR: csr})
			ok(t, err)
			resp, err := browser(w.House).Post("https://"+w.cfg.Public+wire.PathEnrol, "application/json", bytes.NewReader(raw))
			ok(t, err)
			var p wire.Problem
			ok(t, json.Unmarshal([]byte(body(t, resp)), &p))
			return resp.StatusCode, p.Code
		}
	}
	revoked := func() (int, string) {
		all, err := w.CertificatesOf(bg, "civil-a")
		ok(t, err)
		for _, c := range all {
			if c.Kind == ca.KindECDSA {
				ok(t, w.CA.Revoke(bg, w.service(), c.Issuer, c.Serial, ca.ReasonSuperseded))
			}
		}
		seen = w.Ledger.Head().Size
		return w.calls(dir, http.MethodPost, wire.PathRenewals, nil), "peer.refused"
	}
	for _, c := range []struct {
		name   string
		send   func() (int, string)
		status int
		code   string
		event  string
		actor  string
	}{
		{"replayed token", enrol(used, csr(smx509.CertificateRequest{})), 403, "enrol.token", "ca.enrolment.refused", "civil-a"},
		{"foreign CSR signature", enrol(fresh, flipped), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"explicit curve parameters", enrol(fresh, spelledOut(t, csr(smx509.CertificateRequest{}))), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"P-256 key on the SM2 route", enrol(fresh, otherTrack), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"duplicate names", enrol(fresh, csr(smx509.CertificateRequest{DNSNames: []string{host, host}})), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"name of another agency", enrol(fresh, csr(smx509.CertificateRequest{DNSNames: []string{"other.gov.internal"}})), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"wildcard", enrol(fresh, csr(smx509.CertificateRequest{DNSNames: []string{"*.gov.internal"}})), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"address", enrol(fresh, csr(smx509.CertificateRequest{IPAddresses: []net.IP{{127, 0, 0, 1}}})), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"CSR of zeros", enrol(fresh, append([]byte{0x30, 0x82, 0x23, 0x28}, make([]byte, 9000)...)), 422, "enrol.csr", "ca.enrolment.refused", "civil-a"},
		{"CSR of 1 MB", enrol(fresh, make([]byte, 1<<20)), 413, "request.too_large", "api.call.refused", "yinxin"},
		{"revoked client renewing", revoked, 403, "peer.refused", "api.call.refused", "civil-a"},
	} {
		seen = w.Ledger.Head().Size
		if status, code := c.send(); status != c.status || code != c.code {
			t.Errorf("%s: %d %s", c.name, status, code)
		}
		entries, err := w.store.Ledger().Entries(bg, 0, seen, w.Ledger.Head().Size)
		ok(t, err)
		if len(entries) != 1 {
			t.Errorf("%s: %d entries", c.name, len(entries))
			continue
		}
		ev, err := ledger.Decode(entries[0].Body)
		ok(t, err)
		if ev.Type != c.event || ev.Actor.ID != c.actor || ev.Outcome != ledger.Failure {
			t.Errorf("%s: %+v", c.name, ev)
		}
	}
	if _, err := w.Enrol(bg, wire.EnrolRequest{Token: fresh, SM2CSR: good}); err != nil {
		t.Errorf("the token was lost by refusals: %v", err)
	}
}

// signTLS is the second track of an enrolment.
func (w *keyTown) signTLS(a wire.EnrolAnswer) int {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(w.t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: a.System}, DNSNames: a.Hosts}, key)
	ok(w.t, err)
	body, err := json.Marshal(map[string]string{"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), "ott": a.OneTimeToken})
	ok(w.t, err)
	resp, err := browser(w.House).Post(a.SignURL, "application/json", bytes.NewReader(body))
	ok(w.t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// spelledOut writes numbers in place of the name of the curve.
func spelledOut(t *testing.T, der []byte) []byte {
	t.Helper()
	out := bytes.Replace(der, []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d}, []byte{0x30, 0x08, 0x02, 0x01, 0x01, 0x02, 0x03, 0x01, 0x00, 0x01}, 1)
	if bytes.Equal(out, der) {
		t.Fatal("no named curve")
	}
	return out
}
