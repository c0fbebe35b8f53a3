package domaintest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Run is the conformance suite of domain.Register.
func Run(t *testing.T, open func(*testing.T) domain.Register) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, domain.Register){
		"a version keeps what was proposed":    kept,
		"a domain is proposed by one of eight": proposedOnce,
		"a name is one system's for good":      owned,
		"a version replaces the one it names":  replaced,
		"a resource type is one domain's":      typed,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func event(v domain.Version) ledger.Event {
	return ledger.Event{
		ID: newID(), Type: "authz.domain.proposed", Class: ledger.ClassAdmin, Time: v.AskedAt, Actor: ledger.Actor{Kind: "system", ID: v.AskedBy},
		Object: ledger.Object{Kind: "app_domain", ID: v.ID}, Outcome: ledger.Success, Payload: v.Digest,
	}
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func version(name, system string, types ...string) domain.Version {
	return domain.Version{
		ID: newID(), Domain: name, Name: "样例应用", Digest: digest, System: system, Unit: "11110000MB1234567M", Types: types, Passed: 3,
		AskedBy: system, AskedAt: time.Now().UTC().Truncate(time.Millisecond), State: domain.Proposed,
	}
}

func add(t *testing.T, r domain.Register, v domain.Version) domain.Version {
	t.Helper()
	if _, err := r.AddVersion(context.Background(), v, []byte(`{"a":1}`), event(v)); err != nil {
		t.Fatal(err)
	}
	return v
}

func settle(r domain.Register, v domain.Version) error {
	v.State, v.Approval, v.SettledAt = domain.InForce, "a-1", v.AskedAt.Add(time.Minute)
	_, err := r.MoveVersion(context.Background(), v, domain.Proposed, event(v))
	return err
}

func withdraw(r domain.Register, v domain.Version, from domain.State) error {
	v.State, v.EndedBy, v.EndReason, v.EndedAt = domain.Withdrawn, "p-1", "样例", v.AskedAt.Add(time.Hour)
	_, err := r.MoveVersion(context.Background(), v, from, event(v))
	return err
}

func wants(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func kept(t *testing.T, r domain.Register) {
	ctx := context.Background()
	v := add(t, r, version("app", "sys-a", "record", "case"))
	got, err := r.Version(ctx, v.ID)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Fatalf("%+v, %v, want %+v", got, err, v)
	}
	if raw, err := r.Bundle(ctx, digest); err != nil || string(raw) != `{"a":1}` {
		t.Errorf("%s %v", raw, err)
	}
	moved := v
	moved.Name, moved.Types = "other", []string{"other"}
	if err := settle(r, moved); err != nil {
		t.Fatal(err)
	}
	got, err = r.Version(ctx, v.ID)
	if err != nil || got.State != domain.InForce || got.Name != v.Name || len(got.Types) != 2 || got.Approval != "a-1" || got.SettledAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	for unit, n := range map[identity.USCC]int{"": 1, v.Unit: 1, "other": 0} {
		if all, err := r.Versions(ctx, unit, domain.InForce); err != nil || len(all) != n {
			t.Errorf("%q: %d %v", unit, len(all), err)
		}
	}
	wants(t, settle(r, v), domain.ErrState)
	wants(t, withdraw(r, v, domain.Proposed), domain.ErrState)
	_, err = r.Version(ctx, "none")
	wants(t, err, domain.ErrNotFound)
	_, err = r.Bundle(ctx, "none")
	wants(t, err, domain.ErrNotFound)
	wants(t, settle(r, version("none", "sys-a", "x")), domain.ErrNotFound)
}

func proposedOnce(t *testing.T, r domain.Register) {
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v := version("app", "sys-a", "record")
			switch _, err := r.AddVersion(context.Background(), v, []byte(`{}`), event(v)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, domain.ErrExists):
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d proposals", won.Load())
	}
}

func owned(t *testing.T, r domain.Register) {
	ctx := context.Background()
	v := add(t, r, version("app", "sys-a", "record"))
	if err := withdraw(r, v, domain.Proposed); err != nil {
		t.Fatal(err)
	}
	other := version("app", "sys-b", "record")
	_, err := r.AddVersion(ctx, other, []byte(`{}`), event(other))
	wants(t, err, domain.ErrTaken)
	if owner, err := r.Owner(ctx, "app"); owner != "sys-a" || err != nil {
		t.Errorf("%q %v", owner, err)
	}
	_, err = r.Owner(ctx, "none")
	wants(t, err, domain.ErrNotFound)
}

func replaced(t *testing.T, r domain.Register) {
	first := add(t, r, version("app", "sys-a", "record"))
	if err := settle(r, first); err != nil {
		t.Fatal(err)
	}
	blind := add(t, r, version("app", "sys-a", "record"))
	wants(t, settle(r, blind), domain.ErrState) // names none, and there is one
	if err := withdraw(r, blind, domain.Proposed); err != nil {
		t.Fatal(err)
	}
	next := version("app", "sys-a", "record", "case")
	next.Follows = first.ID
	if err := settle(r, add(t, r, next)); err != nil {
		t.Fatal(err)
	}
	got, err := r.Version(context.Background(), first.ID)
	if err != nil || got.State != domain.Replaced || got.EndedAt.IsZero() {
		t.Errorf("%+v %v", got, err)
	}
	late := version("app", "sys-a", "record")
	late.Follows = first.ID
	wants(t, settle(r, add(t, r, late)), domain.ErrState) // it is over
}

func typed(t *testing.T, r domain.Register) {
	first := add(t, r, version("app", "sys-a", "record"))
	if err := settle(r, first); err != nil {
		t.Fatal(err)
	}
	second := add(t, r, version("other", "sys-b", "file", "record"))
	wants(t, settle(r, second), domain.ErrTaken)
	if got, err := r.Version(context.Background(), second.ID); err != nil || got.State != domain.Proposed {
		t.Errorf("half written: %+v %v", got, err)
	}
	if err := withdraw(r, first, domain.InForce); err != nil {
		t.Fatal(err)
	}
	if err := settle(r, second); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}
