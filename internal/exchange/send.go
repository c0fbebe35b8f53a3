package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/signer/cms"
)

// Bounds of what is taken, in bytes.
const (
	MaxDocument = 64 << 20
	maxName     = 255
)

// cleanupTimeout bounds what is put right after a failure, when the caller may
// be gone already.
const cleanupTimeout = 10 * time.Second

// SendRequest is what a sending system hands in.
type SendRequest struct {
	FromSystem string
	ToSystem   string
	Resource   string // resource id, or holding id of the copy that is handed on
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
// leaves the house before its event has a sequence number: with ErrPending the
// transfer stands and its number follows.
func (s *Service) Send(ctx context.Context, actor ledger.Actor, r SendRequest) (Transfer, authz.Decision, ledger.Receipt, error) {
	refused := func(d authz.Decision, err error) (Transfer, authz.Decision, ledger.Receipt, error) {
		return Transfer{}, d, d.Receipt, err
	}
	if err := r.check(actor); err != nil {
		return refused(authz.Decision{}, err)
	}
	if err := s.cfg.Seals.CheckSealed(ctx, r.Document); err != nil {
		return refused(authz.Decision{}, err)
	}
	for range decisions - 1 {
		t, dec, rcpt, err := s.send(ctx, actor, r)
		if !errors.Is(err, ErrStale) {
			return t, dec, rcpt, err
		}
	}
	return s.send(ctx, actor, r)
}

// decisions is how often an act is decided when facts change under it.
const decisions = 3

// send decides and records. The record stands only if the facts of the decision are
// those of its transaction.
func (s *Service) send(ctx context.Context, actor ledger.Actor, r SendRequest) (Transfer, authz.Decision, ledger.Receipt, error) {
	refused := func(d authz.Decision, err error) (Transfer, authz.Decision, ledger.Receipt, error) {
		return Transfer{}, d, d.Receipt, err
	}
	dec, err := s.cfg.Decider.Decide(ctx, authz.Request{
		ID: r.RequestID, SubjectType: authz.SubjectSystem, SubjectID: r.FromSystem, Action: authz.ActionForward, Resource: r.Resource,
		Target: r.ToSystem, Carriers: r.Carriers, Purpose: r.Purpose, Fields: r.Fields, Caller: actor,
	})
	if err != nil {
		return refused(dec, fmt.Errorf("exchange: decide: %w", err))
	}
	if !dec.Allow {
		return refused(dec, &DeniedError{dec})
	}
	if i := slices.IndexFunc(dec.Obligations, func(o authz.Obligation) bool { return o.Kind == authz.ObligeMask }); i >= 0 {
		return refused(dec, fmt.Errorf("%w: %s", ErrMasked, dec.Obligations[i].Value))
	}
	t, err := s.draft(ctx, r, dec)
	if err != nil {
		return refused(dec, err)
	}
	envelope, err := s.seal(ctx, &t, r.Document)
	if err != nil {
		return refused(dec, err)
	}
	if err := s.cfg.Blobs.Put(ctx, t.Blob, envelope); err != nil {
		return refused(dec, fmt.Errorf("exchange: keep envelope: %w", err))
	}
	ev := s.event("exchange.transfer.sent", actor, t)
	ev.Request = r.RequestID
	rcpt, err := s.cfg.Store.AddTransfer(ctx, t, ev)
	if err != nil {
		return refused(dec, s.unsent(ctx, t, err))
	}
	return t, dec, rcpt, nil
}

// unsent removes the envelope of a transfer that was not recorded. An error of
// the store may hide a commit, so it looks first: an envelope too many is
// unreadable and harmless, one too few is a lost document.
func (s *Service) unsent(ctx context.Context, t Transfer, cause error) error {
	cause = fmt.Errorf("exchange: record transfer: %w", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_, err := s.cfg.Store.Transfer(ctx, t.ID)
	switch {
	case err == nil:
		return fmt.Errorf("%w: transfer %s: %w", ErrPending, t.ID, cause)
	case !errors.Is(err, ErrNotFound):
		return errors.Join(cause, err)
	}
	if err := s.cfg.Blobs.Delete(ctx, t.Blob); err != nil {
		return errors.Join(cause, fmt.Errorf("exchange: remove envelope: %w", err))
	}
	return cause
}

// check refuses what needs no look at any store.
func (r SendRequest) check(actor ledger.Actor) error {
	if actor.Kind != authz.SubjectSystem || actor.ID == "" || actor.ID != r.FromSystem {
		return fmt.Errorf("%w: %s %q for %q", ErrSender, actor.Kind, actor.ID, r.FromSystem)
	}
	if len(r.Document) == 0 || len(r.Document) > MaxDocument {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrDocument, len(r.Document), MaxDocument)
	}
	// The receiver may save under this name: no path, no control or direction mark.
	hidden := func(c rune) bool { return !unicode.IsPrint(c) }
	if r.Name == "" || len(r.Name) > maxName || !utf8.ValidString(r.Name) || r.Name == "." || r.Name == ".." ||
		strings.ContainsAny(r.Name, `/\`) || strings.ContainsFunc(r.Name, hidden) {
		return fmt.Errorf("%w: %.80q", ErrName, r.Name)
	}
	return nil
}

// draft is the transfer that a permit allows.
func (s *Service) draft(ctx context.Context, r SendRequest, dec authz.Decision) (Transfer, error) {
	from, err := s.cfg.Systems.System(ctx, r.FromSystem)
	if err != nil {
		return Transfer{}, fmt.Errorf("exchange: sender: %w", err)
	}
	to, err := s.cfg.Systems.System(ctx, r.ToSystem)
	if err != nil {
		return Transfer{}, fmt.Errorf("exchange: receiver: %w", err)
	}
	label, err := obliged(dec)
	if err != nil {
		return Transfer{}, err
	}
	t := Transfer{
		ID: s.cfg.NewID(), FromSystem: from.ID, ToSystem: to.ID, Sender: string(from.Agency), Receiver: string(to.Agency),
		Resource: r.Resource, Purpose: r.Purpose, Label: label, Name: r.Name, Document: SM3Hex(r.Document),
		Decision: dec.ID, State: StateSent, SentAt: s.now(), Facts: dec.Revision,
	}
	t.Blob, t.Carriers = "transfer/"+t.ID, r.Carriers
	t.Agreement, err = s.agreement(ctx, t)
	return t, err
}

// obliged is the label that a permit binds its result to. The decision point
// read the facts once; reading them again here could give another answer.
func obliged(dec authz.Decision) (level.Label, error) {
	for _, o := range dec.Obligations {
		if o.Kind == authz.ObligeLabel {
			return level.Parse(o.Value)
		}
	}
	return level.Label{}, fmt.Errorf("exchange: decision %s permits without a label", dec.ID)
}

// agreement names the agreement in force that the transfer rests on, for the
// record and the end of the holding; whether one is needed is the decision
// point's question. Of several it is the one of the smallest id, as there.
func (s *Service) agreement(ctx context.Context, t Transfer) (string, error) {
	origin, copied, err := s.item(ctx, t.Resource)
	if err != nil {
		return "", err
	}
	user := identity.USCC(t.Sender)
	if user == origin.Provider {
		user = identity.USCC(t.Receiver)
	}
	terms, err := s.cfg.Catalogue.Agreements(ctx, origin.ID, user)
	if err != nil {
		return "", fmt.Errorf("exchange: agreements: %w", err)
	}
	if copied != nil && copied.Agreement != "" { // handed on under the agreement it came by
		a, err := s.cfg.Catalogue.Agreement(ctx, copied.Agreement)
		if err == nil {
			terms = append(terms, a)
		} else if !errors.Is(err, sharing.ErrNotFound) {
			return "", fmt.Errorf("exchange: agreement of the copy: %w", err)
		}
	}
	id := ""
	for _, a := range terms {
		if slices.Contains(a.Purposes, t.Purpose) && sharing.InForce(a, s.now()) == nil && (id == "" || a.ID < id) {
			id = a.ID
		}
	}
	return id, nil
}

// item finds a resource, or a holding with the resource that it is a copy of.
func (s *Service) item(ctx context.Context, id string) (sharing.Resource, *sharing.Holding, error) {
	res, err := s.cfg.Catalogue.Resource(ctx, id)
	if err == nil {
		return res, nil, nil
	}
	if !errors.Is(err, sharing.ErrNotFound) {
		return sharing.Resource{}, nil, fmt.Errorf("exchange: resource: %w", err)
	}
	h, err := s.cfg.Catalogue.Holding(ctx, id)
	if err != nil {
		return sharing.Resource{}, nil, fmt.Errorf("exchange: resource or copy: %w", err)
	}
	if res, err = s.cfg.Catalogue.Resource(ctx, h.Resource); err != nil {
		return sharing.Resource{}, nil, fmt.Errorf("exchange: resource of the copy: %w", err)
	}
	return res, &h, nil
}

// seal is the envelope: header and SM4 envelope for the receiver's encryption
// key, signed by the house around both.
func (s *Service) seal(ctx context.Context, t *Transfer, document []byte) ([]byte, error) {
	encCert, err := s.cfg.Certificates.Encryption(ctx, t.ToSystem)
	if err != nil {
		return nil, fmt.Errorf("exchange: receiver's encryption certificate: %w", err)
	}
	inner, err := cms.Encrypt(document, encCert)
	if err != nil {
		return nil, fmt.Errorf("exchange: encrypt: %w", err)
	}
	header, err := wire.Header{
		Transfer: t.ID, Receiver: t.Receiver, System: t.ToSystem, Label: t.Label, Decision: t.Decision,
		Document: t.Document, Name: t.Name, Resource: t.Resource, SentAt: t.SentAt,
	}.Encode()
	if err != nil {
		return nil, err
	}
	own, err := s.cfg.Certificate(ctx)
	if err != nil {
		return nil, fmt.Errorf("exchange: own certificate: %w", err)
	}
	envelope, err := cms.SignEnvelope(header, inner, s.cfg.Signer, own)
	if err != nil {
		return nil, fmt.Errorf("exchange: sign envelope: %w", err)
	}
	t.EnvelopeSM3 = SM3Hex(envelope)
	return envelope, nil
}
