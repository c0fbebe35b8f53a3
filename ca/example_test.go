package ca_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
)

// One enrolment from request to an opened encryption key. The fixture stands
// for what the application wires: registry, approvals, hosts, key centre.
func Example() {
	ctx := context.Background()
	h := newHouse(&testing.T{})

	request, _, err := h.svc.Submit(ctx, h.clerk, ca.Request{
		Agency: agency, System: "civil-a", CommonName: host, Organization: "样例区民政局", Hosts: []string{host},
	})
	check(err)
	// The RA officer signs the digest; authz/approval keeps and checks it.
	h.desk.sign(h.office.ID, request.ID, ca.RequestDigest(request))
	decision, err := h.svc.Decide(ctx, h.office, request.ID, true, "")
	check(err)

	// On the machine of the agency system:
	signing, err := sm2.GenerateKey(rand.Reader)
	check(err)
	csr, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{DNSNames: []string{host}}, signing)
	check(err)
	pair, err := h.svc.EnrolSM2(ctx, decision.Token, csr)
	check(err)
	encryption, err := sm2.ParseEnvelopedPrivateKey(signing, pair.Envelope)
	check(err)

	cert, err := smx509.ParseCertificate(pair.EncCert)
	check(err)
	fmt.Println(cert.DNSNames[0], encryption.PublicKey.Equal(cert.PublicKey))
	_, err = h.svc.EnrolSM2(ctx, decision.Token, csr)
	fmt.Println(err)
	// Output:
	// civil-a.gov.internal true
	// ca: look up token: ca: enrolment token unknown, expired or used
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
