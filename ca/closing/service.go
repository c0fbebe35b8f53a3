package closing

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Config of a Service. Fields without another word are required.
type Config struct {
	Store    Store
	Approver Approver
	Posts    Posts
	House    string   // the unit that runs the house: its officers act
	Notifier Notifier // nil: notices wait until their holder comes
	Now      func() time.Time
	NewID    func() string // UUIDv7
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu     sync.Mutex
	acts   []Act     // guarded by mu
	looked time.Time // guarded by mu: when acts were read
}

// lookAgain is how long what was read counts without asking again. The store
// refuses by itself what would outlive an announcement of another node.
const lookAgain = time.Second

// New refuses an incomplete Config.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.House == "" || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("closing: needs store, approver, posts, house, clock and ids")
	}
	return &Service{cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// Standing is the state of the service now.
func (s *Service) Standing(ctx context.Context) (Standing, error) {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.looked); s.looked.IsZero() || age < 0 || age >= lookAgain {
		acts, err := s.cfg.Store.Acts(ctx)
		if err != nil {
			return Standing{}, wrapped("read state", err)
		}
		s.acts, s.looked = acts, now
	}
	return standing(s.acts, now), nil
}

// fresh is Standing without what is remembered, for acts.
func (s *Service) fresh(ctx context.Context) (Standing, error) {
	s.forget()
	return s.Standing(ctx)
}

func (s *Service) forget() {
	s.mu.Lock()
	s.looked = time.Time{}
	s.mu.Unlock()
}

// Horizon implements ca.Horizon.
func (s *Service) Horizon(ctx context.Context) (time.Time, error) {
	st, err := s.Standing(ctx)
	return st.Act.At, err
}

// Acts is everything that was ever asked for.
func (s *Service) Acts(ctx context.Context) ([]Act, error) { return s.cfg.Store.Acts(ctx) }

// Act is one of them.
func (s *Service) Act(ctx context.Context, id string) (Act, error) { return s.cfg.Store.Act(ctx, id) }

func (s *Service) event(kind string, actor ledger.Actor, a Act) ledger.Event {
	d := map[string]string{"kind": string(a.Kind), "reason": a.Reason}
	for k, v := range map[string]string{"mode": string(a.Mode), "successor": a.Successor, "of": a.Of, "taker": a.Taker, "protocol_sm3": a.Protocol, "approval": a.Approval} {
		if v != "" {
			d[k] = v
		}
	}
	if !a.At.IsZero() {
		d["at"] = a.At.UTC().Format(time.RFC3339)
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.closing." + kind, Class: ledger.ClassCertificate, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "ca_closing", ID: a.ID}, Outcome: ledger.Success, Payload: a.Digest(), Details: d,
	}
}

func (s *Service) noticeEvent(kind, announcement string, actor ledger.Actor, count int) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.closing." + kind, Class: ledger.ClassCertificate, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "ca_closing", ID: announcement}, Outcome: ledger.Success, Details: map[string]string{"notices": strconv.Itoa(count)},
	}
}
