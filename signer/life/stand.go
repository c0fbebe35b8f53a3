package life

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// Filing is a seal's entry at the authority that keeps the register of seals
// (备案, 电子印章管理办法 art. 17). A drawn seal has none: it is filed as a
// sample.
type Filing struct {
	Number string
	On     time.Time
}

// File records the filing of a seal that was made or imported.
func (s *Service) File(ctx context.Context, actor ledger.Actor, sealID string, f Filing) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	e, c, err := s.begin(ctx, ActFile, actor, sealID)
	if err != nil {
		return fail(err)
	}
	if e.Drawn {
		if f.Number != "" {
			return fail(fmt.Errorf("%w: a drawn seal (样章) is filed as a sample, without a number", signer.ErrInvalid))
		}
		f = Filing{signer.FilingSample, c.at}
	} else if !number(f.Number) || f.On.IsZero() || f.On.After(c.at) {
		return fail(fmt.Errorf("%w: of seal %s, with its date", ErrFiling, e.ID))
	}
	e.Filing, e.FiledOn = f.Number, f.On.UTC().Truncate(time.Millisecond)
	c.ref = e.Filing
	return s.record(ctx, e, c)
}

// Activate lets a filed seal be used (启用), within its period and authorisation.
func (s *Service) Activate(ctx context.Context, actor ledger.Actor, sealID string) (signer.Seal, ledger.Receipt, error) {
	fail := func(err error) (signer.Seal, ledger.Receipt, error) { return signer.Seal{}, ledger.Receipt{}, err }
	e, c, err := s.begin(ctx, ActActivate, actor, sealID)
	if err != nil {
		return fail(err)
	}
	if err := s.sound(ctx, e.KeyID); err != nil {
		return fail(err)
	}
	c.ref = e.Filing
	return s.record(ctx, e, c)
}

// Suspend stops a seal at once (停用). The way back is AskResume, the leader's
// signature, and Settle.
func (s *Service) Suspend(ctx context.Context, actor ledger.Actor, sealID, reason string) (signer.Seal, ledger.Receipt, error) {
	return s.stop(ctx, ActSuspend, actor, sealID, reason)
}

// Cancel ends a seal at once and for good (注销; 电子印章管理办法 art. 18).
func (s *Service) Cancel(ctx context.Context, actor ledger.Actor, sealID, reason string) (signer.Seal, ledger.Receipt, error) {
	return s.stop(ctx, ActCancel, actor, sealID, reason)
}

func (s *Service) stop(ctx context.Context, act Act, actor ledger.Actor, sealID, reason string) (signer.Seal, ledger.Receipt, error) {
	// A change of somebody else in between must not keep a seal alive.
	for try := 0; ; try++ {
		e, c, err := s.begin(ctx, act, actor, sealID)
		if err != nil {
			return signer.Seal{}, ledger.Receipt{}, err
		}
		if !words(reason) {
			return signer.Seal{}, ledger.Receipt{}, ErrReason
		}
		e.Ask, c.reason = nil, reason // what was asked about the living seal is void
		out, receipt, err := s.record(ctx, e, c)
		if !errors.Is(err, ErrConflict) || try == maxTries {
			return out, receipt, err
		}
	}
}

// maxTries bounds how often an act that tightens is repeated after a conflict.
const maxTries = 8

// End writes that the period of a seal is over, when it is and the seal has not
// come to another end. It implements signer.Ender.
func (s *Service) End(ctx context.Context, sealID string) error {
	e, err := s.cfg.Register.Seal(ctx, sealID)
	if err != nil {
		return fmt.Errorf("life: seal %s: %w", sealID, err)
	}
	_, err = s.noticed(ctx, e)
	return err
}

// noticed returns the seal as it stands by the clock, and writes its end down
// when it is seen first.
func (s *Service) noticed(ctx context.Context, e signer.Seal) (signer.Seal, error) {
	now := s.now()
	rule, err := ruleOf(ActExpire, e)
	if err != nil || !now.After(e.ValidUntil) {
		return e, nil //nolint:nilerr // a seal that cannot expire stands as it is
	}
	e.Ask = nil
	house := ledger.Actor{Kind: "service", ID: "life", Unit: s.cfg.MakerUnit}
	out, _, err := s.record(ctx, e, change{rule: rule, actor: house, at: now})
	if errors.Is(err, ErrConflict) { // somebody else saw it, or ended it otherwise
		out, err = s.cfg.Register.Seal(ctx, e.ID)
	}
	return out, err
}

// EndAll writes the end of every seal whose period is over, and returns how many
// there were: for a sweep.
func (s *Service) EndAll(ctx context.Context) (int, error) {
	rule, _ := RuleOf(ActExpire)
	over, err := s.cfg.Lists.Seals(ctx, Query{States: rule.From, EndedBy: s.now()})
	if err != nil {
		return 0, fmt.Errorf("life: list seals: %w", err)
	}
	for _, e := range over {
		if _, err := s.noticed(ctx, e); err != nil {
			return 0, err
		}
	}
	return len(over), nil
}

// Seal returns a seal as it stands by the clock.
func (s *Service) Seal(ctx context.Context, id string) (signer.Seal, error) {
	e, err := s.cfg.Register.Seal(ctx, id)
	if err != nil {
		return signer.Seal{}, fmt.Errorf("life: seal %s: %w", id, err)
	}
	return s.noticed(ctx, e)
}

// Seals lists seals as they stand by the clock: those of a unit, or with Awaits
// those that wait for a leader's signature. Who may see them is the caller's to
// decide.
func (s *Service) Seals(ctx context.Context, q Query) ([]signer.Seal, error) {
	all, err := s.cfg.Lists.Seals(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("life: list seals: %w", err)
	}
	for i, e := range all {
		if all[i], err = s.noticed(ctx, e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Steps is the history of a seal, oldest first.
func (s *Service) Steps(ctx context.Context, id string) ([]Step, error) {
	steps, err := s.cfg.Lists.Steps(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("life: history of seal %s: %w", id, err)
	}
	return steps, nil
}
