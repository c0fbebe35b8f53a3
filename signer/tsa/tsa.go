// Package tsa is a time-stamp service (时间戳服务) and its client: RFC 3161 over
// HTTP (its section 3.4), for SM2 with SM3 (GM/T 0033) and for ECDSA with SHA-256.
//
// A service has one key, one policy and one clock. It answers with a token only
// after the token is recorded, and refuses when the clock is not known to be
// synchronised: a wrong time with a signature is worse than none.
package tsa

import (
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/cms/signeddata"
	"github.com/yinxin-gov/yinxin/signer/cms/tsp"
)

// Media types of RFC 3161, 3.4.
const (
	TypeQuery = "application/timestamp-query"
	TypeReply = "application/timestamp-reply"
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

// Config of a service. All fields but Chain and Accuracy are required.
type Config struct {
	Key          crypto.Signer
	CertDER      []byte   // its one purpose is time-stamping, critical
	Chain        [][]byte // carried in tokens beside the certificate
	Policy       asn1.ObjectIdentifier
	Accuracy     time.Duration // 0: one second
	Now          func() time.Time
	Synchronised func() error // nil error: the clock is right
	Rand         io.Reader    // of serials
	Recorder     Recorder
}

// Service makes tokens. It is safe for concurrent use if its parts are.
type Service struct{ cfg Config }

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
	s := &Service{cfg}
	if _, _, err := s.make(tsp.Request{Imprint: tsp.Over(d, []byte("trial")), Certs: true}); err != nil {
		return nil, fmt.Errorf("tsa: trial token: %w", err)
	}
	return s, nil
}

// make signs a token.
func (s *Service) make(r tsp.Request) (token []byte, i Issued, err error) {
	serial, err := s.serial()
	if err != nil {
		return nil, Issued{}, err
	}
	info := tsp.Info{
		Policy: s.cfg.Policy, Imprint: r.Imprint, Serial: serial, Time: s.cfg.Now().UTC().Truncate(time.Second),
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

// Respond answers one request; what it refuses is a response too.
func (s *Service) Respond(ctx context.Context, der []byte) ([]byte, error) {
	r, err := tsp.ParseRequest(der)
	switch {
	case errors.Is(err, signeddata.ErrUnsupported):
		return tsp.Rejection(tsp.BadAlgorithm, "digest not accepted")
	case errors.Is(err, tsp.ErrUnsupported):
		return tsp.Rejection(tsp.UnacceptedExtension, "extension not accepted")
	case err != nil:
		return tsp.Rejection(tsp.BadDataFormat, "not a time-stamp request")
	case r.Policy != nil && !r.Policy.Equal(s.cfg.Policy):
		return tsp.Rejection(tsp.UnacceptedPolicy, "policy not offered")
	}
	if err := s.cfg.Synchronised(); err != nil {
		return tsp.Rejection(tsp.TimeNotAvailable, "the clock is not synchronised")
	}
	token, issued, err := s.make(r)
	if err != nil {
		return tsp.Rejection(tsp.SystemFailure, "no token could be made")
	}
	if err := s.cfg.Recorder.RecordTimeStamp(ctx, issued); err != nil {
		return tsp.Rejection(tsp.SystemFailure, "the token could not be recorded")
	}
	return tsp.Granted(token)
}

// ServeHTTP implements RFC 3161, 3.4.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST a time-stamp request", http.StatusMethodNotAllowed)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != TypeQuery {
		http.Error(w, TypeQuery+" expected", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, tsp.MaxRequest))
	if err != nil {
		http.Error(w, "request too large or cut off", http.StatusRequestEntityTooLarge)
		return
	}
	out, err := s.Respond(r.Context(), body)
	if err != nil {
		http.Error(w, "no answer could be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", TypeReply)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(out) // the client went away: nobody left to tell
}
