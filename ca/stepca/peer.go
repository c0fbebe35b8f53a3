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
// client certificates (tls.VerifyClientCertIfGiven), as they are now: issuing
// certificates are in it because clients may send their leaf alone. It is the same
// pool until the authorities of the house change.
func (a *Authority) ClientPool(ctx context.Context) (*x509.CertPool, error) {
	s, err := a.renewSet(ctx)
	if err != nil {
		return nil, err
	}
	return s.pool, nil
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
	by, err := a.issuerOf(ctx, crt)
	if err != nil {
		return ca.Certificate{}, err
	}
	row, err := a.registry.Certificate(ctx, by.ID(), ca.FormatSerial(crt.SerialNumber))
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
// verified it and an issuing key of ours signed it. The routes do not trust that the
// outer server was told to verify.
func (a *Authority) verifiedPeer(ctx context.Context, state *tls.ConnectionState) (*x509.Certificate, error) {
	if state == nil || len(state.PeerCertificates) == 0 || len(state.VerifiedChains) == 0 {
		return nil, fmt.Errorf("%w: none was verified", ErrPeer)
	}
	leaf := state.PeerCertificates[0]
	if err := a.signedBy(ctx, leaf); err != nil {
		return nil, err
	}
	return leaf, nil
}
