package signer

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// Keys is the custody that signs; the private key never leaves it.
type Keys interface {
	// Signer returns the key for SM2 message signatures (sm2.DefaultSM2SignerOpts).
	Signer(ctx context.Context, keyID string) (crypto.Signer, error)
}

// approvalLife is how long an approval may be used unless Config says otherwise.
const approvalLife = 7 * 24 * time.Hour

// requestLife is how long a request waits unless Config says otherwise.
const requestLife = 30 * 24 * time.Hour

// Config of the room. Every field down to NewID is required.
type Config struct {
	Register Register
	Approver Approver
	Keys     Keys
	Now      func() time.Time
	NewID    func() string // UUIDv7
	Provider ofd.Provider  // named in sealed documents; zero: yinxin without a version
	Stamper  Stamper       // nil: seals carry no time-stamp
	Finder   TextFinder    // nil: no keywords in PDF documents
	Consents Consents      // nil: a document that quotes a shared resource is refused
	Batches  Batches       // nil: no batches
	Ender    Ender         // told of a seal whose period is over; nil: nobody is
	// ApprovalLife is how long after the record of an approval the document may
	// be sealed; 0: seven days.
	ApprovalLife time.Duration
	RequestLife  time.Duration // how long a request may wait for its answer; 0: thirty days
	Excluded     []Exclusion   // what the site excludes besides the law
}

// Service is the room. It is safe for concurrent use if its parts are.
type Service struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	if cfg.Register == nil || cfg.Approver == nil || cfg.Keys == nil || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("signer: register, approver, keys, clock and id source are required")
	}
	if cfg.Provider.Name == "" {
		cfg.Provider.Name = "yinxin"
	}
	if cfg.ApprovalLife == 0 {
		cfg.ApprovalLife = approvalLife
	}
	if cfg.RequestLife == 0 {
		cfg.RequestLife = requestLife
	}
	return &Service{cfg: cfg}, nil
}

// now is whole milliseconds, UTC, as the ledger writes times.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// event is an entry of this room about a use.
func (s *Service) event(kind string, at time.Time, actor ledger.Actor, object ledger.Object, payload string, details map[string]string) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassSeal, Time: at, Actor: actor,
		Object: object, Outcome: ledger.Success, Payload: payload, Details: details,
	}
}

func useObject(id string) ledger.Object { return ledger.Object{Kind: "seal_use", ID: id} }

// Digest is SM3 in lower-case hex: how documents are named in uses, approvals
// and the ledger.
func Digest(doc []byte) string {
	sum := sm3.Sum(doc)
	return hex.EncodeToString(sum[:])
}
