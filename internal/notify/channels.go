package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

const secretSize = 32

// boundTo is what a wrapped secret is bound to: a row whose address was changed in
// the database signs nothing.
func boundTo(c Channel) []byte {
	return fmt.Appendf(nil, "yinxin notify v1\n%s\n%d:%s\n", c.ID, len(c.Address), c.Address)
}

// Register takes a receiver up and returns the secret of a webhook, which is
// shown once and never again.
func (s *Service) Register(ctx context.Context, actor ledger.Actor, c Channel) (Channel, string, error) {
	if actor.ID == "" {
		return c, "", fmt.Errorf("%w: who registers", ErrInvalid)
	}
	if err := check(c); err != nil {
		return c, "", err
	}
	c.ID, c.State, c.MadeBy, c.MadeAt = s.cfg.NewID(), Active, actor.ID, s.now()
	secret := ""
	if c.Kind == Webhook {
		key := make([]byte, secretSize)
		defer clear(key)
		if _, err := io.ReadFull(s.cfg.Rand, key); err != nil {
			return c, "", fmt.Errorf("notify: draw secret: %w", err)
		}
		var err error
		if c.Secret, err = s.cfg.Wrapper.Wrap(ctx, key, boundTo(c)); err != nil {
			return c, "", fmt.Errorf("notify: wrap secret: %w", err)
		}
		secret = secretPrefix + base64.StdEncoding.EncodeToString(key)
	}
	kinds := make([]string, len(c.Kinds))
	for i, k := range c.Kinds {
		kinds[i] = string(k)
	}
	ev := s.event(actor, "notify.channel.registered", c.ID, map[string]string{
		"kind": string(c.Kind), "address": c.Address, "unit": c.Unit, "kinds": strings.Join(kinds, " "), "severity": c.Severity.String(),
	})
	if _, err := s.cfg.Store.AddChannel(ctx, c, maxChannels, ev); err != nil {
		return c, "", fmt.Errorf("notify: register: %w", err)
	}
	return c, secret, nil
}

// moves are the acts on a channel.
var moves = map[State]struct {
	from  []State
	event string
}{
	Paused:  {[]State{Active}, "notify.channel.paused"},
	Active:  {[]State{Paused}, "notify.channel.resumed"},
	Removed: {[]State{Active, Paused}, "notify.channel.removed"},
}

// Move pauses, resumes or removes a channel.
func (s *Service) Move(ctx context.Context, actor ledger.Actor, id string, to State) error {
	m, known := moves[to]
	if !known || actor.ID == "" {
		return ErrInvalid
	}
	err := fmt.Errorf("%w: %q", ErrState, to)
	for _, from := range m.from {
		if _, err = s.cfg.Store.MoveChannel(ctx, id, from, to, s.event(actor, m.event, id, nil)); !errors.Is(err, ErrState) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("notify: channel: %w", err)
	}
	return nil
}

// Test queues a notice for one channel.
func (s *Service) Test(ctx context.Context, actor ledger.Actor, id string) error {
	c, err := s.cfg.Store.Channel(ctx, id)
	if err != nil {
		return fmt.Errorf("notify: test: %w", err)
	}
	if c.State != Active || actor.ID == "" {
		return fmt.Errorf("%w: channel %q is %s", ErrState, id, c.State)
	}
	ev := s.event(actor, "notify.channel.tested", id, nil)
	n := Notice{ID: ev.ID, Kind: ChannelTest, Severity: Info, Unit: c.Unit, Object: ev.Object, At: ev.Time}
	if _, err := s.cfg.Store.PutTest(ctx, n, id, ev); err != nil {
		return fmt.Errorf("notify: test: %w", err)
	}
	return nil
}

// Retry sends a dead letter again.
func (s *Service) Retry(ctx context.Context, actor ledger.Actor, channel, notice string) error {
	if actor.ID == "" {
		return ErrInvalid
	}
	ev := s.event(actor, "notify.letter.retried", channel, map[string]string{"notice": notice})
	if _, err := s.cfg.Store.Retry(ctx, channel, notice, s.now(), ev); err != nil {
		return fmt.Errorf("notify: retry: %w", err)
	}
	return nil
}

// Standing is a channel with its queue.
type Standing struct {
	Channel
	Count
	Letters []Letter // newest first, at most LetterLimit
}

// Limits of lists for a page.
const (
	LetterLimit = 20
	RecentLimit = 50
)

// Board are all channels, for those who administer them. No secret is in it.
func (s *Service) Board(ctx context.Context) ([]Standing, error) {
	all, err := s.cfg.Store.Channels(ctx)
	if err != nil {
		return nil, fmt.Errorf("notify: channels: %w", err)
	}
	counts, err := s.cfg.Store.Counts(ctx)
	if err != nil {
		return nil, fmt.Errorf("notify: queue: %w", err)
	}
	out := make([]Standing, len(all))
	for i, c := range all {
		c.Secret = nil
		out[i] = Standing{Channel: c, Count: counts[c.ID]}
		if out[i].Dead == 0 {
			continue
		}
		if out[i].Letters, err = s.cfg.Store.Letters(ctx, c.ID, LetterLimit); err != nil {
			return nil, fmt.Errorf("notify: dead letters: %w", err)
		}
	}
	return out, nil
}

// Recent are the newest notices of a unit, or of all.
func (s *Service) Recent(ctx context.Context, unit string) ([]Notice, error) {
	return s.cfg.Store.Recent(ctx, unit, RecentLimit)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) event(actor ledger.Actor, kind, channel string, details map[string]string) ledger.Event {
	for k, v := range details {
		if v == "" {
			delete(details, k)
		}
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: kind, Class: ledger.ClassAdmin, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "notify_channel", ID: channel}, Outcome: ledger.Success, Details: details,
	}
}
