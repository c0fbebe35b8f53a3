package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Directory is what this room asks about agencies and systems.
type Directory interface {
	Agency(ctx context.Context, id identity.USCC) (identity.Agency, error)
	System(ctx context.Context, id string) (identity.System, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Catalogue Catalogue
	Directory Directory
	// Trust says whether a seal is the party's own and was good at s.At: the
	// seal of that number is registered for that party with that certificate,
	// active, its chain and period hold.
	Trust func(s PartySeal) error
	Now   func() time.Time
	NewID func() string // UUIDv7
}

// Service is the catalogue's front: it checks records against the rules and
// the register, and builds the event that the store commits with the row.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Catalogue == nil || c.Directory == nil || c.Trust == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("sharing: Config lacks Catalogue, Directory, Trust, Now or NewID")
	}
	return &Service{c}, nil
}

// RegisterResource adds an entry to the catalogue.
func (s *Service) RegisterResource(ctx context.Context, r Resource, actor ledger.Actor) (Resource, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if err := r.Validate(); err != nil {
		return Resource{}, none, err
	}
	if _, err := s.cfg.Directory.Agency(ctx, r.Provider); err != nil {
		return Resource{}, none, fmt.Errorf("provider %s: %w", r.Provider, err)
	}
	ev, err := s.event("sharing.resource.registered", "resource", r.ID, actor)
	if err != nil {
		return Resource{}, none, err
	}
	r.UpdatedAt = ev.Time
	ev.After = r.Label.String()
	ev.Details = map[string]string{"provider": string(r.Provider), "share_type": string(r.ShareType), "regime": string(r.Regime), "secrecy_review": r.SecrecyReview}
	rc, err := s.cfg.Catalogue.AddResource(ctx, r, ev)
	return r, rc, err
}

// RegisterAgreement adds an agreement that its three parties sealed
// (西政办发〔2014〕14号 art. 26). Draft and AddSeal make one.
func (s *Service) RegisterAgreement(ctx context.Context, a Agreement, actor ledger.Actor) (Agreement, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if err := VerifySeals(a); err != nil {
		return Agreement{}, none, err
	}
	now := s.cfg.Now().UTC()
	if !a.Terminated.IsZero() || !now.Before(a.NotAfter) {
		return Agreement{}, none, fmt.Errorf("%w: over before it is registered", ErrInvalid)
	}
	r, err := s.cfg.Catalogue.Resource(ctx, a.Resource)
	if err != nil {
		return Agreement{}, none, fmt.Errorf("resource %.80q: %w", a.Resource, err)
	}
	if err := a.fits(r); err != nil {
		return Agreement{}, none, err
	}
	for _, p := range append(a.parties(), a.Onward...) {
		if _, err := s.cfg.Directory.Agency(ctx, p); err != nil {
			return Agreement{}, none, fmt.Errorf("party %s: %w", p, err)
		}
	}
	for _, seal := range a.Seals {
		if seal.At.After(now.Add(maxSkew)) {
			return Agreement{}, none, fmt.Errorf("%w: a seal of %s from the future", ErrUnsealed, seal.Party)
		}
		if err := s.cfg.Trust(seal); err != nil {
			return Agreement{}, none, fmt.Errorf("%w: seal of %s: %w", ErrUnsealed, seal.Party, err)
		}
	}
	ev, err := s.event("sharing.agreement.registered", "agreement", a.ID, actor)
	if err != nil {
		return Agreement{}, none, err
	}
	ev.Agreement, ev.Payload = a.ID, a.Digest
	ev.Details = map[string]string{"resource": a.Resource, "provider": string(a.Provider), "consumer": string(a.Consumer), "office": string(a.Office)}
	rc, err := s.cfg.Catalogue.AddAgreement(ctx, a, ev)
	return a, rc, err
}

// maxSkew is how far a seal's own clock may be ahead of ours.
const maxSkew = 5 * time.Minute

// TerminateAgreement ends an agreement now; only a party may, and a reason is
// required. Ending twice is ErrNotInForce.
func (s *Service) TerminateAgreement(ctx context.Context, id, reason string, actor ledger.Actor) (ledger.Receipt, error) {
	a, err := s.cfg.Catalogue.Agreement(ctx, id)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("agreement %.80q: %w", id, err)
	}
	party := false
	for _, p := range a.parties() {
		party = party || string(p) == actor.Unit
	}
	if !party || reason == "" || !plain(reason) {
		return ledger.Receipt{}, fmt.Errorf("%w: a party ends an agreement, and says why", ErrInvalid)
	}
	ev, err := s.event("sharing.agreement.terminated", "agreement", id, actor)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if !a.Terminated.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: already terminated", ErrNotInForce)
	}
	ev.Agreement = id
	ev.Details = map[string]string{"reason": reason}
	return s.cfg.Catalogue.TerminateAgreement(ctx, id, ev.Time, ev)
}

// RegisterHolding records a copy. Its label must dominate the join of the
// resource it came from and of every source (西政办发〔2011〕8号 art. 30); the
// store checks the same inside its transaction. It does not ask whether the
// agreement still binds: a copy that exists must stand on the register.
func (s *Service) RegisterHolding(ctx context.Context, h Holding, actor ledger.Actor) (Holding, ledger.Receipt, error) {
	none := ledger.Receipt{}
	ev, err := s.event("sharing.holding.registered", "holding", h.ID, actor)
	if err != nil {
		return Holding{}, none, err
	}
	if h.At.IsZero() {
		h.At = ev.Time
	}
	if err := h.validate(); err != nil {
		return Holding{}, none, err
	}
	sys, err := s.cfg.Directory.System(ctx, h.System)
	if err != nil {
		return Holding{}, none, fmt.Errorf("system %.80q: %w", h.System, err)
	}
	if sys.Agency != h.Agency {
		return Holding{}, none, fmt.Errorf("%w: %s is not a system of %s", ErrInvalid, h.System, h.Agency)
	}
	least, err := s.sources(ctx, h)
	if err != nil {
		return Holding{}, none, err
	}
	if !h.Label.Dominates(least) {
		return Holding{}, none, fmt.Errorf("%w: %s < %s", ErrLowered, h.Label, least)
	}
	if h.Agreement != "" {
		a, err := s.cfg.Catalogue.Agreement(ctx, h.Agreement)
		if err != nil {
			return Holding{}, none, fmt.Errorf("agreement %.80q: %w", h.Agreement, err)
		}
		if a.Resource != h.Resource {
			return Holding{}, none, fmt.Errorf("%w: agreement %s is about another resource", ErrInvalid, a.ID)
		}
	}
	ev.Class, ev.Target, ev.Agreement, ev.Payload = ledger.ClassAccess, h.System, h.Agreement, h.Payload
	ev.Before, ev.After = least.String(), h.Label.String()
	ev.Details = map[string]string{"resource": h.Resource}
	rc, err := s.cfg.Catalogue.AddHolding(ctx, h, ev)
	return h, rc, err
}

// sources is the join of everything that went into h.
func (s *Service) sources(ctx context.Context, h Holding) (level.Label, error) {
	r, err := s.cfg.Catalogue.Resource(ctx, h.Resource)
	if err != nil {
		return level.Label{}, fmt.Errorf("resource %.80q: %w", h.Resource, err)
	}
	labels := []level.Label{r.Label}
	for _, id := range h.Sources {
		src, err := s.cfg.Catalogue.Holding(ctx, id)
		if err != nil {
			return level.Label{}, fmt.Errorf("source %.80q: %w", id, err)
		}
		labels = append(labels, src.Label)
	}
	return level.Join(labels...), nil
}

func (s *Service) event(typ, kind, id string, actor ledger.Actor) (ledger.Event, error) {
	if actor.Kind == "" || actor.ID == "" {
		return ledger.Event{}, fmt.Errorf("%w: an act needs an actor", ErrInvalid)
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAdmin,
		Time:  s.cfg.Now().UTC().Truncate(time.Millisecond),
		Actor: actor, Object: ledger.Object{Kind: kind, ID: id}, Outcome: ledger.Success,
	}, nil
}
