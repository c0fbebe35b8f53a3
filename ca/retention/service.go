package retention

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Posts that look after what is kept.
const (
	roleSystem = "system_admin"
	roleRA     = "ra_officer"
)

// Limits of an entry.
const (
	maxText  = 500
	MaxItems = 200 // of one purge: a person has to be able to read it
	maxYears = 1000
)

// Config of a Service. Fields without another word are required.
type Config struct {
	Store    Store
	Approver Approver
	Posts    Posts
	House    string // the unit that runs the house: its officers act
	Years    int    // after the end of the last certificate; 0: LeastYears, never less
	Now      func() time.Time
	NewID    func() string // UUIDv7
}

// Service is the room. It is safe for concurrent use.
type Service struct{ cfg Config }

// New refuses an incomplete Config, and a period shorter than the law's.
func New(cfg Config) (*Service, error) {
	if cfg.Years == 0 {
		cfg.Years = LeastYears
	}
	if cfg.Store == nil || cfg.Approver == nil || cfg.Posts == nil || cfg.House == "" || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("retention: needs store, approver, posts, house, clock and ids")
	}
	if cfg.Years < LeastYears || cfg.Years > maxYears {
		return nil, fmt.Errorf("retention: %d years are kept, %d to %d are possible (电子签名法 art. 24)", cfg.Years, LeastYears, maxYears)
	}
	return &Service{cfg}, nil
}

// Years is the period in force.
func (s *Service) Years() int { return s.cfg.Years }

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// Due lists what may be purged now; what a legal matter keeps is left out.
func (s *Service) Due(ctx context.Context) ([]Item, error) {
	now := s.now()
	// The calendar decides below; a day more than it can differ by is read.
	all, err := s.cfg.Store.Ended(ctx, now.AddDate(-s.cfg.Years, 0, 1), MaxItems)
	if err != nil {
		return nil, fmt.Errorf("retention: list: %w", err)
	}
	var due []Item
	for _, i := range all {
		switch err := s.possible(ctx, i, s.cfg.Years, now); {
		case err == nil:
			due = append(due, i)
		case !errors.Is(err, ErrEarly) && !errors.Is(err, ErrHeld):
			return nil, err
		}
	}
	return due, nil
}

// possible says whether an item may be purged at a moment.
func (s *Service) possible(ctx context.Context, i Item, years int, now time.Time) error {
	if due := i.DueAt(years); now.Before(due) {
		return &EarlyError{Ref{i.Class, i.ID}, due}
	}
	holds, err := s.cfg.Store.Holds(ctx)
	if err != nil {
		return fmt.Errorf("retention: legal holds: %w", err)
	}
	for _, h := range holds {
		if h.Covers(i) {
			return fmt.Errorf("%w: %s %s, document %s", ErrHeld, i.Class, i.ID, h.Document)
		}
	}
	asked, err := s.cfg.Store.Recovering(ctx, i, now)
	if err == nil && asked {
		err = fmt.Errorf("%w: recovery of a key, %s %s", ErrHeld, i.Class, i.ID)
	}
	return err
}

// Ask proposes a purge of exactly these, for a second person to approve. All of
// them have to be due: *EarlyError and ErrHeld name the first that is not.
func (s *Service) Ask(ctx context.Context, actor ledger.Actor, refs []Ref, reason string) (Act, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	if !line(reason) || len(refs) == 0 || len(refs) > MaxItems {
		return Act{}, ledger.Receipt{}, fmt.Errorf("%w: a reason, and 1 to %d things", ErrInvalid, MaxItems)
	}
	a := Act{ID: s.cfg.NewID(), Kind: Purge, Years: s.cfg.Years, Reason: reason, AskedBy: actor.ID, AskedAt: s.now(), State: Proposed}
	seen := map[Ref]bool{}
	for _, r := range refs {
		if seen[r] {
			return Act{}, ledger.Receipt{}, fmt.Errorf("%w: %s %s twice", ErrInvalid, r.Class, r.ID)
		}
		seen[r] = true
		i, err := s.cfg.Store.Item(ctx, r)
		if err != nil {
			return Act{}, ledger.Receipt{}, err
		}
		if err := s.possible(ctx, i, a.Years, a.AskedAt); err != nil {
			return Act{}, ledger.Receipt{}, err
		}
		a.Items = append(a.Items, i)
	}
	rc, err := s.cfg.Store.AddAct(ctx, a, s.event("proposed", actor, a))
	return a, rc, err
}

// AskLift proposes to end a legal hold.
func (s *Service) AskLift(ctx context.Context, actor ledger.Actor, hold, reason string) (Act, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	if !line(reason) {
		return Act{}, ledger.Receipt{}, fmt.Errorf("%w: a reason", ErrInvalid)
	}
	all, err := s.cfg.Store.Holds(ctx)
	if err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	for _, h := range all {
		if h.ID == hold && h.LiftedAt.IsZero() {
			a := Act{ID: s.cfg.NewID(), Kind: Lift, Hold: hold, Years: s.cfg.Years, Reason: reason, AskedBy: actor.ID, AskedAt: s.now(), State: Proposed}
			rc, err := s.cfg.Store.AddAct(ctx, a, s.event("proposed", actor, a))
			return a, rc, err
		}
	}
	return Act{}, ledger.Receipt{}, fmt.Errorf("%w: hold %s", ErrNotFound, hold)
}

// Settle lets the second person's signed answer take effect, all of it or none.
// A period that was made longer since counts.
func (s *Service) Settle(ctx context.Context, actor ledger.Actor, id string) (Act, ledger.Receipt, error) {
	a, err := s.waiting(ctx, id)
	if err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	answer, err := s.cfg.Approver.Answer(ctx, a)
	if err != nil {
		return Act{}, ledger.Receipt{}, err
	}
	a.State, a.Approval, a.SettledAt = Refused, answer.ID, s.now()
	kind := "refused"
	if answer.Yes {
		a.State, kind = Done, "purged"
		if a.Kind == Lift {
			kind = "lifted"
		}
		for _, i := range a.Items {
			if err := s.possible(ctx, i, max(a.Years, s.cfg.Years), a.SettledAt); err != nil {
				return Act{}, ledger.Receipt{}, err
			}
		}
	}
	rc, err := s.cfg.Store.SettleAct(ctx, a, s.event(kind, actor, a))
	return a, rc, err
}

// Drop takes back what waits for its answer.
func (s *Service) Drop(ctx context.Context, actor ledger.Actor, id string) (ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return ledger.Receipt{}, err
	}
	a, err := s.waiting(ctx, id)
	if err != nil {
		return ledger.Receipt{}, err
	}
	a.State, a.SettledAt = Dropped, s.now()
	return s.cfg.Store.SettleAct(ctx, a, s.event("dropped", actor, a))
}

func (s *Service) waiting(ctx context.Context, id string) (Act, error) {
	a, err := s.cfg.Store.Act(ctx, id)
	if err == nil && a.State != Proposed {
		err = fmt.Errorf("%w: %s is %s", ErrState, id, a.State)
	}
	return a, err
}

// Place keeps things from now on. Of h it reads the scope, Document and Reason.
func (s *Service) Place(ctx context.Context, actor ledger.Actor, h Hold) (Hold, ledger.Receipt, error) {
	if err := s.may(ctx, actor); err != nil {
		return Hold{}, ledger.Receipt{}, err
	}
	scopes := 0
	for _, v := range []string{h.Agency, h.System, h.Person} {
		if v != "" {
			scopes++
		}
	}
	if scopes > 1 || !line(h.Document) || !line(h.Reason) || len(h.Agency)+len(h.System)+len(h.Person) > maxText {
		return Hold{}, ledger.Receipt{}, fmt.Errorf("%w: one scope, a document and a reason", ErrInvalid)
	}
	h.ID, h.PlacedBy, h.PlacedAt, h.LiftedAt = s.cfg.NewID(), actor.ID, s.now(), time.Time{}
	ev := s.event("held", actor, Act{ID: h.ID, Reason: h.Reason})
	ev.Object.Kind, ev.Payload = "legal_hold", ""
	for k, v := range map[string]string{"agency": h.Agency, "system": h.System, "person": h.Person, "document": h.Document} {
		if v != "" {
			ev.Details[k] = v
		}
	}
	rc, err := s.cfg.Store.AddHold(ctx, h, ev)
	return h, rc, err
}

// Act, Acts and Holds are for those who look after them.
func (s *Service) Act(ctx context.Context, id string) (Act, error) { return s.cfg.Store.Act(ctx, id) }

// Acts is everything that was ever asked for.
func (s *Service) Acts(ctx context.Context) ([]Act, error) { return s.cfg.Store.Acts(ctx) }

// Holds is every legal hold, lifted ones too.
func (s *Service) Holds(ctx context.Context) ([]Hold, error) { return s.cfg.Store.Holds(ctx) }

func (s *Service) may(ctx context.Context, actor ledger.Actor) error {
	yes, err := s.cfg.Posts.Holds(ctx, actor.ID, s.cfg.House, roleSystem, roleRA)
	if err == nil && (!yes || actor.Kind != "person") {
		err = ErrForbidden
	}
	return err
}

func (s *Service) event(kind string, actor ledger.Actor, a Act) ledger.Event {
	d := map[string]string{"reason": a.Reason}
	for k, v := range map[string]string{"kind": string(a.Kind), "hold": a.Hold, "approval": a.Approval} {
		if v != "" {
			d[k] = v
		}
	}
	if len(a.Items) > 0 {
		d["items"], d["years"] = strconv.Itoa(len(a.Items)), strconv.Itoa(a.Years)
	}
	return ledger.Event{
		ID: s.cfg.NewID(), Type: "ca.retention." + kind, Class: ledger.ClassCertificate, Time: s.now(), Actor: actor,
		Object: ledger.Object{Kind: "ca_retention", ID: a.ID}, Outcome: ledger.Success, Payload: a.Digest(), Details: d,
	}
}

// line is text of people that reads as it was written.
func line(s string) bool { return s != "" && len(s) <= maxText && text.Plain(s) == s }
