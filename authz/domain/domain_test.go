package domain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/domain/domaintest"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sandbox"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command {
		os.Exit(sandbox.Child(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

const unit = identity.USCC("11110000MB1234567M")

// world is everything around the room: a register that checks itself, systems of one
// unit, a catalogue, a ledger and an archive.
type world struct {
	domaintest.Register
	*domain.Service
	t *testing.T

	mu        sync.Mutex
	now       time.Time
	catalogue []string
	events    []ledger.Event
	kept      map[string][]byte
	answer    domain.Answer
	failing   error // of the ledger
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), kept: map[string][]byte{}, answer: domain.Answer{ID: "a-1", Yes: true}}
	n := 0
	var err error
	w.Service, err = domain.New(domain.Config{
		Register: &w.Register, Catalogue: w, Systems: w, Approver: w, Recorder: w, Archive: w,
		Sandbox: sandbox.Config{Limits: sandbox.Limits{Memory: 96 << 20}},
		Now:     func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		NewID:   func() string { w.mu.Lock(); defer w.mu.Unlock(); n++; return fmt.Sprintf("id-%03d", n) },
	})
	ok(t, err)
	t.Cleanup(func() { ok(t, w.Close()) })
	return w
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) Catalogued(_ context.Context, ids []string) (out []string, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if slices.Contains(w.catalogue, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

func (w *world) System(_ context.Context, id string) (identity.System, error) {
	if !strings.HasPrefix(id, "sys-") {
		return identity.System{}, identity.ErrNotFound
	}
	return identity.System{ID: id, Agency: unit}, nil
}

func (w *world) Answer(context.Context, domain.Version) (domain.Answer, error) {
	if w.answer.ID == "" {
		return domain.Answer{}, domain.ErrNotApproved
	}
	return w.answer, nil
}

// Record shadows the journal of the register: decisions have no row.
func (w *world) Record(_ context.Context, ev ledger.Event) (ledger.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing != nil {
		return ledger.Receipt{}, w.failing
	}
	if _, err := ledger.Encode(ev); err != nil {
		return ledger.Receipt{}, err
	}
	w.events = append(w.events, ev)
	return ledger.Receipt{EntryID: ev.ID, Seq: uint64(len(w.events))}, nil
}

func (w *world) Keep(_ context.Context, docs map[string][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sum, raw := range docs {
		w.kept[sum] = raw
	}
	return nil
}

func (w *world) Kept(_ context.Context, sum string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if raw := w.kept[sum]; raw != nil {
		return raw, nil
	}
	return nil, errors.New("not kept")
}

func system(id string) ledger.Actor {
	return ledger.Actor{Kind: "system", ID: id, Unit: string(unit)}
}

// bundle of one module, with a case that permits and one that refuses.
func bundle(name, owner, kind, rules string) domain.Bundle {
	b := domain.Bundle{
		Domain: name, Name: "样例应用", System: owner, Resources: []string{kind}, Subjects: []string{"user"}, Actions: []string{"read", "write", "loop", "bomb", "odd"},
		Input: domain.Input{
			Subject: map[string]domain.Type{"level": domain.TypeNumber, "role": domain.TypeString}, Action: map[string]domain.Type{"soft": domain.TypeBoolean},
			Context: map[string]domain.Type{"tags": domain.TypeStrings, "text": domain.TypeString},
		},
		Modules: map[string]string{"a.rego": "package yinxin.app\n\ndefault allow := false\n\nallow if input.action.name == \"read\"\n\n" + rules},
		Data:    json.RawMessage(`{"subjects":{"user":{"u":{},"v":{}}},"resources":{"` + kind + `":{"r-1":{},"r-2":{}}}}`),
		Cases:   []domain.Case{{Name: "reads", Allow: true}, {Name: "writes"}},
	}
	for i := range b.Cases {
		b.Cases[i].Subject, b.Cases[i].Resource = domain.Entity{Type: "user", ID: "u"}, domain.Entity{Type: kind, ID: "r-1"}
		b.Cases[i].Action.Name = []string{"read", "write"}[i]
	}
	return b
}

func raw(t *testing.T, b domain.Bundle) []byte {
	t.Helper()
	out, err := json.Marshal(b)
	ok(t, err)
	return out
}

func (w *world) inForce(b domain.Bundle) domain.Version {
	w.t.Helper()
	v, _, err := w.Propose(w.t.Context(), system(b.System), raw(w.t, b))
	ok(w.t, err)
	v, _, err = w.Settle(w.t.Context(), ledger.Actor{Kind: "person", ID: "p-1", Unit: string(unit)}, v.ID)
	ok(w.t, err)
	return v
}

func (w *world) of(kind, resource string) *domain.Domain {
	w.t.Helper()
	d, err := w.Of(w.t.Context(), kind, resource)
	ok(w.t, err)
	if d == nil {
		w.t.Fatalf("no domain for %s", kind)
	}
	return d
}

func ask(action string) domain.Question {
	return domain.Question{Caller: system("sys-a"), SubjectType: "user", Subject: "u", Action: action, ResourceType: "record", Resource: "r-1"}
}

// The catalogue and the house's own types are never a domain's, whenever an id came
// into the catalogue.
func TestCoreFirst(t *testing.T) {
	w := newWorld(t)
	w.inForce(bundle("app", "sys-a", "record", ""))
	w.catalogue = []string{"r-1"}
	if d, err := w.Of(t.Context(), "record", "r-1"); d != nil || err != nil {
		t.Errorf("%v %v", d, err)
	}
	for _, kind := range []string{"resource", "holding", "system"} {
		if d, err := w.Of(t.Context(), kind, "x"); d != nil || err != nil {
			t.Errorf("%s: %v %v", kind, d, err)
		}
	}
	if got, err := w.of("record", "").Candidates(t.Context(), domain.KindResource, "record", "", 10); err != nil || !slices.Equal(got, []string{"r-2"}) {
		t.Errorf("%v %v", got, err)
	}
	_, _, err := w.Propose(t.Context(), system("sys-a"), raw(t, bundle("app", "sys-a", "record", "# 2\n")))
	if !errors.Is(err, domain.ErrReserved) {
		t.Errorf("%v", err)
	}
}

// Who proposes, withdraws and asks.
func TestOwners(t *testing.T) {
	w := newWorld(t)
	b := bundle("app", "sys-a", "record", "")
	for name, actor := range map[string]ledger.Actor{
		"another system": system("sys-b"), "a person of another unit": {Kind: "person", ID: "p", Unit: "x"}, "the service": {Kind: "service", ID: "sys-a"},
	} {
		if _, _, err := w.Propose(t.Context(), actor, raw(t, b)); !errors.Is(err, domain.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v := w.inForce(b)
	if _, _, err := w.Withdraw(t.Context(), system("sys-b"), v.ID, "x"); !errors.Is(err, domain.ErrForbidden) {
		t.Errorf("%v", err)
	}
	for _, owner := range []string{"sys-b", "sys-c"} {
		if _, _, err := w.Propose(t.Context(), system(owner), raw(t, bundle("app", owner, "file", ""))); !errors.Is(err, domain.ErrTaken) {
			t.Errorf("the name of %s: %v", owner, err)
		}
	}
	if _, _, err := w.Propose(t.Context(), system("sys-b"), raw(t, bundle("mine", "sys-b", "record", ""))); !errors.Is(err, domain.ErrTaken) {
		t.Errorf("a type of another: %v", err)
	}
	d := w.of("record", "r-1")
	if !d.MayAsk(system("sys-a")) || d.MayAsk(system("sys-b")) || d.MayAsk(ledger.Actor{Kind: "person", ID: "sys-a"}) {
		t.Error("who may ask")
	}
	if _, _, err := w.Withdraw(t.Context(), system("sys-a"), v.ID, ""); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	_, _, err := w.Withdraw(t.Context(), system("sys-a"), v.ID, "样例")
	ok(t, err)
	if d, err := w.Of(t.Context(), "record", "r-1"); d != nil || err != nil {
		t.Errorf("after its withdrawal: %v %v", d, err)
	}
}

// Nothing counts before the leader signed, and a refusal ends a proposal.
func TestApproval(t *testing.T) {
	w := newWorld(t)
	b := bundle("app", "sys-a", "record", "")
	v, _, err := w.Propose(t.Context(), system("sys-a"), raw(t, b))
	ok(t, err)
	leader := ledger.Actor{Kind: "person", ID: "p-1", Unit: string(unit)}
	w.answer = domain.Answer{}
	if _, _, err := w.Settle(t.Context(), leader, v.ID); !errors.Is(err, domain.ErrNotApproved) {
		t.Errorf("%v", err)
	}
	if d, err := w.Of(t.Context(), "record", "r-1"); d != nil || err != nil {
		t.Errorf("%v %v", d, err)
	}
	w.answer = domain.Answer{ID: "a-2"}
	v, _, err = w.Settle(t.Context(), leader, v.ID)
	ok(t, err)
	if v.State != domain.Refused {
		t.Errorf("%+v", v)
	}
	if _, _, err := w.Restore(t.Context(), system("sys-a"), v.ID); !errors.Is(err, domain.ErrState) {
		t.Errorf("what was refused came back: %v", err)
	}
}

// A decision is recorded or it is none; a bundle that was changed in the store serves
// nobody; a replay compares bytes.
func TestRecordAndReplay(t *testing.T) {
	w := newWorld(t)
	v := w.inForce(bundle("app", "sys-a", "record", "reasons contains \"NOT_READ\" if input.action.name == \"write\"\n"))
	d, err := w.of("record", "r-1").Decide(t.Context(), ask("write"))
	if err != nil || d.Allow || d.Reasons[0] != (domain.Reason{Code: domain.CodeDenied, Detail: "NOT_READ"}) {
		t.Fatalf("%+v %v", d, err)
	}
	body, err := ledger.Encode(w.events[len(w.events)-1])
	ok(t, err)
	replay := func() ([]byte, error) {
		again, _, err := domain.Replay(t.Context(), sandbox.Config{}, body, w, &w.Register)
		return again, err
	}
	if again, err := replay(); err != nil || string(again) != string(body) {
		t.Errorf("%s\n%s %v", body, again, err)
	}
	w.kept[d.Input] = []byte(strings.Replace(string(w.kept[d.Input]), "write", "read", 1))
	if _, err := replay(); !errors.Is(err, domain.ErrAltered) {
		t.Errorf("another input: %v", err)
	}
	w.Tamper(v.Digest, func(b []byte) []byte { return []byte(strings.Replace(string(b), `\"read\"`, `\"write\"`, 1)) })
	if _, err := replay(); !errors.Is(err, domain.ErrAltered) {
		t.Errorf("another bundle: %v", err)
	}
	if _, err := newServing(w).Of(t.Context(), "record", "r-1"); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("a bundle that was altered serves: %v", err)
	}
	other := newServing(w)
	w.inForce(bundle("sound", "sys-b", "file", "")) // shares nothing with the one that was altered
	if d, err := other.Of(t.Context(), "file", "r-1"); err != nil || d == nil {
		t.Errorf("beside a bundle that was altered: %v %v", d, err)
	}
	w.failing = errors.New("full")
	if d, err := w.of("record", "r-1").Decide(t.Context(), ask("read")); !errors.Is(err, domain.ErrRecord) || d.Allow {
		t.Errorf("not recorded: %+v %v", d, err)
	}
}

// newServing is another node over the same register.
func newServing(w *world) *domain.Service {
	s, err := domain.New(domain.Config{Register: &w.Register, Catalogue: w, Systems: w, Approver: w, Recorder: w, Archive: w, Now: time.Now, NewID: func() string { return "x" }})
	ok(w.t, err)
	return s
}

// A text that no ledger takes is denied, and nothing of it is written.
func TestUnwritableText(t *testing.T) {
	w := newWorld(t)
	w.inForce(bundle("app", "sys-a", "record", ""))
	q := ask("read")
	q.Subject = "u\x00"
	d, err := w.of("record", "r-1").Decide(t.Context(), q)
	if err != nil || d.Allow || d.Reasons[0].Code != domain.CodeInput || w.events[len(w.events)-1].Details["subject"] != "" {
		t.Errorf("%+v %v", d, err)
	}
}

// While versions replace one another, every question gets the answer of one of them.
func TestReplacedWhileAsked(t *testing.T) {
	w := newWorld(t)
	w.inForce(bundle("app", "sys-a", "record", "# 0\n"))
	stop := make(chan struct{})
	var askers sync.WaitGroup
	for range 8 {
		askers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				d, err := w.Of(t.Context(), "record", "r-1")
				if err != nil || d == nil {
					t.Errorf("%v %v", d, err)
					return
				}
				if out, err := d.Decide(t.Context(), ask("read")); err != nil || !out.Allow {
					t.Errorf("%+v %v", out, err)
					return
				}
			}
		})
	}
	for n := range 5 {
		w.inForce(bundle("app", "sys-a", "record", fmt.Sprintf("# %d\n", n+1)))
	}
	close(stop)
	askers.Wait()
}

// A child that nobody asks is ended, and started again when somebody does.
func TestIdleChildren(t *testing.T) {
	w := newWorld(t)
	w.inForce(bundle("app", "sys-a", "record", ""))
	pass := func(d time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now = w.now.Add(d)
	}
	for range 2 {
		if d, err := w.of("record", "r-1").Decide(t.Context(), ask("read")); err != nil || !d.Allow || w.Running() != 1 {
			t.Fatalf("%+v %v, %d run", d, err, w.Running())
		}
		pass(11 * time.Minute)
		if w.of("record", "r-1"); w.Running() != 0 {
			t.Fatalf("%d run", w.Running())
		}
	}
}

// A domain withdrawn on another node is over here a second later.
func TestOtherNodes(t *testing.T) {
	w := newWorld(t)
	v := w.inForce(bundle("app", "sys-a", "record", ""))
	w.of("record", "r-1")
	_, _, err := newServing(w).Withdraw(t.Context(), system("sys-a"), v.ID, "样例")
	ok(t, err)
	w.mu.Lock()
	w.now = w.now.Add(time.Second + time.Millisecond)
	w.mu.Unlock()
	if d, err := w.Of(t.Context(), "record", "r-1"); d != nil || err != nil {
		t.Errorf("%v %v", d, err)
	}
}
