package exchange

import (
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// Decider is the decision point; it records each decision itself.
type Decider interface {
	Decide(ctx context.Context, r authz.Request) (authz.Decision, error)
}

// Seals answers whether a document carries a seal that stands: it returns an
// error that wraps ErrDocument for one that is altered, invalid or unsealed.
type Seals interface {
	CheckSealed(ctx context.Context, document []byte) error
}

// Certificates finds the live certificates of a system in the CA's registry.
type Certificates interface {
	// Encryption returns the SM2 encryption certificate in force, DER.
	Encryption(ctx context.Context, system string) ([]byte, error)
	// Signing returns the SM2 signing certificate in force, DER.
	Signing(ctx context.Context, system string) ([]byte, error)
}

// Blobs keeps envelopes; what it keeps is encrypted already.
type Blobs interface {
	Put(ctx context.Context, name string, data []byte) error
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	Delete(ctx context.Context, name string) error
}

// Catalogue tells what is shared on which terms, and registers the copy that a
// receipt confirms.
type Catalogue interface {
	AddHolding(ctx context.Context, h sharing.Holding, ev ledger.Event) (ledger.Receipt, error)
	sharing.Reader
}

// Systems resolves a system to its agency.
type Systems interface {
	System(ctx context.Context, id string) (identity.System, error)
}

// Config holds what an exchange needs; every field is required.
type Config struct {
	Store         Store
	Decider       Decider
	Seals         Seals
	Certificates  Certificates
	Systems       Systems
	Catalogue     Catalogue
	Blobs         Blobs
	Decisions     Decisions
	Confirmations Confirmations
	Signer        crypto.Signer // the house's exchange key, SM2
	// Certificate is that of Signer, DER, at this moment: it renews.
	Certificate func(ctx context.Context) ([]byte, error)
	Now         func() time.Time
	NewID       func() string // UUIDv7; ids of transfers and events
}

// Service moves documents. Safe for concurrent use.
type Service struct{ cfg Config }

// New returns a Service or says what is missing.
func New(cfg Config) (*Service, error) {
	for _, need := range []struct {
		name string
		have bool
	}{
		{"Store", cfg.Store != nil}, {"Decider", cfg.Decider != nil}, {"Seals", cfg.Seals != nil},
		{"Certificates", cfg.Certificates != nil}, {"Systems", cfg.Systems != nil}, {"Catalogue", cfg.Catalogue != nil},
		{"Blobs", cfg.Blobs != nil}, {"Decisions", cfg.Decisions != nil}, {"Confirmations", cfg.Confirmations != nil}, {"Signer", cfg.Signer != nil}, {"Certificate", cfg.Certificate != nil},
		{"Now", cfg.Now != nil}, {"NewID", cfg.NewID != nil},
	} {
		if !need.have {
			return nil, fmt.Errorf("exchange: config lacks %s", need.name)
		}
	}
	return &Service{cfg: cfg}, nil
}

// Inbox lists what was sent to a system.
func (s *Service) Inbox(ctx context.Context, system string) ([]Transfer, error) {
	return s.cfg.Store.Inbox(ctx, system)
}

// mine answers ErrNotFound for a transfer of somebody else: existence is not
// told to strangers.
func (s *Service) mine(ctx context.Context, actor ledger.Actor, id string) (Transfer, error) {
	t, err := s.cfg.Store.Transfer(ctx, id)
	if err != nil {
		return Transfer{}, err
	}
	if actor.Kind != authz.SubjectSystem || actor.ID != t.ToSystem {
		return Transfer{}, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	return t, nil
}

// event is the record of one step of a transfer, about the transfer.
func (s *Service) event(typ string, actor ledger.Actor, t Transfer) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAccess, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "transfer", ID: t.ID}, Action: string(t.State), Purpose: t.Purpose, Outcome: ledger.Success,
		Target: t.ToSystem, Agreement: t.Agreement, Payload: t.Document, After: t.Label.String(),
		Details: map[string]string{"from_system": t.FromSystem, "resource": t.Resource, "decision": t.Decision, "envelope_sm3": t.EnvelopeSM3},
	}
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// committed: the act stands although err is not nil, see Store.
func committed(r ledger.Receipt) bool { return r.Promise >= ledger.Durable }

// SM3Hex is the SM3 of b in lower-case hex, the form in every record.
func SM3Hex(b []byte) string {
	sum := sm3.Sum(b)
	return hex.EncodeToString(sum[:])
}
