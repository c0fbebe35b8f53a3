package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/policies"
)

// memory is the readers of all rooms over maps: the facts of cases/world.yaml.
type memory struct {
	Now            time.Time                      `json:"now"`
	AgencyByID     map[string]identity.Agency     `json:"agencies"`
	PersonByID     map[string]identity.Person     `json:"persons"`
	PostByID       map[string]identity.Post       `json:"posts"`
	SystemByID     map[string]identity.System     `json:"systems"`
	GradingByID    map[string]grading.Record      `json:"gradings"`
	ResourceByID   map[string]sharing.Resource    `json:"resources"`
	AgreementByID  map[string]sharing.Agreement   `json:"agreements"`
	HoldingByID    map[string]sharing.Holding     `json:"holdings"`
	GrantByID      map[string]Granted             `json:"grants"` // by person/id
	BoundByID      map[string]*Bound              `json:"bounds"`
	StandingByID   map[string]sharing.Standing    `json:"standings"`
	ConsentByID    map[string]Quotable            `json:"consents"`
	failOn         string                         // name of a method that fails
	agreementIndex map[string][]sharing.Agreement // by resource, made on first use
	once           sync.Once
}

var errStore = errors.New("store is down")

func get[K ~string, V any](m *memory, name string, from map[string]V, id K, missing error) (V, error) {
	if m.failOn == name {
		var zero V
		return zero, errStore
	}
	v, ok := from[string(id)]
	if !ok {
		return v, fmt.Errorf("%s: %w", id, missing)
	}
	return v, nil
}

func (m *memory) Agency(_ context.Context, id identity.USCC) (identity.Agency, error) {
	return get(m, "agency", m.AgencyByID, id, identity.ErrNotFound)
}
func (m *memory) Person(_ context.Context, id string) (identity.Person, error) {
	return get(m, "person", m.PersonByID, id, identity.ErrNotFound)
}
func (m *memory) System(_ context.Context, id string) (identity.System, error) {
	return get(m, "system", m.SystemByID, id, identity.ErrNotFound)
}
func (m *memory) Grading(_ context.Context, id string) (grading.Record, error) {
	return get(m, "grading", m.GradingByID, id, grading.ErrNotFound)
}
func (m *memory) Resource(_ context.Context, id string) (sharing.Resource, error) {
	return get(m, "resource", m.ResourceByID, id, sharing.ErrNotFound)
}
func (m *memory) Agreement(_ context.Context, id string) (sharing.Agreement, error) {
	return get(m, "agreement", m.AgreementByID, id, sharing.ErrNotFound)
}
func (m *memory) Holding(_ context.Context, id string) (sharing.Holding, error) {
	return get(m, "holding", m.HoldingByID, id, sharing.ErrNotFound)
}
func (m *memory) Bound(_ context.Context, system string) (*Bound, error) {
	if m.failOn == "bound" {
		return nil, errStore
	}
	return m.BoundByID[system], nil
}
func (m *memory) GrantsFor(_ context.Context, person string) (out []Granted, err error) {
	if m.failOn == "grants" {
		return nil, errStore
	}
	for id, g := range m.GrantByID {
		if strings.HasPrefix(id, person+"/") {
			out = append(out, g)
		}
	}
	return out, nil
}

func (m *memory) Standing(_ context.Context, r sharing.Resource, agency identity.USCC) (sharing.Standing, error) {
	if m.failOn == "standing" {
		return sharing.Standing{}, errStore
	}
	return m.StandingByID[r.ID+"/"+string(agency)], nil
}

func (m *memory) QuotesOf(_ context.Context, resource string, consumer identity.USCC) (out []Quotable, err error) {
	if m.failOn == "quotes" {
		return nil, errStore
	}
	for _, q := range m.ConsentByID {
		if q.Resource == resource && q.Consumer == consumer {
			out = append(out, q)
		}
	}
	return out, nil
}

func (m *memory) Revision(context.Context) (int64, error) {
	if m.failOn == "revision" {
		return 0, errStore
	}
	return 7, nil
}
func (m *memory) Agencies(context.Context) ([]identity.Agency, error) { return nil, nil }
func (m *memory) Systems(context.Context) ([]identity.System, error)  { return nil, nil }

func (m *memory) PostsOf(_ context.Context, person string) (out []identity.Post, err error) {
	for _, p := range m.PostByID {
		if p.Person == person {
			out = append(out, p)
		}
	}
	return out, nil
}

func (m *memory) Agreements(_ context.Context, resource string, consumer identity.USCC) (out []sharing.Agreement, err error) {
	m.once.Do(func() {
		m.agreementIndex = map[string][]sharing.Agreement{}
		for _, a := range m.AgreementByID {
			m.agreementIndex[a.Resource] = append(m.agreementIndex[a.Resource], a)
		}
	})
	for _, a := range m.agreementIndex[resource] {
		if a.Consumer == consumer {
			out = append(out, a)
		}
	}
	return out, nil
}

func (m *memory) HoldingsOf(_ context.Context, system string) (out []sharing.Holding, err error) {
	for _, h := range m.HoldingByID {
		if h.System == system && h.Ended.IsZero() {
			out = append(out, h)
		}
	}
	return out, nil
}

// newWorld reads cases/world.yaml with the changes of one case laid over it.
func newWorld(t testing.TB, changes map[string]any) *memory {
	t.Helper()
	base := map[string]any{}
	readYAML(t, "cases/world.yaml", &base)
	raw, err := json.Marshal(overlay(base, changes))
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{}
	if err := json.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func overlay(base, changes map[string]any) map[string]any {
	out := maps.Clone(base)
	for k, v := range changes {
		sub, isMap := v.(map[string]any)
		old, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			out[k] = overlay(old, sub)
		} else {
			out[k] = v
		}
	}
	return out
}

func readYAML(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := fs.ReadFile(policies.Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// book is a Recorder that keeps the rules of the ledger: an id once, a time in
// whole milliseconds, an outcome, and no event without a decision.
type book struct {
	mu     sync.Mutex
	events []ledger.Event
	ids    map[string]bool
	err    error
}

func (b *book) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return ledger.Receipt{}, b.err
	}
	bad := ev.ID == "" || b.ids[ev.ID] || !ev.Time.Equal(ev.Time.Truncate(time.Millisecond)) || ev.Time.Location() != time.UTC ||
		ev.Type != EventDecision || ev.Class != ledger.ClassAccess ||
		(ev.Decision == "allow") != (ev.Outcome == ledger.Success) || (ev.Decision == "allow") != (len(ev.Reasons) == 0)
	if ev.Type == EventSearch {
		bad = b.ids[ev.ID] || ev.Decision != "" || ev.Class != ledger.ClassAccess
	}
	if _, err := ledger.Encode(ev); err != nil {
		return ledger.Receipt{}, err
	}
	if bad {
		return ledger.Receipt{}, fmt.Errorf("%w: %+v", ledger.ErrInvalidEvent, ev)
	}
	if b.ids == nil {
		b.ids = map[string]bool{}
	}
	b.ids[ev.ID] = true
	b.events = append(b.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Shard: 1, Seq: uint64(len(b.events) - 1), Promise: ledger.Integrated}, nil
}

// compiled is one decision point with the default site, made once: only its
// prepared rules are shared by tests.
var compiled = sync.OnceValues(func() (*PDP, error) {
	return New(context.Background(), Config{Facts: failing{}, Recorder: &book{}, Now: time.Now})
})

func newPDP(t testing.TB, m *memory, site []byte) (*PDP, *book) {
	t.Helper()
	b := &book{}
	c := Config{
		Facts:    NewFacts(FactsConfig{People: m, Grading: m, Sharing: m, Revision: m, Peers: m, Grants: m, Copies: m, Quotes: m}),
		Recorder: b, Site: site, Now: func() time.Time { return m.Now },
	}
	if site != nil {
		p, err := New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return p, b
	}
	base, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return &PDP{
		facts: c.Facts, recorder: b, now: c.Now, newID: base.newID, timeout: base.timeout, table: base.table, input: base.input,
		core: base.core, site: base.site, siteAsks: base.siteAsks, digests: base.digests, policy: base.policy, slots: base.slots,
	}, b
}
