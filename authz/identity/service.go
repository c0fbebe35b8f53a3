package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Config of a Service. Every field is required.
type Config struct {
	Register Register
	Now      func() time.Time
	NewID    func() string // UUIDv7; ids of events, persons and posts
}

// Service is the register's front: it checks a record against the rules and
// against what is registered already, and builds the event that the store
// commits with the row.
type Service struct {
	cfg Config
	// posts makes "look at the posts, then add one" one step: two assignments
	// at once must not both pass the check of incompatible roles.
	posts sync.Mutex
}

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Register == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("identity: Config lacks Register, Now or NewID")
	}
	return &Service{cfg: c}, nil
}

// RegisterAgency adds an agency; its parent must be registered before it.
func (s *Service) RegisterAgency(ctx context.Context, a Agency, actor ledger.Actor) (Agency, ledger.Receipt, error) {
	if err := a.Validate(); err != nil {
		return Agency{}, ledger.Receipt{}, err
	}
	if a.Parent != "" {
		if _, err := s.cfg.Register.Agency(ctx, a.Parent); err != nil {
			return Agency{}, ledger.Receipt{}, fmt.Errorf("parent %s: %w", a.Parent, err)
		}
	}
	ev, err := s.event("identity.agency.registered", "agency", string(a.USCC), actor)
	if err != nil {
		return Agency{}, ledger.Receipt{}, err
	}
	a.CreatedAt = ev.Time
	ev.Details = map[string]string{"kind": string(a.Kind), "district": a.District}
	rc, err := s.cfg.Register.AddAgency(ctx, a, ev)
	return a, rc, err
}

// RegisterPerson adds a member of a registered agency. An empty ID is made
// here. Key and certificate come later, by SetPersonKey.
func (s *Service) RegisterPerson(ctx context.Context, p Person, actor ledger.Actor) (Person, ledger.Receipt, error) {
	if p.ID == "" {
		p.ID = s.cfg.NewID()
	}
	if err := p.Validate(); err != nil {
		return Person{}, ledger.Receipt{}, err
	}
	if _, err := s.cfg.Register.Agency(ctx, p.Agency); err != nil {
		return Person{}, ledger.Receipt{}, fmt.Errorf("agency %s: %w", p.Agency, err)
	}
	// No name in the event: the ledger holds no personal information.
	ev, err := s.event("identity.person.registered", "person", p.ID, actor)
	if err != nil {
		return Person{}, ledger.Receipt{}, err
	}
	p.CreatedAt = ev.Time
	ev.Details = map[string]string{"agency": string(p.Agency)}
	rc, err := s.cfg.Register.AddPerson(ctx, p, ev)
	return p, rc, err
}

// AssignPost gives a person a role in a unit for a term. It returns
// ErrIncompatible when an overlapping term of the same person, in any unit,
// holds a role that may not be joined with it.
func (s *Service) AssignPost(ctx context.Context, p Post, actor ledger.Actor) (Post, ledger.Receipt, error) {
	if p.ID == "" {
		p.ID = s.cfg.NewID()
	}
	if err := p.Validate(); err != nil {
		return Post{}, ledger.Receipt{}, err
	}
	person, err := s.cfg.Register.Person(ctx, p.Person)
	if err != nil {
		return Post{}, ledger.Receipt{}, fmt.Errorf("person %s: %w", p.Person, err)
	}
	if !person.LeftAt.IsZero() {
		return Post{}, ledger.Receipt{}, ErrLeft
	}
	if _, err := s.cfg.Register.Agency(ctx, p.Agency); err != nil {
		return Post{}, ledger.Receipt{}, fmt.Errorf("agency %s: %w", p.Agency, err)
	}
	s.posts.Lock()
	defer s.posts.Unlock()
	held, err := s.cfg.Register.PostsOf(ctx, p.Person)
	if err != nil {
		return Post{}, ledger.Receipt{}, fmt.Errorf("posts of %s: %w", p.Person, err)
	}
	for _, h := range held {
		if Incompatible(h.Role, p.Role) && h.overlaps(p) {
			return Post{}, ledger.Receipt{}, fmt.Errorf("%w: %s and %s", ErrIncompatible, h.Role, p.Role)
		}
	}
	ev, err := s.event("identity.post.assigned", "post", p.ID, actor)
	if err != nil {
		return Post{}, ledger.Receipt{}, err
	}
	ev.Details = map[string]string{"person": p.Person, "agency": string(p.Agency), "role": string(p.Role), "from": p.From.UTC().Format(time.RFC3339)}
	if !p.Until.IsZero() {
		ev.Details["until"] = p.Until.UTC().Format(time.RFC3339)
	}
	rc, err := s.cfg.Register.AddPost(ctx, p, ev)
	return p, rc, err
}

// RegisterSystem adds an information system of a registered agency.
func (s *Service) RegisterSystem(ctx context.Context, sys System, actor ledger.Actor) (System, ledger.Receipt, error) {
	if err := sys.Validate(); err != nil {
		return System{}, ledger.Receipt{}, err
	}
	if _, err := s.cfg.Register.Agency(ctx, sys.Agency); err != nil {
		return System{}, ledger.Receipt{}, fmt.Errorf("agency %s: %w", sys.Agency, err)
	}
	ev, err := s.event("identity.system.registered", "system", sys.ID, actor)
	if err != nil {
		return System{}, ledger.Receipt{}, err
	}
	sys.CreatedAt = ev.Time
	ev.Details = map[string]string{"agency": string(sys.Agency)}
	rc, err := s.cfg.Register.AddSystem(ctx, sys, ev)
	return sys, rc, err
}

// SetPersonKey records which key in custody and which certificate are a
// person's own.
func (s *Service) SetPersonKey(ctx context.Context, person, keyID string, certDER []byte, actor ledger.Actor) (ledger.Receipt, error) {
	if keyID == "" || len(certDER) == 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: key without id or certificate", ErrInvalid)
	}
	ev, err := s.event("identity.person.key_set", "person", person, actor)
	if err != nil {
		return ledger.Receipt{}, err
	}
	ev.Details = map[string]string{"key": keyID}
	return s.cfg.Register.SetPersonKey(ctx, person, keyID, certDER, ev)
}

// HoldsPost reports whether person held role in unit at that time.
func (s *Service) HoldsPost(ctx context.Context, person string, unit USCC, role Role, at time.Time) (bool, error) {
	return HoldsPost(ctx, s.cfg.Register, person, unit, role, at)
}

// PostReader is what HoldsPost reads.
type PostReader interface {
	Person(ctx context.Context, id string) (Person, error)
	PostsOf(ctx context.Context, person string) ([]Post, error)
}

// HoldsPost reports whether person held role in unit at that time. A leaver
// holds nothing from the moment of leaving, whatever his terms say; an unknown
// person holds nothing.
func HoldsPost(ctx context.Context, r PostReader, person string, unit USCC, role Role, at time.Time) (bool, error) {
	p, err := r.Person(ctx, person)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("person %s: %w", person, err)
	}
	if !p.LeftAt.IsZero() && !at.Before(p.LeftAt) {
		return false, nil
	}
	posts, err := r.PostsOf(ctx, person)
	if err != nil {
		return false, fmt.Errorf("posts of %s: %w", person, err)
	}
	for _, post := range posts {
		if post.Person == person && post.Agency == unit && post.Role == role && post.HeldAt(at) {
			return true, nil
		}
	}
	return false, nil
}

// Directory finds who ever held a post.
type Directory interface {
	PostReader
	Holders(ctx context.Context, unit USCC, role Role) ([]Person, error)
}

// Filled reports whether anybody held role in unit at that time.
func Filled(ctx context.Context, d Directory, unit USCC, role Role, at time.Time) (bool, error) {
	all, err := d.Holders(ctx, unit, role)
	if err != nil {
		return false, fmt.Errorf("holders of %s in %s: %w", role, unit, err)
	}
	for _, p := range all {
		if holds, err := HoldsPost(ctx, d, p.ID, unit, role, at); holds || err != nil {
			return holds, err
		}
	}
	return false, nil
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
