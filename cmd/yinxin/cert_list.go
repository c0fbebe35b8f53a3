package main

import (
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca/lint/crl"
)

// maxListFile bounds a file of revoked certificates: above a million entries.
const maxListFile = 64 << 20

// errListProfile: profiles are of certificates.
var errListProfile = errors.New("a revocation list with a profile")

// listIn returns the list of revoked certificates in a file, PEM or DER, or nil
// when it holds something else.
func listIn(data []byte) []byte {
	if block, _ := pem.Decode(data); block != nil {
		if block.Type == "X509 CRL" {
			return block.Bytes
		}
		return nil
	}
	// Certificate and list begin alike; only one of them reads as a list.
	if _, err := crl.Parse(data); err != nil {
		return nil
	}
	return data
}

func (u *ui) lintList(file string, der []byte, profile, issuerFile string) error {
	if profile != "" {
		return fail(fmt.Errorf("%s: %w", file, errListProfile), "cert.hint.list")
	}
	view, err := crl.Parse(der)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", file, err), "cert.hint.file")
	}
	in := crl.Input{View: view}
	if issuerFile != "" {
		chain, err := u.readCertificates(issuerFile)
		if err != nil {
			return err
		}
		if in.Issuer, err = smx509.ParseCertificate(chain[0]); err != nil {
			return fail(fmt.Errorf("%s: %w", issuerFile, err), "cert.hint.file")
		}
	}
	return u.printLint(file, "", crl.New().Run(in))
}
