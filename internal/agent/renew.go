package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Track is one of the two kinds of certificates of a system.
type Track string

// Tracks. They renew apart: their lives are not the same.
const (
	TrackTLS Track = "tls" // ECDSA, mTLS
	TrackSM2 Track = "sm2" // the pair of signing and encryption certificate
)

// Held is what a folder holds of a track.
type Held struct {
	Track     Track     `json:"track"`
	Serial    string    `json:"serial"` // hex; of a pair, that of the signing certificate
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"` // of a pair, the earlier end
}

// Held lists both tracks.
func (a *Agent) Held() []Held {
	sign, enc := a.signs[0], a.encs[0].cert
	pair := Held{Track: TrackSM2, Serial: ca.FormatSerial(sign.SerialNumber), NotBefore: sign.NotBefore, NotAfter: sign.NotAfter}
	if enc.NotAfter.Before(pair.NotAfter) {
		pair.NotAfter = enc.NotAfter
	}
	return []Held{{Track: TrackTLS, Serial: ca.FormatSerial(a.leaf.SerialNumber), NotBefore: a.leaf.NotBefore, NotAfter: a.leaf.NotAfter}, pair}
}

// Set names the set that the agent was opened with; every renewal makes another.
func (a *Agent) Set() string { return a.set }

// OldKeys counts the encryption keys of before that are kept.
func (a *Agent) OldKeys() int { return len(a.encs) - 1 }

// Renew gets the follower of one track and puts a new set in force; the agent
// itself stays with the old one, Open gives the new. keepKey renews the ECDSA
// certificate for the key that it has; otherwise, as for the SM2 pair always,
// the key is a new one. ErrExpired: the house lets nobody in with a certificate
// that has ended; the system joins anew.
func (a *Agent) Renew(ctx context.Context, track Track, keepKey bool) error {
	for _, h := range a.Held() {
		// Either renewal goes over mTLS, but for that of the pair over TLCP.
		if now := a.cfg.now(); now.After(h.NotAfter) && (h.Track == track || h.Track == TrackTLS && a.cfg.TLCP == "") {
			return fmt.Errorf("%w: %s, serial %s, at %s", ErrExpired, h.Track, h.Serial, h.NotAfter.UTC().Format(time.RFC3339))
		} else if now.Before(h.NotBefore) {
			return fmt.Errorf("%w: it says %s, and %s begins at %s", ErrClock, now.UTC().Format(time.RFC3339), h.Serial, h.NotBefore.UTC().Format(time.RFC3339))
		}
	}
	unlock, err := lock(ctx, a.cfg.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if now, err := liveSet(a.cfg.Dir); err != nil || now != a.set {
		return errors.Join(fmt.Errorf("%w: set %s is in force, not %s", ErrBusy, now, a.set), err)
	}
	if err := reserve(a.cfg.Dir, a.cfg.Owner); err != nil { // nothing is issued for a disk that is full
		return err
	}
	defer func() { _ = os.Remove(reservePath(a.cfg.Dir)) }()
	next := a.m
	if track == TrackTLS {
		err = a.renewTLS(ctx, &next, keepKey)
	} else {
		err = a.renewSM2(ctx, &next)
	}
	if err != nil {
		return err
	}
	if err := os.Remove(reservePath(a.cfg.Dir)); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if err := next.install(a.cfg.Dir, a.cfg.Owner); err != nil || track == TrackTLS {
		return err
	}
	return dropPending(a.cfg.Dir, fileRenewal)
}

// renewTLS is renew, or rekey, of the step-ca API, always over HTTPS: the old
// certificate is the proof. An answer that is lost costs
// a certificate that nobody uses.
func (a *Agent) renewTLS(ctx context.Context, m *material, keepKey bool) (err error) {
	path, question := "/1.0/renew", any(nil)
	if !keepKey {
		if m.tls, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return fmt.Errorf("agent: make TLS key: %w", err)
		}
		csr, err := requestTLS(m.tls, a.cfg.System, a.leaf.DNSNames)
		if err != nil {
			return err
		}
		path, question = "/1.0/rekey", map[string]string{"csr": csr}
	}
	if m.issued, err = askTLS(ctx, a.direct, a.home.JoinPath(path).String(), question); err != nil {
		return err
	}
	return a.cfg.checkTLS(m.issued, &m.tls.PublicKey, a.cfg.System)
}

// renewSM2 asks with a request that is on the disk before: the house answers the
// same request with the same pair, so that a lost answer costs nothing.
func (a *Agent) renewSM2(ctx context.Context, m *material) error {
	p, err := a.pendingRenewal()
	if err != nil {
		return err
	}
	if m.sign, err = unpackSM2(p.Sign); err != nil {
		return err
	}
	var pair wire.Pair
	err = call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathRenewals).String(), p.Renewal, &pair)
	if err == nil && pair.System != a.cfg.System {
		err = fmt.Errorf("%w: the pair is of system %.80q", ErrEnvelope, pair.System)
	}
	if err == nil {
		err = m.takePair(a.cfg, pair)
	}
	return err
}

// pendingRenewal is the request that is under way for the pair in force, or a
// new one. It is kept through every refusal: a pair has one follower, and the
// house may have made it for an answer that never came.
func (a *Agent) pendingRenewal() (pending, error) {
	serial := ca.FormatSerial(a.signs[0].SerialNumber)
	p, err := readPending(a.cfg.Dir, fileRenewal)
	if err != nil || p.Renewal != nil && p.Renewal.Serial == serial {
		return p, err
	}
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return p, fmt.Errorf("agent: make signing key: %w", err)
	}
	csr, err := requestSM2(key)
	if err != nil {
		return p, err
	}
	sig, err := a.m.sign.SignWithSM2(rand.Reader, nil, wire.RenewalMessage(serial, csr))
	if err != nil {
		return p, fmt.Errorf("agent: sign renewal: %w", err)
	}
	p = pending{Renewal: &wire.RenewRequest{Serial: serial, SM2CSR: csr, Signature: sig}}
	if p.Sign, err = packKey(key); err != nil {
		return p, err
	}
	return p, p.save(a.cfg.Dir, fileRenewal)
}
