package authzen

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// register is a small world for the real decision point: systems a1, a2 of
// agency A (S3A3, S2A2), b1 of agency B; resource r3 needs S3A3, r1 S1A1; both
// belong to A.
type register struct {
	identity.Reader // methods that the tests do not reach
	mu              sync.Mutex
	events          []ledger.Event // guarded by mu
	failing         error
	more            int // further resources, all like r1
	// entered hears of each question that comes as far as the facts, where it waits for
	// waits; nil: none does.
	entered, waits chan struct{}
}

func (r *register) System(_ context.Context, id string) (identity.System, error) {
	of := map[string]identity.USCC{"a1": "A", "a2": "A", "b1": "B"}
	if r.failing != nil {
		return identity.System{}, r.failing
	}
	if of[id] == "" {
		return identity.System{}, identity.ErrNotFound
	}
	return identity.System{ID: id, Agency: of[id]}, nil
}

func (r *register) Person(_ context.Context, id string) (identity.Person, error) {
	if id != "zhang" {
		return identity.Person{}, identity.ErrNotFound
	}
	return identity.Person{ID: id, Agency: "A"}, nil
}

func (r *register) Load(ctx context.Context, q authz.Request) (authz.Snapshot, error) {
	if r.waits != nil {
		select {
		case r.entered <- struct{}{}:
		default:
		}
		<-r.waits
	}
	party := func(id string) *authz.Party {
		sys, err := r.System(ctx, id)
		if err != nil {
			return nil
		}
		g := map[string]level.Grade{"a1": {S: 3, A: 3}, "a2": {S: 2, A: 2}, "b1": {S: 3, A: 3}}[id]
		return &authz.Party{System: sys, Agency: identity.Agency{USCC: sys.Agency, Name: "样例" + string(sys.Agency)},
			Grading: &grading.Record{System: id, Grade: g, State: grading.StateCertified}}
	}
	s := authz.Snapshot{Revision: 1, Subject: party(q.SubjectID), Target: party(q.Target)}
	n := map[string]uint8{"r3": 3, "r1": 1}[q.Resource]
	if strings.HasPrefix(q.Resource, "x") {
		n = 1
	}
	if n > 0 {
		s.Item = &authz.Item{Resource: sharing.Resource{ID: q.Resource, Provider: "A", Items: []string{"name"},
			Label: level.Label{Level: level.Level(n), RequiredS: n, RequiredA: n}}}
	}
	return s, nil
}

func (r *register) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	if r.failing != nil {
		return ledger.Receipt{}, r.failing
	}
	if _, err := ledger.Encode(ev); err != nil {
		return ledger.Receipt{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Shard: 4, Seq: uint64(len(r.events)), Promise: ledger.Integrated}, nil
}

// behind is the part of sorted ids after one, as a store would read it.
func behind(ids []string, after string, limit int) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id <= after })
	return ids[:min(limit, len(ids))]
}

func (r *register) Subjects(ctx context.Context, caller, kind, after string, limit int) ([]string, error) {
	sys, err := r.System(ctx, caller)
	if err != nil {
		return nil, unlessUnknown(err)
	}
	if kind != "system" || sys.Agency != "A" {
		return nil, nil
	}
	return behind([]string{"a1", "a2"}, after, limit), nil
}

func (r *register) Resources(_ context.Context, _, kind, after string, limit int) ([]string, error) {
	if kind != "resource" {
		return nil, r.failing
	}
	ids := []string{"r1", "r3"}
	for i := range r.more {
		ids = append(ids, fmt.Sprintf("x%04d", i))
	}
	return behind(ids, after, limit), r.failing
}

func actionNames() (out []string) {
	for _, a := range authz.Actions() {
		out = append(out, string(a))
	}
	return out
}

// serve authenticates by a header, as the mTLS edge would by a certificate.
func serve(t *testing.T, reg *register) http.Handler {
	t.Helper()
	return serveWith(t, reg, nil)
}

func serveWith(t *testing.T, reg *register, domains Domains) http.Handler {
	t.Helper()
	var ids atomic.Int32
	pdp, err := authz.New(t.Context(), authz.Config{
		Facts: reg, Recorder: reg,
		Now:   func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
		NewID: func() string { return fmt.Sprintf("d-%d", ids.Add(1)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{
		Decider: Guarded{pdp}, Domains: domains, MayAsk: OwnAgency{reg}, Candidates: reg, Actions: actionNames(), Identifier: "https://pdp.example.gov.cn",
		Caller: func(r *http.Request) (ledger.Actor, bool) {
			who := r.Header.Get("Test-Caller")
			return ledger.Actor{Kind: "system", ID: who, Certificate: "5a"}, who != ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func post(h http.Handler, path, caller, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Test-Caller", caller)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
