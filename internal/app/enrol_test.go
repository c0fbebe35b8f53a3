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
	"net/http"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

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
