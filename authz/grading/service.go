package grading

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// Directory is what this room asks about agencies and systems.
type Directory interface {
	Agency(ctx context.Context, id identity.USCC) (identity.Agency, error)
	System(ctx context.Context, id string) (identity.System, error)
}

// Decider is the decision point. MayRegrade returns nil only when a system may
// take this grade, given everything that it holds and carries; the answer is
// on the ledger before it returns.
type Decider interface {
	MayRegrade(ctx context.Context, system string, to level.Grade) error
}

// Config of a Service. Every field is required.
type Config struct {
	Registry  Registry
	Directory Directory
	Now       func() time.Time
	NewID     func() string // UUIDv7
}

// Service is the registry's front.
type Service struct{ cfg Config }

// New refuses an incomplete Config.
func New(c Config) (*Service, error) {
	if c.Registry == nil || c.Directory == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("grading: Config lacks Registry, Directory, Now or NewID")
	}
	return &Service{c}, nil
}

// Register adds the first grading of a system. ErrGraded when one is in force:
// then there may be holdings, and only Regrade asks about them.
func (s *Service) Register(ctx context.Context, r Record, actor ledger.Actor) (Record, ledger.Receipt, error) {
	none := ledger.Receipt{}
	switch _, err := s.cfg.Registry.Grading(ctx, r.System); {
	case err == nil:
		return Record{}, none, fmt.Errorf("%w: %.80q", ErrGraded, r.System)
	case !errors.Is(err, ErrNotFound):
		return Record{}, none, fmt.Errorf("grading of %.80q: %w", r.System, err)
	}
	if r.Version == 0 {
		r.Version = 1
	}
	ev, err := s.check(ctx, r, "grading.record.registered", actor)
	if err != nil {
		return Record{}, none, err
	}
	rc, err := s.cfg.Registry.AddGrading(ctx, r, ev)
	return r, rc, err
}

// Regrade appends a version to a graded system (等级变更). It asks the decision
// point first, whatever the direction: a grade may rise in S and fall in A.
// The store checks the holdings once more inside its transaction
// (西政办发〔2014〕14号 art. 30). Nothing is stored when the decider refuses,
// fails, or is missing.
func (s *Service) Regrade(ctx context.Context, d Decider, r Record, actor ledger.Actor) (Record, ledger.Receipt, error) {
	none := ledger.Receipt{}
	old, err := s.cfg.Registry.Grading(ctx, r.System)
	if err != nil {
		return Record{}, none, fmt.Errorf("grading of %.80q: %w", r.System, err)
	}
	if r.Version == 0 {
		r.Version = old.Version + 1
	}
	if r.Version <= old.Version {
		return Record{}, none, fmt.Errorf("%w: version %d is not after %d", ErrInvalid, r.Version, old.Version)
	}
	ev, err := s.check(ctx, r, "grading.record.changed", actor)
	if err != nil {
		return Record{}, none, err
	}
	ev.Before = old.Grade.String()
	if d == nil {
		return Record{}, none, errors.New("grading: no decision point to ask")
	}
	if err := d.MayRegrade(ctx, r.System, r.Grade); err != nil {
		return Record{}, none, fmt.Errorf("re-grading %s from %s to %s: %w", r.System, old.Grade, r.Grade, err)
	}
	rc, err := s.cfg.Registry.AddGrading(ctx, r, ev)
	return r, rc, err
}

// InForce returns the grading of a system, or ErrNotFound.
func (s *Service) InForce(ctx context.Context, system string) (Record, error) {
	return s.cfg.Registry.Grading(ctx, system)
}

// check validates a record against the rules and the register, and builds its
// event. 建设单位 determines the level (西政办发〔2011〕8号 art. 23): the actor
// acts for the building unit.
func (s *Service) check(ctx context.Context, r Record, typ string, actor ledger.Actor) (ledger.Event, error) {
	none := ledger.Event{}
	if actor.Kind == "" || actor.ID == "" {
		return none, fmt.Errorf("%w: an act needs an actor", ErrInvalid)
	}
	if err := r.Validate(); err != nil {
		return none, err
	}
	now := s.cfg.Now().UTC()
	if r.DecidedOn.After(now) {
		return none, fmt.Errorf("%w: decided in the future", ErrInvalid)
	}
	if actor.Unit != string(r.BuildingUnit) {
		return none, ErrUnit
	}
	if _, err := s.cfg.Directory.System(ctx, r.System); err != nil {
		return none, fmt.Errorf("system %.80q: %w", r.System, err)
	}
	if _, err := s.cfg.Directory.Agency(ctx, r.BuildingUnit); err != nil {
		return none, fmt.Errorf("building unit %s: %w", r.BuildingUnit, err)
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAdmin, Time: now.Truncate(time.Millisecond), Actor: actor,
		Object: ledger.Object{Kind: "grading", ID: r.System}, Outcome: ledger.Success, After: r.Grade.String(),
		Details: map[string]string{
			"version": fmt.Sprint(r.Version), "state": string(r.State), "level": fmt.Sprint(r.Grade.Level()), "building_unit": string(r.BuildingUnit),
		},
	}, nil
}
