package exchange

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

// MaxDocument is the largest document taken, in bytes.
const MaxDocument = 64 << 20

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

// Holdings registers the copy that a receipt confirms.
type Holdings interface {
	AddHolding(ctx context.Context, h sharing.Holding, ev ledger.Event) (ledger.Receipt, error)
}

// Systems resolves a system to its agency.
type Systems interface {
	System(ctx context.Context, id string) (identity.System, error)
}

// Config holds what an exchange needs; every field is required.
type Config struct {
	Store        Store
	Decider      Decider
	Seals        Seals
	Certificates Certificates
	Systems      Systems
	Catalogue    interface {
		Holdings
		sharing.Reader
	}
	Blobs   Blobs
	Signer  crypto.Signer // the house's exchange key, SM2
	CertDER []byte        // its certificate
	Now     func() time.Time
	NewID   func() string
}

// Service moves documents. Safe for concurrent use.
type Service struct{ cfg Config }

// New returns a Service or says what is missing.
func New(cfg Config) (*Service, error) {
	for name, missing := range map[string]bool{
		"Store": cfg.Store == nil, "Decider": cfg.Decider == nil, "Seals": cfg.Seals == nil,
		"Certificates": cfg.Certificates == nil, "Systems": cfg.Systems == nil, "Catalogue": cfg.Catalogue == nil,
		"Blobs": cfg.Blobs == nil, "Signer": cfg.Signer == nil, "CertDER": len(cfg.CertDER) == 0,
		"Now": cfg.Now == nil, "NewID": cfg.NewID == nil,
	} {
		if missing {
			return nil, fmt.Errorf("exchange: config lacks %s", name)
		}
	}
	return &Service{cfg: cfg}, nil
}

// SendRequest is what a sending system hands in.
type SendRequest struct {
	FromSystem string
	ToSystem   string
	Resource   string
	Purpose    string
	Fields     []string
	Carriers   []string
	Name       string // file name, for the receiver
	Document   []byte // sealed
	RequestID  string
}

// DeniedError carries the decision behind ErrDenied.
type DeniedError struct{ Decision authz.Decision }

func (e *DeniedError) Error() string {
	if len(e.Decision.Reasons) == 0 {
		return ErrDenied.Error()
	}
	return fmt.Sprintf("%v: %s", ErrDenied, e.Decision.Reasons[0].Code)
}
func (e *DeniedError) Unwrap() error { return ErrDenied }

// Send checks the seal, asks for the decision, encrypts and records. Nothing
// leaves the house before its event has a sequence number.
func (s *Service) Send(ctx context.Context, actor ledger.Actor, r SendRequest) (Transfer, authz.Decision, ledger.Receipt, error) {
	var none authz.Decision
	if len(r.Document) == 0 || len(r.Document) > MaxDocument {
		return Transfer{}, none, ledger.Receipt{}, fmt.Errorf("%w: %d bytes", ErrDocument, len(r.Document))
	}
	if err := s.cfg.Seals.CheckSealed(ctx, r.Document); err != nil {
		return Transfer{}, none, ledger.Receipt{}, err
	}
	dec, err := s.cfg.Decider.Decide(ctx, authz.Request{
		ID: r.RequestID, SubjectType: "system", SubjectID: r.FromSystem, Action: authz.ActionForward, Resource: r.Resource,
		Target: r.ToSystem, Carriers: r.Carriers, Purpose: r.Purpose, Fields: r.Fields,
	})
	if err != nil {
		return Transfer{}, dec, ledger.Receipt{}, fmt.Errorf("exchange: decide: %w", err)
	}
	if !dec.Allow {
		return Transfer{}, dec, dec.Receipt, &DeniedError{dec}
	}
	t, envelope, err := s.seal(ctx, r, dec)
	if err != nil {
		return Transfer{}, dec, ledger.Receipt{}, err
	}
	if err := s.cfg.Blobs.Put(ctx, t.Blob, envelope); err != nil {
		return Transfer{}, dec, ledger.Receipt{}, fmt.Errorf("exchange: keep envelope: %w", err)
	}
	ev := s.event("exchange.transfer.sent", actor, t)
	ev.Request = r.RequestID
	rcpt, err := s.cfg.Store.AddTransfer(ctx, t, ev)
	if err != nil {
		err = fmt.Errorf("exchange: record transfer: %w", err)
		if derr := s.cfg.Blobs.Delete(ctx, t.Blob); derr != nil {
			err = errors.Join(err, derr)
		}
		return Transfer{}, dec, ledger.Receipt{}, err
	}
	return t, dec, rcpt, nil
}

// seal builds the transfer and its envelope: header and SM4 envelope for the
// receiver's encryption key, signed by the house around both.
func (s *Service) seal(ctx context.Context, r SendRequest, dec authz.Decision) (Transfer, []byte, error) {
	from, err := s.cfg.Systems.System(ctx, r.FromSystem)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: sender: %w", err)
	}
	to, err := s.cfg.Systems.System(ctx, r.ToSystem)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: receiver: %w", err)
	}
	res, err := s.cfg.Catalogue.Resource(ctx, r.Resource)
	label := res.Label
	if errors.Is(err, sharing.ErrNotFound) {
		var h sharing.Holding
		if h, err = s.cfg.Catalogue.Holding(ctx, r.Resource); err == nil {
			label = h.Label
		}
	}
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: resource: %w", err)
	}
	t := Transfer{
		ID: s.cfg.NewID(), FromSystem: from.ID, ToSystem: to.ID, Sender: string(from.Agency), Receiver: string(to.Agency),
		Resource: r.Resource, Purpose: r.Purpose, Label: level.Join(label), Name: r.Name, Document: SM3Hex(r.Document),
		Decision: dec.ID, State: StateSent, SentAt: s.now(),
	}
	t.Blob = "transfer/" + t.ID
	if t.Agreement, err = s.agreement(ctx, res.ID, to.Agency); err != nil {
		return Transfer{}, nil, err
	}
	encCert, err := s.cfg.Certificates.Encryption(ctx, to.ID)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: receiver's encryption certificate: %w", err)
	}
	inner, err := cms.Encrypt(r.Document, encCert)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: encrypt: %w", err)
	}
	header, err := Header{
		Transfer: t.ID, Receiver: t.Receiver, System: t.ToSystem, Label: t.Label, Decision: t.Decision,
		Document: t.Document, Name: t.Name, Resource: t.Resource, SentAt: t.SentAt,
	}.encode()
	if err != nil {
		return Transfer{}, nil, err
	}
	envelope, err := cms.SignEnvelope(header, inner, s.cfg.Signer, s.cfg.CertDER)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: sign envelope: %w", err)
	}
	t.EnvelopeSM3 = SM3Hex(envelope)
	return t, envelope, nil
}

// agreement names the agreement in force that the transfer rests on, for the
// record; whether one is needed is the decision point's question.
func (s *Service) agreement(ctx context.Context, resource string, consumer identity.USCC) (string, error) {
	all, err := s.cfg.Catalogue.Agreements(ctx, resource, consumer)
	if err != nil {
		return "", fmt.Errorf("exchange: agreements: %w", err)
	}
	for _, a := range all {
		if sharing.InForce(a, s.now()) == nil {
			return a.ID, nil
		}
	}
	return "", nil
}

// Fetch decides again, for the receiver this time, and hands out the envelope.
func (s *Service) Fetch(ctx context.Context, actor ledger.Actor, id string) (Transfer, io.ReadCloser, error) {
	t, err := s.mine(ctx, actor, id)
	if err != nil {
		return Transfer{}, nil, err
	}
	dec, err := s.cfg.Decider.Decide(ctx, authz.Request{
		SubjectType: "system", SubjectID: t.ToSystem, Action: authz.ActionCopy, Resource: t.Resource, Target: t.ToSystem,
		TargetLabel: &t.Label, Purpose: t.Purpose,
	})
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: decide: %w", err)
	}
	if !dec.Allow {
		return Transfer{}, nil, &DeniedError{dec}
	}
	if t.State == StateSent {
		t.State, t.FetchedAt = StateFetched, s.now()
		if _, err := s.cfg.Store.MoveTransfer(ctx, t, []State{StateSent}, s.event("exchange.transfer.fetched", actor, t)); err != nil {
			return Transfer{}, nil, fmt.Errorf("exchange: record fetch: %w", err)
		}
	}
	body, err := s.cfg.Blobs.Get(ctx, t.Blob)
	if err != nil {
		return Transfer{}, nil, fmt.Errorf("exchange: envelope: %w", err)
	}
	return t, body, nil
}

// Receive checks the receiver's signature and registers the holding with the
// label of the transfer (电子签名法 art. 10; X14-23b).
func (s *Service) Receive(ctx context.Context, actor ledger.Actor, id string, signature []byte) (Transfer, ledger.Receipt, error) {
	t, err := s.mine(ctx, actor, id)
	if err != nil {
		return Transfer{}, ledger.Receipt{}, err
	}
	if t.State != StateFetched {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("%w: %s", ErrState, t.State)
	}
	certDER, err := s.cfg.Certificates.Signing(ctx, t.ToSystem)
	if err != nil {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: receiver's certificate: %w", err)
	}
	cert, err := smx509.ParseCertificate(certDER)
	if err != nil {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: receiver's certificate: %w", err)
	}
	if !verifySM2(cert, ReceiptPayload(t.ID, t.Document), signature) {
		return Transfer{}, ledger.Receipt{}, ErrReceipt
	}
	// The holding has the transfer's id: a retry after a crash between the two
	// commits finds it and goes on.
	h := sharing.Holding{
		ID: t.ID, System: t.ToSystem, Agency: identity.USCC(t.Receiver), Resource: t.Resource, Agreement: t.Agreement,
		Label: t.Label, Payload: t.Document, Transfer: t.ID, At: s.now(),
	}
	if orig, err := s.cfg.Catalogue.Holding(ctx, t.Resource); err == nil { // what was sent was itself a copy
		h.Resource, h.Sources = orig.Resource, []string{orig.ID}
	} else if !errors.Is(err, sharing.ErrNotFound) {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: source of the copy: %w", err)
	}
	hev := s.event("sharing.holding.registered", actor, t)
	hev.Object = ledger.Object{Kind: "holding", ID: h.ID}
	hev.After = h.Label.String()
	if _, err := s.cfg.Catalogue.AddHolding(ctx, h, hev); err != nil && !errors.Is(err, sharing.ErrExists) {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: register holding: %w", err)
	}
	t.State, t.ReceivedAt, t.ReceiptSig, t.Holding = StateReceived, s.now(), signature, h.ID
	ev := s.event("exchange.transfer.received", actor, t)
	ev.Details["receipt_sm3"] = SM3Hex(signature)
	rcpt, err := s.cfg.Store.MoveTransfer(ctx, t, []State{StateFetched}, ev)
	if err != nil {
		return Transfer{}, ledger.Receipt{}, fmt.Errorf("exchange: record receipt: %w", err)
	}
	return t, rcpt, nil
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
	if actor.Kind != "system" || actor.ID != t.ToSystem {
		return Transfer{}, ErrNotFound
	}
	return t, nil
}

func (s *Service) event(typ string, actor ledger.Actor, t Transfer) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAccess, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "transfer", ID: t.ID}, Action: string(t.State), Purpose: t.Purpose, Outcome: ledger.Success,
		Target: t.ToSystem, Agreement: t.Agreement, Payload: t.Document, After: t.Label.String(),
		Details: map[string]string{"from_system": t.FromSystem, "resource": t.Resource, "decision": t.Decision, "envelope_sm3": t.EnvelopeSM3},
	}
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// SM3Hex is the SM3 of b in lower-case hex, the form in every record.
func SM3Hex(b []byte) string {
	sum := sm3.Sum(b)
	return hex.EncodeToString(sum[:])
}

func verifySM2(cert *smx509.Certificate, msg, sig []byte) bool {
	pub, ok := sm2Public(cert)
	return ok && len(sig) > 0 && sm2.VerifyASN1WithSM2(pub, nil, msg, sig)
}
