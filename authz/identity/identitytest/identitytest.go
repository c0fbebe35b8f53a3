// Package identitytest holds the fakes of authz/identity for tests: a Register
// in memory that keeps every promise of the contract, and the Journal that
// stands for the ledger in the fakes of the neighbouring rooms.
package identitytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Journal takes events as the ledger would: it refuses one that has no canonical
// form, and answers a repeated id with the first receipt. The zero Journal is ready.
type Journal struct {
	mu     sync.Mutex
	events []ledger.Event
	byID   map[string]ledger.Receipt
}

// Record checks ev and keeps it.
func (j *Journal) Record(ev ledger.Event) (ledger.Receipt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if rc, ok := j.byID[ev.ID]; ok {
		return rc, nil
	}
	if _, err := ledger.Encode(ev); err != nil {
		return ledger.Receipt{}, err
	}
	if j.byID == nil {
		j.byID = map[string]ledger.Receipt{}
	}
	rc := ledger.Receipt{EntryID: ev.ID, Seq: uint64(len(j.events)), Promise: ledger.Integrated}
	j.byID[ev.ID] = rc
	j.events = append(j.events, ev)
	return rc, nil
}

// Events returns a copy of what was recorded.
func (j *Journal) Events() []ledger.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

// Types returns the types of what was recorded, in order.
func (j *Journal) Types() []string {
	var out []string
	for _, ev := range j.Events() {
		out = append(out, ev.Type)
	}
	return out
}

// Register is identity.Register in memory. New makes one.
type Register struct {
	Journal
	mu       sync.Mutex
	agencies map[identity.USCC]identity.Agency
	persons  map[string]identity.Person
	systems  map[string]identity.System
	posts    []identity.Post
}

var _ identity.Register = (*Register)(nil)

// New returns an empty Register.
func New() *Register {
	return &Register{
		agencies: map[identity.USCC]identity.Agency{},
		persons:  map[string]identity.Person{},
		systems:  map[string]identity.System{},
	}
}

// add is one transaction: the row is kept only when the event is.
func add[K comparable, V any](r *Register, rows map[K]V, id K, row V, valid error, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if valid != nil {
		return ledger.Receipt{}, valid
	}
	if _, ok := rows[id]; ok {
		return ledger.Receipt{}, fmt.Errorf("%w: %v", identity.ErrExists, id)
	}
	rc, err := r.Record(ev)
	if err == nil {
		rows[id] = row
	}
	return rc, err
}

func get[K comparable, V any](r *Register, rows map[K]V, id K) (V, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := rows[id]
	if !ok {
		return row, fmt.Errorf("%w: %v", identity.ErrNotFound, id)
	}
	return row, nil
}

// AddAgency keeps a valid agency once.
func (r *Register) AddAgency(_ context.Context, a identity.Agency, ev ledger.Event) (ledger.Receipt, error) {
	return add(r, r.agencies, a.USCC, a, a.Validate(), ev)
}

// AddPerson keeps a valid person once.
func (r *Register) AddPerson(_ context.Context, p identity.Person, ev ledger.Event) (ledger.Receipt, error) {
	return add(r, r.persons, p.ID, p, p.Validate(), ev)
}

// AddSystem keeps a valid system once.
func (r *Register) AddSystem(_ context.Context, s identity.System, ev ledger.Event) (ledger.Receipt, error) {
	return add(r, r.systems, s.ID, s, s.Validate(), ev)
}

// AddPost keeps a valid post once.
func (r *Register) AddPost(_ context.Context, p identity.Post, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := p.Validate(); err != nil {
		return ledger.Receipt{}, err
	}
	if !r.persons[p.Person].LeftAt.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", identity.ErrLeft, p.Person)
	}
	for _, q := range r.posts {
		if q.ID == p.ID {
			return ledger.Receipt{}, fmt.Errorf("%w: %s", identity.ErrExists, p.ID)
		}
	}
	rc, err := r.Record(ev)
	if err == nil {
		r.posts = append(r.posts, p)
	}
	return rc, err
}

// SetPersonKey sets key and certificate of a known person.
func (r *Register) SetPersonKey(_ context.Context, person, keyID string, certDER []byte, ev ledger.Event) (ledger.Receipt, error) {
	return r.change(person, ev, func(p *identity.Person) { p.KeyID, p.CertDER = keyID, slices.Clone(certDER) })
}

// EndPost ends a term that covers until.
func (r *Register) EndPost(_ context.Context, id string, until time.Time, ev ledger.Event) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.posts, func(p identity.Post) bool { return p.ID == id && p.HeldAt(until) })
	if i < 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", identity.ErrNotFound, id)
	}
	rc, err := r.Record(ev)
	if err == nil {
		r.posts[i].Until = until
	}
	return rc, err
}

// Leave marks a person as gone and ends the terms that are not over.
func (r *Register) Leave(_ context.Context, person string, at time.Time, ev ledger.Event) (ledger.Receipt, error) {
	return r.change(person, ev, func(p *identity.Person) {
		p.LeftAt = at
		for i, q := range r.posts {
			if q.Person == person && (q.Until.IsZero() || q.Until.After(at)) {
				r.posts[i].Until = at
				if q.From.After(at) {
					r.posts[i].Until = q.From
				}
			}
		}
	})
}

func (r *Register) change(person string, ev ledger.Event, edit func(*identity.Person)) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.persons[person]
	if !ok {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", identity.ErrNotFound, person)
	}
	if !p.LeftAt.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: %s", identity.ErrLeft, person)
	}
	rc, err := r.Record(ev)
	if err == nil {
		edit(&p)
		r.persons[person] = p
	}
	return rc, err
}

// Agency returns ErrNotFound for an unknown one.
func (r *Register) Agency(_ context.Context, id identity.USCC) (identity.Agency, error) {
	return get(r, r.agencies, id)
}

// Person returns ErrNotFound for an unknown one.
func (r *Register) Person(_ context.Context, id string) (identity.Person, error) {
	return get(r, r.persons, id)
}

// System returns ErrNotFound for an unknown one.
func (r *Register) System(_ context.Context, id string) (identity.System, error) {
	return get(r, r.systems, id)
}

// PostsOf returns all posts of a person, past ones too.
func (r *Register) PostsOf(_ context.Context, person string) ([]identity.Post, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []identity.Post
	for _, p := range r.posts {
		if p.Person == person {
			out = append(out, p)
		}
	}
	return out, nil
}

// Agencies returns all, by code.
func (r *Register) Agencies(context.Context) ([]identity.Agency, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []identity.Agency
	for _, a := range r.agencies {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b identity.Agency) int { return strings.Compare(string(a.USCC), string(b.USCC)) })
	return out, nil
}

// Systems returns all, by id.
func (r *Register) Systems(context.Context) ([]identity.System, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []identity.System
	for _, s := range r.systems {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b identity.System) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
