// Package sidecar is what runs beside an agency's system all the time: it renews
// both tracks before they end, tells the program that serves with the files to
// read them again, and offers a local socket for decisions.
//
// A renewal is never earlier than two thirds of the life less a twentieth, and
// comes at once after a time when nothing ran. A failed one is tried again until
// the certificate ends; then only a new enrolment helps, and it says so. The
// socket forwards and decides nothing: what the house does not answer is an
// error, never a permit (西政办发〔2014〕14号 art. 29).
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// ErrConfig: New lacks a dependency.
var ErrConfig = errors.New("sidecar: incomplete configuration")

// tick is the longest sleep: a clock that was set, a machine that slept and a
// set that another process put in force are seen by then.
const tick = time.Minute

// System is the enrolled folder (agent.Keeper).
type System interface {
	// Refresh names the set in force.
	Refresh() (set string, err error)
	// Held lists both tracks of it.
	Held() []agent.Held
	// Renew puts the follower of a track in force.
	Renew(ctx context.Context, track agent.Track) error
}

// Config holds what the sidecar needs.
type Config struct {
	System System                      // required
	Reload func(context.Context) error // makes the served program read its files; nil: there is none
	Status File                        // where the state is kept; required
	Log    *slog.Logger                // required
	Draw   func() float64              // randomness in [0, 1); required
	Now    func() time.Time            // nil: time.Now
	Notify Notifier                    // zero: no service manager
	// Closing asks the house whether its service ends; nil: it is not asked.
	Closing func(context.Context) (wire.Closing, error)
}

// Sidecar keeps one system's certificates fresh. Not for concurrent use.
type Sidecar struct {
	cfg     Config
	plans   map[agent.Track]plan
	closing closing
	reload  reloading
}

// New reads the state of an earlier run, if there is one.
func New(cfg Config) (*Sidecar, error) {
	if cfg.System == nil || cfg.Status == "" || cfg.Log == nil || cfg.Draw == nil {
		return nil, ErrConfig
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Sidecar{cfg: cfg, plans: map[agent.Track]plan{}}
	before, err := cfg.Status.Read()
	if err != nil {
		// It is written anew; what it held is only a plan.
		cfg.Log.Warn("the state of the run before is not readable", "error", err)
	}
	s.resume(before)
	return s, nil
}

// Run works until ctx ends.
func (s *Sidecar) Run(ctx context.Context) error {
	if err := s.cfg.Notify.Ready(); err != nil {
		s.cfg.Log.WarnContext(ctx, "the service manager was not told", "error", err)
	}
	for {
		next, err := s.Step(ctx)
		if err != nil {
			s.cfg.Log.ErrorContext(ctx, "the folder of the system", "error", err)
		}
		if err := s.cfg.Notify.Alive(); err != nil {
			s.cfg.Log.WarnContext(ctx, "the service manager was not told", "error", err)
		}
		select {
		case <-ctx.Done():
			return s.cfg.Notify.Stopping()
		case <-time.After(min(max(next.Sub(s.cfg.Now()), time.Second), tick, s.cfg.Notify.every())):
		}
	}
}

// Step does everything that is due and returns when the next thing is. The
// error is of the folder, which every step tries anew; a refused renewal or a
// failed reload is in the status.
func (s *Sidecar) Step(ctx context.Context) (next time.Time, err error) { return s.step(ctx, false) }

// Force renews both tracks now, and does what else is due.
func (s *Sidecar) Force(ctx context.Context) error {
	_, err := s.step(ctx, true)
	return err
}

func (s *Sidecar) step(ctx context.Context, force bool) (next time.Time, err error) {
	next = s.cfg.Now().Add(tick)
	if _, err := s.cfg.System.Refresh(); err != nil {
		return next, err
	}
	for _, h := range s.cfg.System.Held() {
		now := s.cfg.Now()
		p := planned(s.plans[h.Track], h, now, s.cfg.Draw)
		if force || !now.Before(p.next) {
			p = s.renew(ctx, h, p)
		}
		s.plans[h.Track] = p
	}
	s.heed(ctx)
	set, err := s.cfg.System.Refresh()
	if err != nil {
		return next, err
	}
	s.tell(ctx, set)
	for _, h := range s.cfg.System.Held() {
		p := planned(s.plans[h.Track], h, s.cfg.Now(), s.cfg.Draw)
		s.plans[h.Track] = p
		if next.After(p.next) {
			next = p.next
		}
	}
	if s.reload.due() && next.After(s.reload.next) {
		next = s.reload.next
	}
	return next, s.cfg.Status.write(s.state(set))
}

func (s *Sidecar) renew(ctx context.Context, h agent.Held, p plan) plan {
	log := s.cfg.Log.With("track", h.Track, "serial", h.Serial, "until", h.NotAfter.UTC().Format(time.RFC3339))
	if err := s.cfg.System.Renew(ctx, h.Track); err != nil {
		p = p.fail(err, h, s.cfg.Now(), s.cfg.Draw())
		log.ErrorContext(ctx, "not renewed", "error", err, "again", p.next.UTC().Format(time.RFC3339))
		return p
	}
	log.InfoContext(ctx, "renewed")
	return p
}

// Failures joins what went wrong last and is not mended.
func (s *Sidecar) Failures() error {
	var out []error
	for _, t := range []agent.Track{agent.TrackTLS, agent.TrackSM2} {
		if p := s.plans[t]; p.err != "" {
			out = append(out, fmt.Errorf("%s: %s", t, p.err))
		}
	}
	if s.reload.err != "" {
		out = append(out, fmt.Errorf("reload: %s", s.reload.err))
	}
	return errors.Join(out...)
}
