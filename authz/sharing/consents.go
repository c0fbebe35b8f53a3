package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Answers finds what the leader of a provider signed.
type Answers interface {
	// Answer returns the verified answer to exactly these terms: the approval's id
	// and whether it consents. ErrNotFound when there is none.
	Answer(ctx context.Context, c Consent) (approval string, consented bool, err error)
}

// ConsentsConfig of a Consents service. Every field is required.
type ConsentsConfig struct {
	Store     ConsentStore
	Catalogue Reader
	Directory Directory
	Answers   Answers
	Now       func() time.Time
	NewID     func() string // UUIDv7
}

// Consents is the way of a consent: asked by the unit that quotes, answered by
// the signature of the provider's leader, withdrawn by the provider.
type Consents struct{ cfg ConsentsConfig }

// NewConsents refuses an incomplete ConsentsConfig.
func NewConsents(c ConsentsConfig) (*Consents, error) {
	if c.Store == nil || c.Catalogue == nil || c.Directory == nil || c.Answers == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("sharing: ConsentsConfig lacks Store, Catalogue, Directory, Answers, Now or NewID")
	}
	return &Consents{c}, nil
}

// Ask asks the provider of a resource. Of c it reads Resource, Title, Purpose,
// Document and the period; the actor is a person of the quoting unit. A unit may
// ask itself: its leader signs then, too, so that every citation has a consent.
func (s *Consents) Ask(ctx context.Context, c Consent, actor ledger.Actor) (Consent, ledger.Receipt, error) {
	fail := func(err error) (Consent, ledger.Receipt, error) { return Consent{}, ledger.Receipt{}, err }
	if actor.Kind != "person" || actor.ID == "" {
		return fail(fmt.Errorf("%w: a person asks", ErrInvalid))
	}
	now := s.now()
	r, err := s.cfg.Catalogue.Resource(ctx, c.Resource)
	if err != nil {
		return fail(fmt.Errorf("resource %.80q: %w", c.Resource, err))
	}
	provider, err := s.cfg.Directory.Agency(ctx, r.Provider)
	if err != nil {
		return fail(fmt.Errorf("provider %s: %w", r.Provider, err))
	}
	consumer, err := s.cfg.Directory.Agency(ctx, identity.USCC(actor.Unit))
	if err != nil {
		return fail(fmt.Errorf("consumer: %w", err))
	}
	c = Consent{
		ID: s.cfg.NewID(), Resource: r.ID, ResourceName: r.Name, Provider: r.Provider, ProviderName: provider.Name, Consumer: consumer.USCC,
		Title: c.Title, Purpose: c.Purpose, Document: c.Document, Requester: actor.ID, State: ConsentAsked, AskedAt: now,
		NotBefore: c.NotBefore.UTC().Truncate(time.Millisecond), NotAfter: c.NotAfter.UTC().Truncate(time.Millisecond),
	}
	if c.Digest, err = c.digest(); err != nil {
		return fail(err)
	}
	if !now.Before(c.NotAfter) {
		return fail(fmt.Errorf("%w: over before it is asked for", ErrInvalid))
	}
	rc, err := s.cfg.Store.AddConsent(ctx, c, s.event("sharing.citation.asked", c, now, actor))
	if err != nil {
		return fail(err)
	}
	return c, rc, nil
}

// Decide records the leader's signed answer. It is not the answer, only the
// record that there is one.
func (s *Consents) Decide(ctx context.Context, id string, actor ledger.Actor) (Consent, ledger.Receipt, error) {
	fail := func(err error) (Consent, ledger.Receipt, error) { return Consent{}, ledger.Receipt{}, err }
	c, err := s.cfg.Store.Consent(ctx, id)
	if err != nil {
		return fail(err)
	}
	approval, yes, err := s.answer(ctx, c)
	if err != nil {
		return fail(err)
	}
	c.State, c.Approval, c.DecidedAt = ConsentRefused, approval, s.now()
	kind := "sharing.citation.refused"
	if yes {
		c.State, kind = ConsentGiven, "sharing.citation.consented"
	}
	ev := s.event(kind, c, c.DecidedAt, actor)
	ev.Details["approval"] = approval
	rc, err := s.cfg.Store.MoveConsent(ctx, c, ConsentAsked, ev)
	if err != nil {
		return fail(err)
	}
	return c, rc, nil
}

// Withdraw ends a consent now; only the provider may, and says why. It needs no
// second signature: what loosens waits, what tightens does not (design law 8).
// Documents that were sealed before keep their consent.
func (s *Consents) Withdraw(ctx context.Context, id, reason string, actor ledger.Actor) (Consent, ledger.Receipt, error) {
	fail := func(err error) (Consent, ledger.Receipt, error) { return Consent{}, ledger.Receipt{}, err }
	c, err := s.cfg.Store.Consent(ctx, id)
	if err != nil {
		return fail(err)
	}
	if actor.ID == "" || actor.Unit != string(c.Provider) || reason == "" || !plain(reason) {
		return fail(fmt.Errorf("%w: the provider withdraws a consent, and says why", ErrInvalid))
	}
	c.State, c.WithdrawnAt, c.Reason = ConsentWithdrawn, s.now(), reason
	ev := s.event("sharing.citation.withdrawn", c, c.WithdrawnAt, actor)
	ev.Details["reason"] = reason
	rc, err := s.cfg.Store.MoveConsent(ctx, c, ConsentGiven, ev)
	if err != nil {
		return fail(err)
	}
	return c, rc, nil
}

// Check returns nil when a consent covers a citation: it was given for this
// resource, consumer and document, it stood at that time, and the leader's
// signature verifies now as it did then. Anything else is a ConsentError.
func (s *Consents) Check(ctx context.Context, q Quote) error {
	c, err := s.cfg.Store.Consent(ctx, q.Consent)
	if errors.Is(err, ErrNotFound) {
		return &ConsentError{q.Consent, NoConsent}
	}
	if err != nil {
		return err
	}
	if err := c.covers(q); err != nil {
		return err
	}
	approval, yes, err := s.answer(ctx, c)
	switch {
	case err != nil && !errors.Is(err, ErrConsent):
		return err
	case err != nil || !yes || approval != c.Approval:
		return &ConsentError{q.Consent, ConsentUnsigned}
	}
	return nil
}

// Given lists the consents to quote a resource that a unit has: given, neither
// withdrawn nor over, and signed as Check wants it. One that does not verify is no
// consent.
func (s *Consents) Given(ctx context.Context, resource string, consumer identity.USCC) ([]Consent, error) {
	all, err := s.cfg.Store.ConsentsOf(ctx, consumer)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var out []Consent
	for _, c := range all {
		if c.Resource != resource || c.Consumer != consumer || c.StateAt(now) != ConsentGiven {
			continue
		}
		approval, yes, err := s.answer(ctx, c)
		if err != nil && !errors.Is(err, ErrConsent) {
			return nil, err
		}
		if err == nil && yes && approval == c.Approval {
			out = append(out, c)
		}
	}
	return out, nil
}

// answer asks for the signature over the terms as they stand now; a row that was
// changed since has another digest.
func (s *Consents) answer(ctx context.Context, c Consent) (string, bool, error) {
	digest, err := c.digest()
	if err != nil || digest != c.Digest {
		return "", false, &ConsentError{c.ID, ConsentUnsigned}
	}
	approval, yes, err := s.cfg.Answers.Answer(ctx, c)
	if err == nil && approval == "" {
		err = ErrNotFound
	}
	if errors.Is(err, ErrNotFound) {
		return "", false, &ConsentError{c.ID, NoConsent}
	}
	return approval, yes, err
}

// Consent returns ErrNotFound for an unknown one.
func (s *Consents) Consent(ctx context.Context, id string) (Consent, error) {
	return s.cfg.Store.Consent(ctx, id)
}

// Of lists the consents of a unit on both sides: those that it was asked for and
// those that it asked for.
func (s *Consents) Of(ctx context.Context, unit identity.USCC) ([]Consent, error) {
	return s.cfg.Store.ConsentsOf(ctx, unit)
}

func (s *Consents) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Consents) event(kind string, c Consent, at time.Time, actor ledger.Actor) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: at, Actor: actor,
		Object: ledger.Object{Kind: "citation_consent", ID: c.ID}, Outcome: ledger.Success, Payload: c.Digest,
		Details: map[string]string{"resource": c.Resource, "provider": string(c.Provider), "consumer": string(c.Consumer)},
	}
}
