package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
)

// papers writes what a person signs with on either track: sm2.key, sm2.crt,
// ec.key, ec.crt (keys encrypted, 0600), pass.txt, the authority of ec.crt in
// ec-ca.crt, a folder trust that vouches for both, and letter.pdf.
func papers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: papers")
	}
	put := func(name string, b []byte) {
		name = ts.MkAbs(name)
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o700))
		ts.Check(os.WriteFile(name, b, 0o600))
	}
	issue := func(serial int64, pub crypto.PublicKey, by crypto.Signer, parent *smx509.Certificate, ca bool) ([]byte, *smx509.Certificate) {
		c := &smx509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: map[bool]string{false: "样例签名人", true: "Sample CA"}[ca]},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: smx509.KeyUsageDigitalSignature,
		}
		if ca {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, smx509.KeyUsageCertSign
		}
		if parent == nil {
			parent = c
		}
		der, err := smx509.CreateCertificate(rand.Reader, c, parent, pub, by)
		ts.Check(err)
		got, err := smx509.ParseCertificate(der)
		ts.Check(err)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), got
	}
	lock := func(key any) []byte {
		der, err := pkcs8.MarshalPrivateKey(key, []byte(testPassphrase), pkcs.NewPBESEncrypter(pkcs.AES256CBC, pkcs.NewPBKDF2Opts(pkcs.SHA256, 16, 2048)))
		ts.Check(err)
		return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	}
	gm, err := sm2.GenerateKey(rand.Reader)
	ts.Check(err)
	gmCert, _ := issue(1, gm.Public(), gm, nil, false)
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	caCert, parent := issue(2, ca.Public(), ca, nil, true)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	ecCert, _ := issue(3, ec.Public(), ca, parent, false)
	for name, b := range map[string][]byte{
		"sm2.key": lock(gm), "sm2.crt": gmCert, "ec.key": lock(ec), "ec.crt": ecCert, "ec-ca.crt": caCert, "pass.txt": []byte(testPassphrase + "\n"),
		"trust/sm2.crt": gmCert, "trust/ec-ca.crt": caCert, "letter.pdf": pdftest.Letter(pdftest.Options{}),
	} {
		put(name, b)
	}
}

// replace changes a text in a file, of any kind, to one of the same length:
// `replace FILE OLD NEW`.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || len(args[1]) != len(args[2]) {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	was := ts.ReadFile(args[0])
	is := strings.Replace(was, args[1], args[2], 1)
	if is == was {
		ts.Fatalf("%s holds no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(is), 0o600))
}
