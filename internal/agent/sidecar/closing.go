package sidecar

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// A house that ends its certification service says so 90 days before (电子签名法
// art. 23): it is asked once a day, and the warning is repeated as often.
const (
	closingEvery = 24 * time.Hour
	closingAgain = time.Hour // after a failure, which is no reason to be loud
	phaseOpen    = "open"
)

// closing is what the house said last.
type closing struct {
	said *wire.Closing // nil: nothing is announced
	next time.Time
}

// heed asks when it is time, and warns.
func (s *Sidecar) heed(ctx context.Context) {
	now := s.cfg.Now()
	if s.cfg.Closing == nil || now.Before(s.closing.next) {
		return
	}
	got, err := s.cfg.Closing(ctx)
	if err != nil {
		s.closing.next = now.Add(closingAgain)
		s.cfg.Log.DebugContext(ctx, "whether the certification service ends is not known", "error", err)
		return
	}
	s.closing = closing{next: now.Add(closingEvery)}
	if got.Phase == phaseOpen || got.Phase == "" {
		return
	}
	s.closing.said = &got
	s.cfg.Log.WarnContext(ctx, "the certification service of the house ends: no certificate outlives that day, find another one", "phase", got.Phase, "at", got.At.UTC().Format(time.RFC3339), "reason", cut(got.Reason), "successor", cut(got.Successor))
}
