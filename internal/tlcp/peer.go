package tlcp

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	foreign "github.com/tjfoc/gmsm/x509"
)

// Limits of a certificate message. A pair of ours has 2 kB; some servers send
// their authorities behind it.
const (
	maxCertificates = 6
	maxCertificate  = 16 << 10
)

// judge decides on a certificate message: a pair (GB/T 38636 6.4.5.3: signing
// certificate, then encryption certificate) under our anchors. Further
// certificates of a server are authorities that may stand between the two; those
// of a client are read past. A server has a host, which both certificates name.
func (t Trust) judge(raw [][]byte, host string) (Peer, error) {
	if len(raw) < 2 || len(raw) > maxCertificates {
		return Peer{}, fmt.Errorf("%w: %d certificates, want a signing and an encryption certificate", ErrPeer, len(raw))
	}
	var pair [2]*smx509.Certificate
	for i := range pair {
		if len(raw[i]) > maxCertificate {
			return Peer{}, fmt.Errorf("%w: a certificate of %d bytes", ErrPeer, len(raw[i]))
		}
		var err error
		if pair[i], err = smx509.ParseCertificate(raw[i]); err != nil {
			return Peer{}, fmt.Errorf("%w: %w", ErrPeer, err)
		}
	}
	peer := Peer{Sign: pair[0], Enc: pair[1]}
	if err := usages(peer.Sign, peer.Enc); err != nil {
		return Peer{}, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	roots, mid := smx509.NewCertPool(), smx509.NewCertPool()
	for _, c := range t.Roots {
		roots.AddCert(c)
	}
	for _, c := range t.Issuing {
		mid.AddCert(c)
	}
	if host != "" {
		for _, der := range raw[2:] {
			if c, err := smx509.ParseCertificate(der); err == nil && c.IsCA && len(der) <= maxCertificate {
				mid.AddCert(c)
			}
		}
	}
	opts := smx509.VerifyOptions{Roots: roots, Intermediates: mid, CurrentTime: t.now(), DNSName: host, KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny}}
	if _, err := peer.Sign.Verify(opts); err != nil {
		return Peer{}, fmt.Errorf("%w: signing certificate: %w", ErrPeer, err)
	}
	if _, err := peer.Enc.Verify(opts); err != nil {
		return Peer{}, fmt.Errorf("%w: encryption certificate: %w", ErrPeer, err)
	}
	// A certificate that names no purpose passes for every purpose in Verify.
	// Every system has one; only the house has one for servers.
	if host != "" && !slices.Contains(peer.Sign.ExtKeyUsage, smx509.ExtKeyUsageServerAuth) {
		return Peer{}, fmt.Errorf("%w: the signing certificate is not for servers", ErrPeer)
	}
	return peer, nil
}

// usages: two SM2 leafs of one subject and one issuer, one that signs and never
// decrypts, one that decrypts and never signs (GM/T 0015, GM/T 0034).
func usages(sign, enc *smx509.Certificate) error {
	const encipher = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
	for _, c := range []*smx509.Certificate{sign, enc} {
		if pub, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || pub.Curve != sm2.P256() {
			return errors.New("a key is not on the SM2 curve")
		}
		if c.IsCA {
			return errors.New("a certificate is an authority's")
		}
	}
	switch {
	case sign.KeyUsage&smx509.KeyUsageDigitalSignature == 0 || sign.KeyUsage&encipher != 0:
		return errors.New("the first certificate is not for signing only")
	case enc.KeyUsage&encipher == 0 || enc.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) != 0:
		return errors.New("the second certificate is not for encryption only")
	case !bytes.Equal(sign.RawSubject, enc.RawSubject) || !bytes.Equal(sign.RawIssuer, enc.RawIssuer) || !slices.Equal(sign.DNSNames, enc.DNSNames):
		return errors.New("the two certificates are not of one holder")
	case bytes.Equal(sign.RawSubjectPublicKeyInfo, enc.RawSubjectPublicKeyInfo):
		return errors.New("the two certificates have one key")
	}
	return nil
}

// judgeOnly drops the chains that gmtls offers beside the bytes: it built none.
func judgeOnly(judge func([][]byte) error) func([][]byte, [][]*foreign.Certificate) error {
	return func(raw [][]byte, _ [][]*foreign.Certificate) error { return judge(raw) }
}
