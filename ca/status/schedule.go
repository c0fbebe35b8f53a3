package status

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run builds what is due until ctx ends; a failure is logged and tried again.
// Any number of nodes may run it. Meanwhile it watches what other nodes change.
func (s *Service) Run(ctx context.Context) error {
	if s.cfg.Changes != nil {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		var watching sync.WaitGroup
		defer watching.Wait()
		watching.Go(func() { s.watch(ctx) })
		watching.Go(func() { s.forget(ctx) })
	}
	pause := min(max(s.cfg.DeltaEvery/10, time.Second), time.Minute)
	timer := time.NewTicker(pause)
	defer timer.Stop()
	for {
		if err := s.BuildDue(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "building lists of revoked certificates failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// BuildDue builds every list that is missing or older than its period, and
// nothing that another node built meanwhile. One authority that fails does not
// keep the others from their lists.
func (s *Service) BuildDue(ctx context.Context) error {
	var failed error
	for _, i := range *s.issuers.Load() {
		if i.offline() {
			continue // its lists are made in a ceremony: Order, Import
		}
		for _, shard := range i.shards {
			for _, delta := range []bool{false, true} {
				err := again(func() error {
					due, err := s.due(ctx, i, shard, delta)
					if err != nil || !due {
						return err
					}
					return s.build(ctx, i, shard, delta)
				})
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("authority %s: %w", i.id, err))
				}
			}
		}
	}
	return failed
}

// due: a full list every FullEvery; a delta every DeltaEvery after the newer of
// the last delta and the full list, which says all that a delta would.
func (s *Service) due(ctx context.Context, i *issuer, shard string, delta bool) (bool, error) {
	now := s.cfg.Now()
	final, err := s.final(ctx, i)
	if err != nil || delta && !final.IsZero() {
		return false, err // a final list says all; its delta would end before it
	}
	full, err := s.newest(ctx, i.id, shard, false)
	switch {
	case errors.Is(err, ErrNoList):
		return !delta, nil
	case err != nil:
		return false, err
	case !delta && full.NextUpdate.Before(final.Truncate(time.Second)):
		return true, nil // the service has ended since
	case !delta:
		return !now.Before(full.ThisUpdate.Add(s.cfg.FullEvery)), nil
	}
	last, err := s.newest(ctx, i.id, shard, true)
	if errors.Is(err, ErrNoList) {
		return true, nil // a full list announces the address: it has to answer
	}
	if err != nil {
		return false, err
	}
	newer := full.ThisUpdate
	if last.ThisUpdate.After(newer) {
		newer = last.ThisUpdate
	}
	return !now.Before(newer.Add(s.cfg.DeltaEvery)), nil
}
