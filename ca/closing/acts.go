package closing

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Posts that close the service.
const (
	roleSystem = "system_admin"
	roleRA     = "ra_officer"
)

// Limits of an entry.
const (
	maxText = 500
	maxAway = 5 * 365 * 24 * time.Hour
)

// Propose records an act for a second person to approve. Of a it reads Kind,
// Reason and the fields of that kind; Of is the announcement in force.
func (s *Service) Propose(ctx context.Context, actor ledger.Actor, a Act) (Act, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	st, err := s.fresh(ctx)
	if err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	now := s.now()
	asked := Act{ID: s.cfg.NewID(), Kind: a.Kind, Reason: a.Reason, AskedBy: actor.ID, AskedAt: now, State: Proposed}
	switch a.Kind {
	case Announcement:
		asked.Mode, asked.At, asked.Successor = a.Mode, a.At.UTC().Truncate(time.Second), a.Successor
	case HandOver:
		asked.Of, asked.Taker, asked.Records, asked.Protocol = st.Act.ID, a.Taker, a.Records, a.Protocol
		asked.Reported = a.Reported.UTC().Truncate(time.Second)
	case Withdrawal:
		asked.Of = st.Act.ID
	}
	if err := asked.validate(st, now); err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	rc, err := s.cfg.Store.AddAct(ctx, asked, s.event("proposed", actor, asked))
	return asked, rc, err
}

// Settle lets the second person's signed answer take effect. What could be asked
// for has to be possible still: an announcement that waited too long for its
// answer is asked for anew, with a later day.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, id string) (Act, ledger.Receipt, error) {
	a, err := s.cfg.Store.Act(ctx, id)
	if err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	if a.State != Proposed {
		return Act{}, ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, a.State)
	}
	answer, err := s.cfg.Approver.Answer(ctx, a)
	if err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	a.State, a.Approval, a.SettledAt = Refused, answer.ID, s.now()
	kind := "refused"
	if answer.Yes {
		st, err := s.fresh(ctx)
		if err != nil {
			return Act{}, ledger.Receipt{}, err
		}
		if err := a.validate(st, a.SettledAt); err != nil {
			return Act{}, ledger.Receipt{}, err
		}
		a.State, kind = InForce, "approved"
	}
	rc, err := s.cfg.Store.SettleAct(ctx, a, s.event(kind, actor, a))
	s.forget()
	return a, rc, err
}

// Drop takes back what waits for its answer; whoever may ask may do it.
func (s *Service) Drop(ctx context.Context, actor ledger.Actor, id string) (ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return ledger.Receipt{}, err
	}
	a, err := s.cfg.Store.Act(ctx, id)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if a.State != Proposed {
		return ledger.Receipt{}, fmt.Errorf("%w: %s is %s", ErrState, id, a.State)
	}
	a.State, a.SettledAt = Dropped, s.now()
	return s.cfg.Store.SettleAct(ctx, a, s.event("dropped", actor, a))
}

func (s *Service) may(ctx context.Context, actor ledger.Actor) error {
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, s.cfg.House, roleSystem, roleRA)
	if err == nil && (!yes || actor.Kind != "person") {
		err = ErrForbidden
	}
	return err
}

// validate says whether an act may be asked for, or come into force, now.
func (a Act) validate(st Standing, now time.Time) error {
	if !line(a.Reason) {
		return fmt.Errorf("%w: a reason, on one line", ErrInvalid)
	}
	if a.Kind == Announcement {
		switch {
		case st.Phase != Open:
			return fmt.Errorf("%w: the service is %s", ErrState, st.Phase)
		case a.Mode != Suspend && a.Mode != End, a.Successor != "" && !line(a.Successor), a.At.After(now.Add(maxAway)):
			return fmt.Errorf("%w: mode, day or successor", ErrInvalid)
		case a.At.Before(now.Add(Notice)):
			return fmt.Errorf("%w: %s is before %s", ErrSoon, a.At.Format(time.RFC3339), now.Add(Notice).Format(time.RFC3339))
		}
		return nil
	}
	if st.Phase == Open || st.Phase == Ended || a.Of != st.Act.ID {
		return fmt.Errorf("%w: the service is %s", ErrState, st.Phase)
	}
	switch a.Kind {
	case Withdrawal:
		return nil
	case HandOver:
		sum, err := hex.DecodeString(a.Protocol)
		switch {
		case st.Act.Mode != End, st.HandOver.ID != "":
			return fmt.Errorf("%w: of an end that is announced, once", ErrState)
		case !line(a.Taker), !line(a.Records), err != nil, len(sum) != 32, hex.EncodeToString(sum) != a.Protocol:
			return fmt.Errorf("%w: who took over which records, and the SM3 of the protocol", ErrInvalid)
		case a.Reported.IsZero(), a.Reported.After(now):
			return fmt.Errorf("%w: when the department in charge was told", ErrInvalid)
		}
		return nil
	}
	return fmt.Errorf("%w: kind", ErrInvalid)
}

// line is text of people that reads as it was written.
func line(s string) bool { return s != "" && len(s) <= maxText && text.Plain(s) == s }
