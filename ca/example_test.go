package ca_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// One enrolment from request to an opened encryption key. The fixture stands
// for what the application wires: registry, approvals, hosts, key centre.
func Example() {
	ctx := context.Background()
	h := newHouse(&testing.T{})

	// The agency's administrator asks, one officer checks identity, a second one
	// signs, and the administrator draws the token (package ra).
	token := h.token()

	// On the machine of the agency system:
	signing, err := sm2.GenerateKey(rand.Reader)
	check(err)
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: []string{host}}, signing)
	check(err)
	pair, err := h.svc.EnrolSM2(ctx, token, csr)
	check(err)
	encryption, err := sm2.ParseEnvelopedPrivateKey(signing, pair.Envelope)
	check(err)

	cert, err := smx509.ParseCertificate(pair.EncCert)
	check(err)
	fmt.Println(cert.DNSNames[0], encryption.PublicKey.Equal(cert.PublicKey))

	// The same request gets the same pair for an hour; another one nothing.
	again, err := h.svc.EnrolSM2(ctx, token, csr)
	check(err)
	other, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: []string{host}}, signing)
	check(err)
	_, err = h.svc.EnrolSM2(ctx, token, other)
	fmt.Println(again.Serial == pair.Serial, err)
	// Output:
	// civil-a.gov.internal true
	// true ca: look up token: ca: enrolment token unknown, expired or used
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
