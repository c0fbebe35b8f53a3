package app

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/ca/stale"
)

// IdleSettings say when an agency system that nobody uses is warned and held.
type IdleSettings struct {
	Warn int `yaml:"idle_warn,omitempty" koanf:"idle_warn"` // days without use; 0: 90
	Hold int `yaml:"idle_hold,omitempty" koanf:"idle_hold"` // days without use, more than those of the warning; 0: 30 more
}

const maxIdle = 1000 // days

func (s IdleSettings) validate() error {
	switch {
	case s.Warn < 0 || s.Warn > maxIdle:
		return fmt.Errorf("%w: idle_warn %d is not 1 to %d days", ErrConfig, s.Warn, maxIdle)
	case s.Hold < 0 || s.Hold > 2*maxIdle:
		return fmt.Errorf("%w: idle_hold %d is not 1 to %d days", ErrConfig, s.Hold, 2*maxIdle)
	case s.Hold > 0 && s.Hold <= s.warned():
		return fmt.Errorf("%w: idle_hold %d is not after the warning (idle_warn %d)", ErrConfig, s.Hold, s.warned())
	}
	return nil
}

func (s IdleSettings) warned() int {
	if s.Warn == 0 {
		return 90
	}
	return s.Warn
}

// openIdle builds the watch over systems that nobody uses.
func (h *House) openIdle() (err error) {
	s, day := h.cfg.Idle, 24*time.Hour
	h.Idle, err = stale.New(stale.Config{
		Store: h.rooms.CA, Holder: h.CA, Actor: h.service(), Now: h.cfg.Now, NewID: newID,
		Warn: time.Duration(s.warned()) * day, Hold: time.Duration(s.Hold) * day,
	})
	return err
}

// used notes that a system called. The call goes on whatever becomes of the note.
func (h *House) used(ctx context.Context, system string) {
	if err := h.Idle.Note(ctx, system); err != nil && ctx.Err() == nil {
		h.cfg.Log.ErrorContext(ctx, "the use of a system is not noted", "system", system, "error", err)
	}
}

const roundEvery = 24 * time.Hour

// runDaily makes the rounds of a day until ctx ends, the first one at once:
// systems that nobody uses, lists of offline roots that end, notices of the end of
// the service, leavers whose end broke off, breaches that are overdue, and keys of access tokens.
func (h *House) runDaily(ctx context.Context) {
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	for {
		done, err := h.Idle.Round(ctx)
		for _, x := range done.Warned {
			h.cfg.Log.WarnContext(ctx, "a system is unused", "system", x.System, "since", x.Active.Format(time.DateOnly))
		}
		for _, x := range done.Held {
			h.cfg.Log.WarnContext(ctx, "the certificates of an unused system are held", "system", x.System, "since", x.Active.Format(time.DateOnly))
		}
		if err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "round of unused systems", "error", err)
		}
		h.tellRootLists(ctx)
		if err := h.Closing.Tell(ctx, h.service()); err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "notices of the end of the service", "error", err)
		}
		if err := h.endLeavers(ctx); err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "round of leavers", "error", err)
		}
		late, err := h.Violations.Overdue(ctx, h.service())
		for _, v := range late {
			h.cfg.Log.WarnContext(ctx, "a breach is overdue and goes to the leading group", "violation", v.ID, "unit", v.Unit, "due", v.Due.String())
		}
		if err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "round of overdue breaches", "error", err)
		}
		if err := h.Tokens.Round(ctx); err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "round of access tokens", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
