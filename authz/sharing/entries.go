package sharing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Change is one version of an entry: who made it when, and why.
type Change struct {
	Revision int           `json:"revision"`
	Event    string        `json:"event"` // of the ledger
	By       string        `json:"by"`
	Unit     identity.USCC `json:"unit"`
	Why      string        `json:"why"`
	At       time.Time     `json:"at"`
	Entry    Entry         `json:"entry"`
}

// Withheld states that a resource is kept out of the catalogue, and why
// (西政办发〔2014〕14号 art. 16: 书面说明); the statement itself is on paper, sealed.
type Withheld struct {
	ID        string        `json:"id"`
	Provider  identity.USCC `json:"provider"`
	Name      string        `json:"name"` // what it is about, without its content
	Reason    string        `json:"reason"`
	Statement string        `json:"statement_sm3"`
	By        string        `json:"by"`
	At        time.Time     `json:"at"`
}

// EntryQuery selects entries, in order of id. Zero values select all.
type EntryQuery struct {
	Text     string // in name or code
	Provider identity.USCC
	After    string // id
	Limit    int
}

// Imported is the outcome of an import, or what one would do.
type Imported struct {
	Entries   int         `json:"entries"`
	Added     int         `json:"added"`
	Changed   int         `json:"changed"`
	Unchanged int         `json:"unchanged"`
	Wrong     []LineError `json:"wrong,omitempty"` // none: it may be imported
	DryRun    bool        `json:"dry_run"`
}

// EntryStore keeps entries; see identity.Register for the promises.
type EntryStore interface {
	// PutEntries adds entries or changes them, all or none, each with its Change. Inside
	// the transaction it refuses with ErrLowered and ErrNotProvider what against refuses.
	PutEntries(ctx context.Context, entries []Entry, c Change, ev ledger.Event) (ledger.Receipt, error)
	// EntriesByID returns those that are there; one without metadata has none.
	EntriesByID(ctx context.Context, ids []string) (map[string]Entry, error)
	FindEntries(ctx context.Context, q EntryQuery) ([]Entry, error)
	// Changes of one entry, newest first.
	Changes(ctx context.Context, id string) ([]Change, error)
	AddWithheld(ctx context.Context, w Withheld, ev ledger.Event) (ledger.Receipt, error)
	// WithheldBy lists statements, newest first; all for "".
	WithheldBy(ctx context.Context, provider identity.USCC) ([]Withheld, error)
}

// EntriesConfig of Entries. Every field is required.
type EntriesConfig struct {
	Store     EntryStore
	Directory Directory
	Now       func() time.Time
	NewID     func() string // UUIDv7
}

// Entries is the catalogue with its metadata: import and search (2014 rule art. 14-16).
type Entries struct{ cfg EntriesConfig }

// NewEntries refuses an incomplete EntriesConfig.
func NewEntries(c EntriesConfig) (*Entries, error) {
	if c.Store == nil || c.Directory == nil || c.Now == nil || c.NewID == nil {
		return nil, errors.New("sharing: EntriesConfig lacks Store, Directory, Now or NewID")
	}
	return &Entries{c}, nil
}

// Import takes a file of the actor's own unit: all lines or, when one is wrong, none.
// With dry it only says what would happen.
func (s *Entries) Import(ctx context.Context, actor ledger.Actor, format EntryFormat, data []byte, why string, dry bool) (Imported, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if actor.ID == "" || actor.Unit == "" || why == "" || !plain(why) {
		return Imported{}, none, fmt.Errorf("%w: an import has an actor and a reason", ErrInvalid)
	}
	if _, err := s.cfg.Directory.Agency(ctx, identity.USCC(actor.Unit)); err != nil {
		return Imported{}, none, fmt.Errorf("provider %s: %w", actor.Unit, err)
	}
	entries, wrong, err := ReadEntries(format, data)
	if err != nil {
		return Imported{}, none, err
	}
	out, fresh, err := s.plan(ctx, identity.USCC(actor.Unit), format, entries, wrong)
	out.DryRun = dry
	if err != nil || dry || len(out.Wrong) > 0 || len(fresh) == 0 {
		return out, none, err
	}
	now, sum := s.now(), sm3.Sum(data)
	for i := range fresh {
		fresh[i].UpdatedAt = now
	}
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: "sharing.catalogue.imported", Class: ledger.ClassAdmin, Time: now, Actor: actor,
		Object: ledger.Object{Kind: "catalogue", ID: actor.Unit}, Outcome: ledger.Success, Payload: hex.EncodeToString(sum[:]),
		Details: map[string]string{"added": strconv.Itoa(out.Added), "changed": strconv.Itoa(out.Changed), "unchanged": strconv.Itoa(out.Unchanged), "reason": why},
	}
	rc, err := s.cfg.Store.PutEntries(ctx, fresh, Change{Event: ev.ID, By: actor.ID, Unit: identity.USCC(actor.Unit), Why: why, At: now}, ev)
	return out, rc, err
}

// plan checks every line and returns the entries that are new or changed.
func (s *Entries) plan(ctx context.Context, unit identity.USCC, format EntryFormat, entries []Entry, wrong []LineError) (Imported, []Entry, error) {
	out := Imported{Entries: len(entries), Wrong: wrong}
	line := func(i int) int {
		if format == FormatCSV {
			return i + 2
		}
		return i + 1
	}
	add := func(i int, e *FieldError) {
		// A cell that could not be read was said already.
		told := slices.ContainsFunc(wrong, func(w LineError) bool { return w.Line == line(i) && w.Field == e.Field })
		if !told && len(out.Wrong) < maxLineErrs {
			out.Wrong = append(out.Wrong, LineError{line(i), e.Field, e.Code})
		}
	}
	seen, systems := map[string]bool{}, map[string]bool{}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
		for _, err := range e.Validate() {
			add(i, err)
		}
		if seen[e.ID] {
			add(i, &FieldError{"code", LineTwice, ErrExists})
		}
		if e.Provider != unit {
			add(i, &FieldError{"provider", LineProvider, ErrNotProvider})
		}
		known, err := s.carries(ctx, systems, e)
		if err != nil {
			return out, nil, err
		}
		if !known {
			add(i, &FieldError{"system", LineUnknown, identity.ErrNotFound})
		}
		seen[e.ID] = true
	}
	there, err := s.cfg.Store.EntriesByID(ctx, ids)
	if err != nil {
		return out, nil, err
	}
	var fresh []Entry
	for i, e := range entries {
		old, had := there[e.ID]
		if !had {
			out.Added++
			fresh = append(fresh, e)
			continue
		}
		if err := e.against(old.Resource); err != nil {
			add(i, err)
		}
		if e.same(old) {
			out.Unchanged++
			continue
		}
		out.Changed++
		fresh = append(fresh, e)
	}
	slices.SortStableFunc(out.Wrong, func(a, b LineError) int { return a.Line - b.Line })
	return out, fresh, nil
}

// carries: the carrying system is the provider's, or none is named.
func (s *Entries) carries(ctx context.Context, asked map[string]bool, e Entry) (bool, error) {
	if e.System == "" {
		return true, nil
	}
	key := string(e.Provider) + "\n" + e.System
	if known, was := asked[key]; was {
		return known, nil
	}
	sys, err := s.cfg.Directory.System(ctx, e.System)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return false, fmt.Errorf("system %.80q: %w", e.System, err)
	}
	asked[key] = err == nil && sys.Agency == e.Provider
	return asked[key], nil
}

// same: nothing but the time of the change would change.
func (e Entry) same(old Entry) bool {
	cells := func(e Entry) (out []string) {
		for _, c := range columns() {
			out = append(out, c.get(&e))
		}
		return append(out, strconv.FormatBool(e.Sample))
	}
	return slices.Equal(cells(e), cells(old))
}

// Entry returns one with its changes, newest first.
func (s *Entries) Entry(ctx context.Context, id string) (Entry, []Change, error) {
	got, err := s.cfg.Store.EntriesByID(ctx, []string{id})
	if err != nil {
		return Entry{}, nil, err
	}
	e, there := got[id]
	if !there {
		return Entry{}, nil, fmt.Errorf("%w: resource %.80q", ErrNotFound, id)
	}
	changes, err := s.cfg.Store.Changes(ctx, id)
	return e, changes, err
}

// Find lists entries in order of id.
func (s *Entries) Find(ctx context.Context, q EntryQuery) ([]Entry, error) {
	return s.cfg.Store.FindEntries(ctx, q)
}

// Withhold records that a resource is kept out of the catalogue.
func (s *Entries) Withhold(ctx context.Context, actor ledger.Actor, w Withheld) (Withheld, ledger.Receipt, error) {
	fail := func(err error) (Withheld, ledger.Receipt, error) { return Withheld{}, ledger.Receipt{}, err }
	if actor.ID == "" || w.Name == "" || w.Reason == "" || !plain(w.Name) || !plain(w.Reason) || namesStateSecret(w.Name) || !isDigest(w.Statement) {
		return fail(fmt.Errorf("%w: what is withheld, why, and the digest of the statement", ErrInvalid))
	}
	if _, err := s.cfg.Directory.Agency(ctx, identity.USCC(actor.Unit)); err != nil {
		return fail(fmt.Errorf("provider %s: %w", actor.Unit, err))
	}
	w.ID, w.Provider, w.By, w.At = s.cfg.NewID(), identity.USCC(actor.Unit), actor.ID, s.now()
	ev := ledger.Event{
		ID: s.cfg.NewID(), Type: "sharing.catalogue.withheld", Class: ledger.ClassAdmin, Time: w.At, Actor: actor,
		Object: ledger.Object{Kind: "catalogue", ID: w.ID}, Outcome: ledger.Success, Payload: w.Statement,
		Details: map[string]string{"provider": string(w.Provider), "name": w.Name, "reason": w.Reason},
	}
	rc, err := s.cfg.Store.AddWithheld(ctx, w, ev)
	return w, rc, err
}

// WithheldBy lists the statements of a provider, newest first; all for "".
func (s *Entries) WithheldBy(ctx context.Context, provider identity.USCC) ([]Withheld, error) {
	return s.cfg.Store.WithheldBy(ctx, provider)
}

func (s *Entries) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// Against is what a store refuses a change of an entry for.
func (e Entry) Against(old Resource) error {
	if err := e.against(old); err != nil {
		return err
	}
	return nil
}
