package notify

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
)

const (
	firstPause = 5 * time.Second // before the second attempt; doubled for each further one
	longest    = time.Hour
	maxError   = 200 // characters
)

// attempt sends once and says what becomes of it.
func (s *Service) attempt(ctx context.Context, c *Channel, d Delivery) Result {
	err := s.send(ctx, *c, d)
	now := s.cfg.Now()
	r := Result{Delivery: d, At: now}
	if err == nil {
		c.Failures = 0
		return r
	}
	r.Error, r.Dead = shown(err), now.Add(-DeadAfter)
	tries := d.Attempts
	if refused := (*refusedError)(nil); !errors.As(err, &refused) || !refused.ours() {
		tries, r.Rests = c.Failures, true
		c.Failures++
	}
	r.Next = now.Add(pause(tries))
	s.cfg.Log.WarnContext(ctx, "a notice was not taken", "channel", c.ID, "notice", d.ID, "error", r.Error)
	return r
}

func (s *Service) send(ctx context.Context, c Channel, d Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if c.Kind == Syslog {
		m, err := s.message(d).encode()
		if err != nil {
			return err
		}
		return s.write(ctx, c, m)
	}
	body, err := s.body(d)
	if err != nil {
		return err
	}
	return s.post(ctx, c, d, body)
}

// pause doubles with each failure and is drawn from its upper half, so that
// channels that fell silent together do not come back together.
func pause(failures int) time.Duration {
	most := min(firstPause<<min(failures, 20), longest)
	return most/2 + rand.N(most/2)
}

// shown is an error for the page and the log: on one line and short. None of ours
// holds a secret or what a receiver answered.
func shown(err error) string {
	t := []rune(text.Plain(err.Error()))
	return string(t[:min(len(t), maxError)])
}
