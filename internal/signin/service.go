package signin

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Times of the room.
const (
	SessionTime = 8 * time.Hour
	LinkTime    = 24 * time.Hour // of a link whose maker names no time
	MaxLinkTime = 7 * 24 * time.Hour
)

// PersonKey is a person's own key, open for one act; close it after.
type PersonKey interface {
	crypto.Signer
	io.Closer
}

// Keyring makes and opens the keys of persons. The PIN takes part in the
// encryption of the key: there is nothing else to compare it with.
type Keyring interface {
	// CheckPIN returns ErrWeakPIN for a PIN that may not be set.
	CheckPIN(pin string) error
	// CreateKey makes the person's key under a PIN.
	CreateKey(ctx context.Context, person, pin string) error
	// OpenKey returns ErrPIN for a wrong PIN and for a person without a key.
	OpenKey(ctx context.Context, person, pin string) (PersonKey, error)
	// ChangeKey puts the person's key under another PIN, whole or not at all; ErrPIN
	// for a wrong old one, ErrWeakPIN for a new one that may not be set.
	ChangeKey(ctx context.Context, person, old, pin string) error
}

// People tells who a person is.
type People interface {
	Person(ctx context.Context, id string) (identity.Person, error)
}

// Recorder writes to the ledger what changes no row: a lock.
type Recorder interface {
	Record(ctx context.Context, ev ledger.Event) (ledger.Receipt, error)
}

// Config of a Service. Every field is required.
type Config struct {
	Store    Store
	People   People
	Keyring  Keyring
	Recorder Recorder
	Now      func() time.Time
	Rand     io.Reader     // crypto/rand.Reader, but for tests
	NewID    func() string // UUIDv7
}

// Service is the door of the console. It is safe for concurrent use.
type Service struct {
	cfg     Config
	persons throttle // by person id; ids of nobody are never counted
	links   throttle // by link hash
}

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.People == nil || c.Keyring == nil || c.Recorder == nil || c.Now == nil || c.Rand == nil || c.NewID == nil {
		return nil, errors.New("signin: Config lacks Store, People, Keyring, Recorder, Now, Rand or NewID")
	}
	return &Service{cfg: c, persons: throttle{now: c.Now}, links: throttle{now: c.Now, max: maxLinks}}, nil
}

// NewLink makes a one-time link for a person and returns its secret, the only
// time it is seen. A zero life is LinkTime.
func (s *Service) NewLink(ctx context.Context, person, purpose string, life time.Duration, actor ledger.Actor) (string, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if life == 0 {
		life = LinkTime
	}
	if purpose != PurposeActivate && purpose != PurposeConsole || life < 0 || life > MaxLinkTime || actor.Kind == "" || actor.ID == "" {
		return "", none, fmt.Errorf("%w: purpose, life or actor of a link", ErrInvalid)
	}
	if _, err := s.present(ctx, person); err != nil {
		return "", none, err
	}
	secret, hash, err := newSecret(s.cfg.Rand)
	if err != nil {
		return "", none, err
	}
	ev := s.event("signin.link.created", "link", hash, actor)
	ev.Details = map[string]string{"person": person, "purpose": purpose}
	rc, err := s.cfg.Store.AddLink(ctx, Link{Hash: hash, Person: person, Purpose: purpose, Expires: s.cfg.Now().UTC().Add(life)}, ev)
	if err != nil {
		return "", none, err
	}
	return secret, rc, nil
}

// Activate spends an activation link and makes the person's key under the PIN
// they chose. A PIN that breaks the rules leaves the link unspent. Two at once:
// one wins, the other gets ErrLink.
func (s *Service) Activate(ctx context.Context, secret, pin string) (identity.Person, error) {
	if err := s.cfg.Keyring.CheckPIN(pin); err != nil {
		return identity.Person{}, err
	}
	p, err := s.spend(ctx, secret, PurposeActivate)
	if err != nil {
		return identity.Person{}, err
	}
	if err := s.cfg.Keyring.CreateKey(ctx, p.ID, pin); err != nil {
		return identity.Person{}, fmt.Errorf("%w: %w", ErrActivation, err)
	}
	s.persons.good(p.ID)
	return p, nil
}

// LoginLink spends a console link and starts a session.
func (s *Service) LoginLink(ctx context.Context, secret string) (cookie string, _ Session, err error) {
	p, err := s.spend(ctx, secret, PurposeConsole)
	if err != nil {
		return "", Session{}, err
	}
	return s.start(ctx, p, "link")
}

// Login starts a session for a person who opens his own key with his PIN.
func (s *Service) Login(ctx context.Context, person, pin string) (cookie string, _ Session, err error) {
	key, p, err := s.Open(ctx, person, pin)
	if err != nil {
		return "", Session{}, err
	}
	if err := key.Close(); err != nil {
		return "", Session{}, fmt.Errorf("closing the key: %w", err)
	}
	return s.start(ctx, p, "pin")
}

// Unlock opens the key of the person of a live session, with the PIN, for one
// act (design law 5: the person, at that moment). The caller closes the key.
func (s *Service) Unlock(ctx context.Context, cookie, pin string) (PersonKey, identity.Person, error) {
	_, p, err := s.Session(ctx, cookie)
	if err != nil {
		return nil, identity.Person{}, err
	}
	return s.Open(ctx, p.ID, pin)
}

// Open opens a person's key with the PIN, for one act, where another way than
// a session told who asks (a person's certificate over mTLS). Nobody, a leaver
// and a wrong PIN are one answer, ErrPIN; every way to a key goes through here,
// because here the tries are counted. The caller closes the key.
func (s *Service) Open(ctx context.Context, person, pin string) (PersonKey, identity.Person, error) {
	p, err := s.present(ctx, person)
	if errors.Is(err, ErrInvalid) {
		return nil, identity.Person{}, ErrPIN
	}
	if err != nil {
		return nil, identity.Person{}, err
	}
	try, err := s.persons.begin(p.ID)
	if err != nil {
		return nil, identity.Person{}, err
	}
	key, err := s.cfg.Keyring.OpenKey(ctx, p.ID, pin)
	switch {
	case err == nil:
		s.persons.good(p.ID)
		return key, p, nil
	case errors.Is(err, ErrPIN):
		return nil, identity.Person{}, s.wrong(ctx, p, try)
	case ctx.Err() == nil:
		s.persons.undo(p.ID) // a fault of ours; hanging up does not win a try back
	}
	return nil, identity.Person{}, fmt.Errorf("opening the key of %s: %w", p.ID, err)
}

// wrong answers a wrong PIN, and writes it down when it was the last try.
func (s *Service) wrong(ctx context.Context, p identity.Person, try int) error {
	if try < maxTries {
		return ErrPIN
	}
	ev := s.event("signin.person.locked", "person", p.ID, personActor(p))
	ev.Outcome = ledger.Failure
	if _, err := s.cfg.Recorder.Record(ctx, ev); err != nil {
		return errors.Join(ErrPIN, fmt.Errorf("recording the lock: %w", err))
	}
	return ErrPIN
}

// Purpose tells what a link is for without using it, so that the door knows
// whether to ask for a PIN; ErrLink as when it is spent.
func (s *Service) Purpose(ctx context.Context, secret string) (string, error) {
	if !wellFormed(secret) {
		return "", ErrLink
	}
	hash := hashOf(secret)
	l, err := s.cfg.Store.LinkByHash(ctx, hash, s.cfg.Now().UTC())
	if err != nil {
		return "", err
	}
	if !same(l.Hash, hash) {
		return "", ErrLink
	}
	return l.Purpose, nil
}

// spend uses a link of that purpose exactly once and returns its person.
func (s *Service) spend(ctx context.Context, secret, purpose string) (identity.Person, error) {
	if !wellFormed(secret) {
		return identity.Person{}, ErrLink
	}
	hash := hashOf(secret)
	if _, err := s.links.begin(hash); err != nil {
		return identity.Person{}, err
	}
	now := s.cfg.Now().UTC()
	l, err := s.cfg.Store.LinkByHash(ctx, hash, now)
	if err != nil {
		return identity.Person{}, err
	}
	if !same(l.Hash, hash) || l.Purpose != purpose || !now.Before(l.Expires) || !l.Used.IsZero() {
		return identity.Person{}, ErrLink
	}
	p, err := s.present(ctx, l.Person)
	if errors.Is(err, ErrInvalid) {
		return identity.Person{}, ErrLink
	}
	if err != nil {
		return identity.Person{}, err
	}
	ev := s.event("signin.link.used", "link", hash, personActor(p))
	ev.Details = map[string]string{"purpose": purpose}
	if _, _, err := s.cfg.Store.UseLink(ctx, hash, now, ev); err != nil {
		return identity.Person{}, err
	}
	s.links.good(hash)
	return p, nil
}

// present returns a person who is registered and has not left, else ErrInvalid.
func (s *Service) present(ctx context.Context, person string) (identity.Person, error) {
	p, err := s.cfg.People.Person(ctx, person)
	if errors.Is(err, identity.ErrNotFound) {
		return identity.Person{}, fmt.Errorf("%w: no such person", ErrInvalid)
	}
	if err != nil {
		return identity.Person{}, fmt.Errorf("person: %w", err)
	}
	if !p.LeftAt.IsZero() && !s.cfg.Now().Before(p.LeftAt) {
		return identity.Person{}, fmt.Errorf("%w: the person has left", ErrInvalid)
	}
	return p, nil
}

func personActor(p identity.Person) ledger.Actor {
	return ledger.Actor{Kind: "person", ID: p.ID, Unit: string(p.Agency)}
}

func (s *Service) event(typ, kind, id string, actor ledger.Actor) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAccess, Time: s.cfg.Now().UTC().Truncate(time.Millisecond),
		Actor: actor, Object: ledger.Object{Kind: kind, ID: id}, Outcome: ledger.Success,
	}
}
