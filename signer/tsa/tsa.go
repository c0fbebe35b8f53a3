// Package tsa is a time-stamp service (时间戳服务) and its client: RFC 3161 over
// HTTP (its section 3.4), for SM2 with SM3 (GM/T 0033) and for ECDSA with SHA-256.
//
// A service has one key, one policy and one clock. It answers with a token only
// after the token is recorded, and refuses when the clock is not known to be
// synchronised or has stepped back behind a time that it gave out already: a
// wrong time with a signature is worse than none.
//
// The client sends a nonce, follows no redirect to another host, tries once, and
// takes nothing that is not over its own request.
package tsa

import (
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// Why a service makes no token.
var (
	// ErrClock: the clock is not known to be right.
	ErrClock = errors.New("tsa: the clock is not known to be right")
	// ErrRecord: the token could not be recorded, so nobody gets it.
	ErrRecord = errors.New("tsa: the token could not be recorded")
	// ErrPolicy: the request asks for a policy that is not this service's.
	ErrPolicy = errors.New("tsa: policy not offered")
)

// Issued is what is recorded of a token.
type Issued struct {
	Serial  string // decimal
	Time    time.Time
	Digest  string // identifier of the imprint's digest
	Imprint []byte
	Token   []byte // SM3 of the token
}

// Recorder keeps a lasting record of every token before anybody gets it.
type Recorder interface {
	RecordTimeStamp(ctx context.Context, i Issued) error
}

// Config of a service. All fields but Chain, Accuracy and Last are required.
type Config struct {
	Key          crypto.Signer
	CertDER      []byte   // its one purpose is time-stamping, critical
	Chain        [][]byte // carried in tokens beside the certificate
	Policy       asn1.ObjectIdentifier
	Accuracy     time.Duration // stated in tokens; 0: one second
	Now          func() time.Time
	Synchronised func() error // nil error: the clock is right within Accuracy, less the half second of rounding
	Rand         io.Reader    // of serials
	Recorder     Recorder
	Last         time.Time // newest time that was given out before, by whatever; zero: none
}

// Service makes tokens. It is safe for concurrent use if its parts are.
type Service struct {
	cfg    Config
	digest signeddata.Digest // of the key's own track

	mu   sync.Mutex
	last time.Time // guarded by mu: newest time given out
}

// New checks the configuration, the certificate and the key by making a token
// that goes nowhere.
func New(cfg Config) (*Service, error) {
	if cfg.Key == nil || cfg.Policy == nil || cfg.Now == nil || cfg.Synchronised == nil || cfg.Rand == nil || cfg.Recorder == nil {
		return nil, errors.New("tsa: key, policy, clock, its check, randomness and recorder are required")
	}
	if cfg.Accuracy == 0 {
		cfg.Accuracy = time.Second
	}
	d, err := signeddata.DigestFor(cfg.CertDER)
	if err != nil {
		return nil, fmt.Errorf("tsa: %w", err)
	}
	s := &Service{cfg: cfg, digest: d, last: cfg.Last}
	if _, _, err := s.make(tsp.Request{Imprint: tsp.Over(d, []byte("trial")), Certs: true}, cfg.Now()); err != nil {
		return nil, fmt.Errorf("tsa: trial token: %w", err)
	}
	return s, nil
}

// Last is the newest time that was given out: what a successor of this service
// starts from.
func (s *Service) Last() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// time reads the clock, or says why it cannot be trusted. One that runs behind a
// time given out by more than the accuracy was wrong then or is wrong now.
func (s *Service) time() (time.Time, error) {
	if err := s.cfg.Synchronised(); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrClock, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	if back := s.last.Sub(now); back > s.cfg.Accuracy {
		return time.Time{}, fmt.Errorf("%w: it stands %s behind a time given out already", ErrClock, back.Round(time.Millisecond))
	}
	if now.After(s.last) {
		s.last = now
	}
	return now, nil
}

// Issue makes the token that was asked for, and records it before it returns.
func (s *Service) Issue(ctx context.Context, r tsp.Request) ([]byte, error) {
	if r.Policy != nil && !r.Policy.Equal(s.cfg.Policy) {
		return nil, ErrPolicy
	}
	now, err := s.time()
	if err != nil {
		return nil, err
	}
	token, issued, err := s.make(r, now)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Recorder.RecordTimeStamp(ctx, issued); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return token, nil
}

// Stamp is Issue for a caller in the same process: a token over value, with the
// digest of the key's own track and with its certificates.
func (s *Service) Stamp(ctx context.Context, value []byte) ([]byte, error) {
	return s.Issue(ctx, tsp.Request{Imprint: tsp.Over(s.digest, value), Certs: true})
}

// make signs a token. Its time is in whole seconds, which every reader knows.
func (s *Service) make(r tsp.Request, now time.Time) (token []byte, i Issued, err error) {
	serial, err := s.serial()
	if err != nil {
		return nil, Issued{}, err
	}
	info := tsp.Info{
		Policy: s.cfg.Policy, Imprint: r.Imprint, Serial: serial, Time: now.UTC().Round(time.Second),
		Accuracy: s.cfg.Accuracy, Nonce: r.Nonce,
	}
	if token, err = tsp.Sign(info, s.cfg.CertDER, s.cfg.Chain, r.Certs, s.cfg.Key); err != nil {
		return nil, Issued{}, err
	}
	sum := sm3.Sum(token)
	return token, Issued{
		Serial: serial.String(), Time: info.Time, Digest: r.Imprint.Digest.OID.String(), Imprint: r.Imprint.Value, Token: sum[:],
	}, nil
}

// serial is 127 random bits: positive, unique without a counter that has to
// survive a restore.
func (s *Service) serial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return nil, fmt.Errorf("tsa: serial: %w", err)
	}
	b[0] &= 0x7f
	n := new(big.Int).SetBytes(b)
	if n.Sign() == 0 {
		return nil, errors.New("tsa: serial: no randomness")
	}
	return n, nil
}
