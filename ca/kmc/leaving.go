package kmc

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// WithdrawAll ends the owner's recoveries that a person asked for who has left.
// A judicial one stands: it is the investigators', not the officer's who wrote it
// down.
func (s *Recoveries) WithdrawAll(ctx context.Context, actor ledger.Actor, person string) error {
	if person == "" {
		return fmt.Errorf("%w: nobody", ErrNotFound)
	}
	open, err := s.cfg.Register.Recoveries(ctx, Query{Open: true})
	if err != nil {
		return err
	}
	var failed []error
	for _, r := range open {
		if r.AskedBy == person && r.Kind == ForOwner {
			failed = append(failed, s.lapse(ctx, actor, r))
		}
	}
	return errors.Join(failed...)
}
