package ca

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// refused records that an authenticated caller was turned down, and hands the
// cause on. What is no outcome of this room is an error of the house, not an
// answer, and its text stays out of the ledger.
func (s *Service) refused(ctx context.Context, kind string, actor ledger.Actor, object ledger.Object, cause error) error {
	word := "internal"
	for _, known := range []error{ErrToken, ErrNotFound, ErrRevoked, ErrState, ErrExpired, ErrProof, ErrRenewed, ErrBusy, ErrClosing, ErrNotApproved, ErrHost, ErrCSR, ErrLint, ErrExists} {
		if errors.Is(cause, known) {
			word = known.Error()
			break
		}
	}
	ev := s.event(kind, actor, object, map[string]string{"cause": word})
	ev.Outcome = ledger.Failure
	if _, err := s.cfg.Recorder.Record(ctx, ev); err != nil {
		return fmt.Errorf("ca: record refusal: %w", err)
	}
	return cause
}

// stranger records, now and then, that somebody came with a token that nobody
// knows.
func (s *Service) stranger(ctx context.Context, cause error) error {
	if s.cfg.Recorder == nil {
		return cause
	}
	passed, due := s.strangers.Due(s.cfg.Now())
	if !due {
		return cause
	}
	ev := s.event("ca.enrolment.refused", ledger.Actor{Kind: "service", ID: "ca"}, ledger.Object{Kind: "route", ID: "enrolment"}, map[string]string{
		"cause": ErrToken.Error(), "caller": "unknown", "passed_over": strconv.Itoa(passed),
	})
	ev.Outcome = ledger.Failure
	if _, err := s.cfg.Recorder.Record(ctx, ev); err != nil {
		return fmt.Errorf("ca: record refusal: %w", err)
	}
	return cause
}
