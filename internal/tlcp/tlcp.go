// Package tlcp is the transport for partners that must speak TLCP (传输层密码协议,
// GB/T 38636-2020, GM/T 0024-2014): a listener and a client, both with mutual
// authentication by dual certificates (双证书). It is legacy interop (遗留互通),
// off unless the operator sets an address: whoever can, uses the ECDSA port.
//
// Records and handshake messages are those of github.com/tjfoc/gmsm/gmtls; keys
// and trust are not. A private key reaches it as crypto.Signer or
// crypto.Decrypter of ours, which it can only ask (keys.go). The peer's
// certificates are judged here, with smx509 and against the anchors given
// (peer.go); what gmtls thinks of them counts for nothing. It panics on
// malformed messages, so every call into it is recovered (conn.go).
//
// One suite is spoken: ECC_SM4_CBC_SM3 (0xe013). It has no forward secrecy:
// whoever holds the server's encryption key reads what was recorded. ECDHE is
// not finished in gmtls and GCM not there at all.
//
// It refuses another suite or version, no certificate or a single one, a pair in
// the wrong order, of two subjects, off the SM2 curve, out of its period or not
// under the anchors, more connections, handshakes and time than the limits say.
// Whether a certificate was revoked is asked where a request is answered, each
// time, as on the ECDSA port.
package tlcp

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/tjfoc/gmsm/gmtls"
)

// Outcomes that callers branch on.
var (
	// ErrHandshake: the connection was refused; the cause is wrapped.
	ErrHandshake = errors.New("tlcp: handshake refused")
	// ErrPeer: the certificates of the other side are not a pair to be trusted.
	ErrPeer = errors.New("tlcp: certificates of the peer refused")
	// ErrPair: our own certificates and keys do not fit together.
	ErrPair = errors.New("tlcp: own pair not usable")
	// ErrFault: the protocol library broke on what the peer sent.
	ErrFault = errors.New("tlcp: malformed message")
)

// Pair is our own side: two certificates and their keys in custody. SignKey
// signs messages (crypto.SignMessage with sm2.DefaultSM2SignerOpts); EncKey
// decrypts with nil options.
type Pair struct {
	Sign, Enc *smx509.Certificate
	Above     [][]byte // authorities, DER, which a server sends behind both: its callers may hang on another one
	SignKey   crypto.Signer
	EncKey    crypto.Decrypter // a server uses it in each handshake, a client never
}

// check refuses a pair under which every handshake would fail.
func (p Pair) check() error {
	if p.Sign == nil || p.Enc == nil || p.SignKey == nil || p.EncKey == nil {
		return fmt.Errorf("%w: two certificates and two keys are needed", ErrPair)
	}
	if err := usages(p.Sign, p.Enc); err != nil {
		return fmt.Errorf("%w: %w", ErrPair, err)
	}
	for _, h := range []struct {
		cert *smx509.Certificate
		key  interface{ Public() crypto.PublicKey }
	}{{p.Sign, p.SignKey}, {p.Enc, p.EncKey}} {
		pub, ok := h.key.Public().(*ecdsa.PublicKey)
		if !ok || pub.Curve != sm2.P256() || !pub.Equal(h.cert.PublicKey) {
			return fmt.Errorf("%w: a key is not that of its certificate", ErrPair)
		}
	}
	return nil
}

// Trust says which certificates of the other side are believed. A chain ends in
// one of Roots; between them and a server's pair may also stand authorities that
// the server sent.
type Trust struct {
	Roots   []*smx509.Certificate // required
	Issuing []*smx509.Certificate // intermediate authorities
	Now     func() time.Time      // nil: time.Now
}

func (t Trust) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// Peer is who stands at the other end: certificates that were checked, and the
// first of which signed this handshake.
type Peer struct{ Sign, Enc *smx509.Certificate }

// base is what both sides tell gmtls. Its own judgement of certificates is off;
// judge takes its place and cannot be left out.
func base(rand io.Reader, judge func(raw [][]byte) error) *gmtls.Config {
	return &gmtls.Config{
		GMSupport: gmtls.NewGMSupport(), Rand: rand,
		// The default list has ECDHE (0xe011), on which the server panics.
		CipherSuites: []uint16{gmtls.GMTLS_SM2_WITH_SM4_SM3},
		MinVersion:   gmtls.VersionGMSSL, MaxVersion: gmtls.VersionGMSSL,
		SessionTicketsDisabled: true, Renegotiation: gmtls.RenegotiateNever,
		InsecureSkipVerify:    true, // judge verifies, with another library and more strictly
		VerifyPeerCertificate: judgeOnly(judge),
	}
}
