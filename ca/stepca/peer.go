package stepca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/yinxin-gov/yinxin/ca"
)

// ClientPool returns the anchors against which the outer server verifies
// client certificates (tls.VerifyClientCertIfGiven): the issuing certificate is
// in it because clients may send their leaf alone.
func (a *Authority) ClientPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	pool.AddCert(a.issuing)
	return pool
}

// Peer returns the registry row of a certificate that this authority issued to
// a system and that is good now: its System is the caller's identity. It refuses with
// ErrPeer, ca.ErrRevoked or ca.ErrState. The chain and the period are the TLS
// handshake's to check.
func (a *Authority) Peer(ctx context.Context, crt *x509.Certificate) (ca.Certificate, error) {
	row, err := a.recorded(ctx, crt)
	if err == nil && row.Kind != ca.KindECDSA {
		return ca.Certificate{}, ErrPeer
	}
	return row, err
}

// recorded is Peer for certificates for tests too.
func (a *Authority) recorded(ctx context.Context, crt *x509.Certificate) (ca.Certificate, error) {
	if crt == nil || !bytes.Equal(crt.RawIssuer, a.issuer.cert.RawSubject) {
		return ca.Certificate{}, ErrPeer
	}
	row, err := a.registry.Certificate(ctx, a.issuer.id, crt.SerialNumber.Text(16))
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("stepca: read certificate: %w", err)
	}
	if !leafKind(row.Kind) || row.Signed() && !bytes.Equal(row.DER, crt.Raw) {
		return ca.Certificate{}, ErrPeer
	}
	return row, usable(row)
}

// leafKind: a certificate of a system on this track. One for tests can be
// fetched and revoked; it is no peer, and is asked for anew, not renewed.
func leafKind(k ca.Kind) bool { return k == ca.KindECDSA || k == ca.KindECDSATest }

// usable refuses a row that is not good.
func usable(row ca.Certificate) error {
	switch row.State {
	case ca.StateGood:
		return nil
	case ca.StateRevoked:
		return ca.ErrRevoked
	default:
		return fmt.Errorf("%w: %s", ca.ErrState, row.State)
	}
}

// verifiedPeer returns the client certificate of a connection if the handshake
// verified it and our issuing key signed it. The routes do not trust that the
// outer server was told to verify.
func (a *Authority) verifiedPeer(state *tls.ConnectionState) (*x509.Certificate, error) {
	if state == nil || len(state.PeerCertificates) == 0 || len(state.VerifiedChains) == 0 {
		return nil, fmt.Errorf("%w: none was verified", ErrPeer)
	}
	leaf := state.PeerCertificates[0]
	if err := leaf.CheckSignatureFrom(a.issuing); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	return leaf, nil
}
