package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
)

// Times of the queue.
const (
	pollEvery   = 2 * time.Second // how soon after its act a notice leaves
	dateEvery   = time.Hour       // rounds of reminders
	leaseTime   = time.Minute     // more than an attempt takes, renewed for each
	batch       = 32
	DeadAfter   = 3 * 24 * time.Hour  // that nobody took a notice
	keptFor     = 90 * 24 * time.Hour // a notice in the list of recent ones
	maxChannels = 50
)

// DocumentationNumber is the enterprise number for examples (RFC 5612): a house
// without one of its own uses it, and says so.
const DocumentationNumber = 32473

// Config of a Service. Fields without another word are required.
type Config struct {
	Store      Store
	Directory  Directory
	Calendar   Calendar // nil: no reminders
	Wrapper    Wrapper
	Words      *text.Catalogue
	Source     string   // of CloudEvents: address of the house
	Host       string   // HOSTNAME of syslog
	Networks   []string // address/length that are allowed besides public addresses
	Enterprise int      // private enterprise number (IANA); 0: DocumentationNumber
	Log        *slog.Logger
	Now        func() time.Time
	Rand       io.Reader
	NewID      func() string // UUIDv7
	Patience   time.Duration // for one attempt, from the name to the answer; 0: 10 seconds, at most half a minute
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	cfg   Config
	guard guard
	owner string // of leases: this process

	mu      sync.Mutex
	serving map[string]bool // guarded by mu: channels that a goroutine of ours visits
}

// New checks the configuration.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Directory == nil || c.Wrapper == nil || c.Words == nil || c.Source == "" || c.Log == nil || c.Now == nil || c.Rand == nil || c.NewID == nil {
		return nil, errors.New("notify: every field of the configuration but calendar, networks and enterprise number is required")
	}
	if !printable(c.Host, 255) || c.Enterprise < 0 || c.Patience < 0 || c.Patience > leaseTime/2 {
		return nil, fmt.Errorf("notify: host %q, enterprise number %d or patience %s", c.Host, c.Enterprise, c.Patience)
	}
	if c.Enterprise == 0 {
		c.Enterprise = DocumentationNumber
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	nets, err := Networks(c.Networks)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: c, guard: nets, owner: c.NewID(), serving: map[string]bool{}}, nil
}

// Run tells until ctx ends, and waits for what is under way.
func (s *Service) Run(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var reminded time.Time
	for {
		if now := s.cfg.Now(); now.Sub(reminded) >= dateEvery || now.Before(reminded) {
			reminded = now
			s.log(ctx, "reminders", s.Remind(ctx))
		}
		s.log(ctx, "notices are not sent", s.round(ctx, &under))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) log(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.ErrorContext(ctx, what, "error", err)
	}
}

// Round tells what is due, once, and waits for it.
func (s *Service) Round(ctx context.Context) error {
	var under sync.WaitGroup
	defer under.Wait()
	return s.round(ctx, &under)
}

// round gives each channel that waits a goroutine: one that is slow holds up no
// other.
func (s *Service) round(ctx context.Context, under *sync.WaitGroup) error {
	if err := s.spread(ctx); err != nil {
		return err
	}
	waiting, err := s.cfg.Store.Waiting(ctx, s.cfg.Now())
	if err != nil {
		return fmt.Errorf("notify: channels: %w", err)
	}
	for _, c := range waiting {
		if !s.begin(c.ID) {
			continue
		}
		under.Go(func() {
			defer s.end(c.ID)
			if err := s.serve(ctx, c); !errors.Is(err, ErrLeased) {
				s.log(ctx, "a channel is not served", err)
			}
		})
	}
	return nil
}

func (s *Service) begin(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.serving[channel]
	s.serving[channel] = true
	return !was
}

func (s *Service) end(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.serving, channel)
}

// spread chooses the channels of new notices.
func (s *Service) spread(ctx context.Context) error {
	fresh, err := s.cfg.Store.Unspread(ctx, batch)
	if err != nil || len(fresh) == 0 {
		return err
	}
	all, err := s.cfg.Store.Channels(ctx)
	if err != nil {
		return fmt.Errorf("notify: channels: %w", err)
	}
	for _, n := range fresh {
		if n, err = s.whose(ctx, n); err != nil {
			return err
		}
		var to []string
		for _, c := range all {
			if c.wants(n) {
				to = append(to, c.ID)
			}
		}
		if err := s.cfg.Store.SpreadNotice(ctx, n, to); err != nil {
			return fmt.Errorf("notify: spread %s: %w", n.ID, err)
		}
	}
	return nil
}

// whose fills in whose certificate a notice is about.
func (s *Service) whose(ctx context.Context, n Notice) (Notice, error) {
	issuer, serial, is := certificate(n.Object)
	if !is || n.Unit != "" && n.System != "" {
		return n, nil
	}
	unit, system, err := s.cfg.Directory.HolderOf(ctx, issuer, serial)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return n, fmt.Errorf("notify: holder of %s: %w", n.Object.ID, err)
	}
	n.Unit, n.System = unit, system
	return n, nil
}

// serve sends what is due on a channel, in order, until it is empty, rests, or
// belongs to somebody else.
func (s *Service) serve(ctx context.Context, c Channel) error {
	if err := s.lease(ctx, c); err != nil {
		return err
	}
	// The next sender need not wait for the end of the lease; whatever ended ctx.
	defer func() {
		s.log(ctx, "lease of a channel", s.cfg.Store.ReleaseChannel(context.WithoutCancel(ctx), c.ID, s.owner))
	}()
	for ctx.Err() == nil {
		due, err := s.cfg.Store.Due(ctx, c.ID, s.cfg.Now(), batch)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, d := range due {
			if err := s.lease(ctx, c); err != nil {
				return err
			}
			r := s.attempt(ctx, &c, d)
			if ctx.Err() != nil && r.Error != "" { // broken off by our own end: no fault of anybody
				return nil
			}
			if err := s.cfg.Store.SettleDelivery(context.WithoutCancel(ctx), s.owner, r); err != nil {
				return fmt.Errorf("notify: settle %s: %w", d.id(), err)
			}
			if r.Rests {
				return nil
			}
		}
	}
	return nil
}

func (s *Service) lease(ctx context.Context, c Channel) error {
	now := s.cfg.Now()
	return s.cfg.Store.LeaseChannel(ctx, c.ID, s.owner, now, now.Add(leaseTime))
}
