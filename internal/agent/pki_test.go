package agent

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// issued is a certificate with its key.
type issued struct {
	key crypto.Signer
	der []byte
}

func (h *house) tlsRoot() *x509.Certificate {
	c, err := x509.ParseCertificate(h.ecRoot.der)
	h.must(err)
	return c
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(err)
	}
	return n
}

// sm2 issues a certificate; a nil issuer signs itself, a nil key is made.
func (h *house) sm2(by *issued, name pkix.Name, usage smx509.KeyUsage, hosts []string, pub *ecdsa.PublicKey) issued {
	h.t.Helper()
	tmpl := &smx509.Certificate{
		SerialNumber: serial(), Subject: name, KeyUsage: usage, DNSNames: hosts, BasicConstraintsValid: true,
		IsCA: usage == smx509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	out := issued{}
	if pub == nil {
		key, err := sm2.GenerateKey(rand.Reader)
		h.must(err)
		out.key, pub = key, &key.PublicKey
	}
	parent, signer := tmpl, out.key
	if by != nil {
		var err error
		parent, err = smx509.ParseCertificate(by.der)
		h.must(err)
		signer = by.key
	}
	der, err := smx509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	h.must(err)
	out.der = der
	return out
}

func (h *house) ecdsa(by *issued, cn string, authority bool, pub crypto.PublicKey) issued {
	h.t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: cn}, BasicConstraintsValid: true, IsCA: authority,
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if authority {
		tmpl.KeyUsage = x509.KeyUsageCertSign
	} else {
		tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		tmpl.DNSNames, tmpl.IPAddresses = []string{cn}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	out := issued{}
	if pub == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		h.must(err)
		out.key, pub = key, &key.PublicKey
	}
	parent, signer := tmpl, out.key
	if by != nil {
		var err error
		parent, err = x509.ParseCertificate(by.der)
		h.must(err)
		signer = by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	h.must(err)
	out.der = der
	return out
}

// unitName is the subject of a system's certificate.
func unitName(cn string) pkix.Name {
	return pkix.Name{CommonName: cn, ExtraNames: []pkix.AttributeTypeAndValue{{Type: profile.OrganizationIdentifier(), Value: "11110102MB0000000X"}}}
}

func certPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
