package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Copy is a holding with what became of it.
type Copy struct {
	Holding
	Due         time.Time    `json:"due,omitzero"` // when it is to be destroyed: its end, or a task that comes before
	Tasks       []Task       `json:"tasks,omitempty"`
	Destruction *Destruction `json:"destruction,omitempty"`
}

// OverdueAt: it should be destroyed, and there is no evidence that it was.
func (c Copy) OverdueAt(now time.Time) bool {
	return c.Ended.IsZero() && !c.Due.IsZero() && !now.Before(c.Due)
}

// Task asks for the destruction of a copy (销毁任务) before its own end.
type Task struct {
	ID      string    `json:"id"`
	Holding string    `json:"holding"`
	Due     time.Time `json:"due"`
	Why     TaskWhy   `json:"why"`
	Note    string    `json:"note,omitempty"`
	By      string    `json:"by"` // person, the agreement that ended, or the act that changed the label
	At      time.Time `json:"at"`
}

// TaskWhy is the ground of a Task.
type TaskWhy string

// Grounds of tasks.
const (
	WhyAgreement TaskWhy = "agreement" // its agreement was terminated
	WhyRelabel   TaskWhy = "relabel"   // the provider changed the label
	WhyProvider  TaskWhy = "provider"  // the provider asks for it back
)

// Standing is how a unit stands with a resource of another: what it kept too long
// of it, and whether it may use it at all.
type Standing struct {
	Resource  string        `json:"resource"`
	Agency    identity.USCC `json:"agency"`
	Due       time.Time     `json:"due,omitzero"` // earliest end of a copy that is not destroyed
	Copy      string        `json:"copy,omitempty"`
	Violation string        `json:"violation,omitempty"` // suspends the unit's use
}

// OverdueAt: a copy is kept beyond its end.
func (s Standing) OverdueAt(now time.Time) bool { return !s.Due.IsZero() && !now.Before(s.Due) }

// Outcomes of Copies.
var (
	// ErrEnded: the copy was destroyed before.
	ErrEnded = errors.New("sharing: the copy is destroyed")
	// ErrEvidence: the statement is not signed by the system that kept the copy.
	ErrEvidence = errors.New("sharing: the statement of destruction does not verify")
	// ErrNotProvider: only the provider of what is in a copy may do that.
	ErrNotProvider = errors.New("sharing: not the provider of the resource")
)

// CopyStore keeps what becomes of copies; see identity.Register for the promises.
type CopyStore interface {
	Holding(ctx context.Context, id string) (Holding, error)
	Resource(ctx context.Context, id string) (Resource, error)
	// EndHolding ends a copy once, else ErrEnded.
	EndHolding(ctx context.Context, d Destruction, ev ledger.Event) (ledger.Receipt, error)
	// AddTask refuses with ErrEnded a copy that is destroyed.
	AddTask(ctx context.Context, t Task, ev ledger.Event) (ledger.Receipt, error)
	// CopiesOf lists every copy with the resource in it, derived and merged ones too,
	// oldest first; after is the id to go on from.
	CopiesOf(ctx context.Context, resource, after string, limit int) ([]Copy, error)
	// CopiesIn lists what a system keeps, or kept.
	CopiesIn(ctx context.Context, system, after string, limit int) ([]Copy, error)
	// MadeOf lists the copies that were made directly of a copy.
	MadeOf(ctx context.Context, holding string) ([]string, error)
}

// CopiesConfig of Copies. Every field is required.
type CopiesConfig struct {
	Store CopyStore
	// Signing is the certificate in force with which a system signs.
	Signing func(ctx context.Context, system string) (der []byte, err error)
	Now     func() time.Time
	NewID   func() string // UUIDv7
}

// Copies is what becomes of what was shared: who keeps which copy until when, what
// was made of it, and that it was destroyed (西政办发〔2011〕8号 art. 28-29;
// 西政办发〔2014〕14号 art. 23).
type Copies struct{ cfg CopiesConfig }

// NewCopies refuses an incomplete CopiesConfig.
func NewCopies(c CopiesConfig) (*Copies, error) {
	if c.Store == nil || c.Signing == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("sharing: CopiesConfig lacks Store, Signing, Now or NewID")
	}
	return &Copies{c}, nil
}

// Destroyed takes the signed statement of the system that kept the copy. The copy
// is ended from then on: nothing may be done with it any more.
func (s *Copies) Destroyed(ctx context.Context, actor ledger.Actor, d Destruction) (Destruction, ledger.Receipt, error) {
	fail := func(err error) (Destruction, ledger.Receipt, error) {
		return Destruction{}, ledger.Receipt{}, err
	}
	h, err := s.cfg.Store.Holding(ctx, d.Holding)
	if err == nil && (actor.Kind != "system" || actor.ID != h.System) {
		err = fmt.Errorf("%w: holding", ErrNotFound) // another's copy is nobody's business
	}
	if err != nil {
		return fail(err)
	}
	if !h.Ended.IsZero() {
		return fail(fmt.Errorf("%w: %s", ErrEnded, h.ID))
	}
	now := s.now()
	d.Payload, d.System = h.Payload, h.System
	if err := d.check(h, now); err != nil {
		return fail(err)
	}
	if d.CertDER, err = s.cfg.Signing(ctx, h.System); err != nil {
		return fail(fmt.Errorf("sharing: certificate of %s: %w", h.System, err))
	}
	if err := d.Verify(); err != nil {
		return fail(err)
	}
	d.RecordedAt = now
	ev := s.event("sharing.holding.destroyed", h.ID, actor, now)
	ev.Target, ev.Agreement, ev.Payload, ev.Before = h.System, h.Agreement, h.Payload, h.Label.String()
	ev.Details = map[string]string{"resource": h.Resource, "method": d.Method, "evidence_sm3": d.Digest()}
	rc, err := s.cfg.Store.EndHolding(ctx, d, ev)
	return d, rc, err
}

// Recall makes a task: the provider of something in the copy wants it destroyed by a
// day. It is no permission to keep it until then.
func (s *Copies) Recall(ctx context.Context, actor ledger.Actor, t Task) (Task, ledger.Receipt, error) {
	fail := func(err error) (Task, ledger.Receipt, error) { return Task{}, ledger.Receipt{}, err }
	h, err := s.cfg.Store.Holding(ctx, t.Holding)
	if err != nil {
		return fail(err)
	}
	if err := s.provides(ctx, actor, h); err != nil {
		return fail(err)
	}
	now := s.now()
	if t.Note == "" || !plain(t.Note) || t.Due.Before(now.Add(-maxSkew)) || t.Why != WhyProvider && t.Why != WhyRelabel {
		return fail(fmt.Errorf("%w: a task has a ground, a day to come and a note", ErrInvalid))
	}
	t.ID, t.By, t.At, t.Due = s.cfg.NewID(), actor.ID, now, t.Due.UTC().Truncate(time.Millisecond)
	ev := s.event("sharing.holding.recalled", h.ID, actor, now)
	ev.Target, ev.Agreement = h.System, h.Agreement
	ev.Details = map[string]string{"resource": h.Resource, "due": t.Due.Format(time.RFC3339), "why": string(t.Why), "note": t.Note, "task": t.ID}
	rc, err := s.cfg.Store.AddTask(ctx, t, ev)
	return t, rc, err
}

// provides: the actor belongs to the provider of one of the resources in the copy.
func (s *Copies) provides(ctx context.Context, actor ledger.Actor, h Holding) error {
	for _, o := range append([]Origin{{Resource: h.Resource}}, h.Origins...) {
		r, err := s.cfg.Store.Resource(ctx, o.Resource)
		if err != nil {
			return fmt.Errorf("resource %.80q: %w", o.Resource, err)
		}
		if actor.ID != "" && string(r.Provider) == actor.Unit {
			return nil
		}
	}
	return ErrNotProvider
}

// Of lists every copy with the resource in it, for its provider
// (西政办发〔2011〕8号 art. 29: supervise and inspect use).
func (s *Copies) Of(ctx context.Context, actor ledger.Actor, resource, after string, limit int) ([]Copy, error) {
	r, err := s.cfg.Store.Resource(ctx, resource)
	if err == nil && (actor.ID == "" || string(r.Provider) != actor.Unit) {
		err = ErrNotProvider
	}
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.CopiesOf(ctx, resource, after, limit)
}

// In lists what a system keeps or kept.
func (s *Copies) In(ctx context.Context, system, after string, limit int) ([]Copy, error) {
	return s.cfg.Store.CopiesIn(ctx, system, after, limit)
}

func (s *Copies) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Copies) event(typ, holding string, actor ledger.Actor, now time.Time) ledger.Event {
	return ledger.Event{
		ID: s.cfg.NewID(), Type: typ, Class: ledger.ClassAccess, Time: now, Actor: actor,
		Object: ledger.Object{Kind: "holding", ID: holding}, Outcome: ledger.Success,
	}
}
