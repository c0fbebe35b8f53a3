package store_test

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// keeper is the register of copies over a store, with the keys of its systems.
type keeper struct {
	*sharing.Copies
	rooms *store.Rooms
	now   time.Time
	keys  map[string]*sm2.PrivateKey
	certs map[string][]byte
}

func newKeeper(t *testing.T, s *store.Store) *keeper {
	t.Helper()
	k := &keeper{rooms: house(t, s), now: kept(5).Truncate(time.Millisecond), keys: map[string]*sm2.PrivateKey{}, certs: map[string][]byte{}}
	for _, id := range []string{"civil-a", "civil-b"} {
		key, err := sm2.GenerateKey(rand.Reader)
		ok(t, err)
		tpl := &smx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: id}, NotBefore: day(1), NotAfter: day(28)}
		k.keys[id] = key
		k.certs[id], err = smx509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
		ok(t, err)
	}
	var err error
	k.Copies, err = sharing.NewCopies(sharing.CopiesConfig{
		Store: k.rooms.Sharing, Now: func() time.Time { return k.now }, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		Signing: func(_ context.Context, system string) ([]byte, error) { return k.certs[system], nil },
	})
	ok(t, err)
	return k
}

func (k *keeper) hold(t *testing.T, id, of string, sources ...string) error {
	t.Helper()
	h := holding(t, id)
	h.Resource, h.Sources, h.Payload = of, sources, fmt.Sprintf("%064d", 7)
	_, err := k.rooms.Sharing.AddHolding(bg, h, event("holding", id))
	return err
}

func (k *keeper) statement(t *testing.T, system, id string) sharing.Destruction {
	t.Helper()
	d := sharing.Destruction{Holding: id, Payload: fmt.Sprintf("%064d", 7), System: system, Method: "逐位覆盖", At: k.now}
	var err error
	d.Signature, err = k.keys[system].SignWithSM2(rand.Reader, nil, d.Statement())
	ok(t, err)
	return d
}

func (k *keeper) standing(t *testing.T, resource string) sharing.Standing {
	t.Helper()
	_, err := k.rooms.Index.Revision(bg)
	ok(t, err)
	r, err := k.rooms.Index.Resource(bg, resource)
	ok(t, err)
	got, err := k.rooms.Index.Standing(bg, r, consumer)
	ok(t, err)
	want, err := k.rooms.Sharing.Standing(bg, r, consumer)
	ok(t, err)
	if got != want {
		t.Errorf("memory %+v, store %+v", got, want)
	}
	return got
}

func systemActor(id string) ledger.Actor { return ledger.Actor{Kind: "system", ID: id} }

// X14-23b: a copy past its end is overdue until its system has signed that it is
// destroyed; nobody else can say so, and not twice.
func TestDestructionNeedsEvidence(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		k := newKeeper(t, s)
		ok(t, k.hold(t, "h-1", "r-1"))
		if st := k.standing(t, "r-1"); st.Copy != "h-1" || !st.Due.Equal(kept(28)) || st.OverdueAt(k.now) || !st.OverdueAt(kept(28)) {
			t.Errorf("standing %+v", st)
		}
		good := k.statement(t, "civil-a", "h-1")
		altered, foreign, later, empty := good, k.statement(t, "civil-b", "h-1"), good, good
		altered.Method, later.At, empty.Method = "焚毁", k.now.Add(time.Hour), ""
		before := snapshot(t, s)
		for name, c := range map[string]struct {
			actor ledger.Actor
			d     sharing.Destruction
			want  error
		}{
			"another system":      {systemActor("civil-b"), good, sharing.ErrNotFound},
			"a person":            {ledger.Actor{Kind: "person", ID: "civil-a"}, good, sharing.ErrNotFound},
			"altered words":       {systemActor("civil-a"), altered, sharing.ErrEvidence},
			"another's signature": {systemActor("civil-a"), foreign, sharing.ErrEvidence},
			"no signature":        {systemActor("civil-a"), sharing.Destruction{Holding: "h-1", Method: "x", At: k.now}, sharing.ErrEvidence},
			"in the future":       {systemActor("civil-a"), later, sharing.ErrInvalid},
			"no method":           {systemActor("civil-a"), empty, sharing.ErrInvalid},
			"no such copy":        {systemActor("civil-a"), sharing.Destruction{Holding: "h-9"}, sharing.ErrNotFound},
		} {
			if _, _, err := k.Destroyed(bg, c.actor, c.d); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		same(t, s, before)
		_, _, err := k.Destroyed(bg, systemActor("civil-a"), good)
		ok(t, err)
		if _, _, err := k.Destroyed(bg, systemActor("civil-a"), good); !errors.Is(err, sharing.ErrEnded) {
			t.Errorf("twice: %v", err)
		}
		if st := k.standing(t, "r-1"); !st.Due.IsZero() {
			t.Errorf("after the destruction: %+v", st)
		}
		copies, err := k.Of(bg, ledger.Actor{Kind: "person", ID: "p-1", Unit: string(provider)}, "r-1", "", 10)
		ok(t, err)
		if len(copies) != 1 || copies[0].Destruction == nil || copies[0].Destruction.Verify() != nil || copies[0].Ended.IsZero() {
			t.Errorf("copies %+v", copies)
		}
	})
}

// X11-29: the provider sees every copy with its resource in it, also merged ones;
// nobody else does.
func TestProviderSeesAllCopies(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		k := newKeeper(t, s)
		_, err := k.rooms.Sharing.AddResource(bg, resource(t, "r-2"), event("resource", "r-2"))
		ok(t, err)
		ok(t, k.hold(t, "h-1", "r-1"))
		ok(t, k.hold(t, "h-2", "r-2"))
		ok(t, k.hold(t, "h-3", "r-2", "h-1", "h-2", "h-1"))
		ok(t, k.hold(t, "h-4", "r-2", "h-3"))
		mine := ledger.Actor{Kind: "person", ID: "p-1", Unit: string(provider)}
		copies, err := k.Of(bg, mine, "r-1", "", 10)
		ok(t, err)
		var ids []string
		for _, c := range copies {
			ids = append(ids, c.ID)
		}
		if !slices.Equal(ids, []string{"h-1", "h-3", "h-4"}) {
			t.Errorf("copies %v", ids)
		}
		if next, err := k.Of(bg, mine, "r-1", "h-1", 1); err != nil || len(next) != 1 || next[0].ID != "h-3" {
			t.Errorf("next page: %v, %v", next, err)
		}
		h, err := k.rooms.Sharing.Holding(bg, "h-4")
		if err != nil || !slices.Equal(h.Origins, []sharing.Origin{{Resource: "r-1", Agreement: "a-1"}}) {
			t.Errorf("origins %+v, %v", h.Origins, err)
		}
		l, err := k.Lineage(bg, mine, "h-3")
		if err != nil || len(l.Copies) != 4 || len(l.Made) != 4 || l.Cut {
			t.Errorf("lineage %+v, %v", l, err)
		}
		other := ledger.Actor{Kind: "person", ID: "p-9", Unit: string(office)}
		if _, err := k.Of(bg, other, "r-1", "", 10); !errors.Is(err, sharing.ErrNotProvider) {
			t.Errorf("a stranger: %v", err)
		}
		if _, err := k.Lineage(bg, other, "h-3"); !errors.Is(err, sharing.ErrNotFound) {
			t.Errorf("a stranger: %v", err)
		}
		if kept, err := k.In(bg, "civil-a", "", 10); err != nil || len(kept) != 4 {
			t.Errorf("kept: %d, %v", len(kept), err)
		}
	})
}

// Cyclic lineage: a copy is made of what is on record; neither of itself nor of what
// is still to come, so that no two copies are made of one another.
func TestCyclicLineageIsRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		k := newKeeper(t, s)
		before := snapshot(t, s)
		wantErr(t, k.hold(t, "h-1", "r-1", "h-1"), sharing.ErrLineage)
		wantErr(t, k.hold(t, "h-1", "r-1", "h-2"), sharing.ErrNotFound)
		same(t, s, before)
		ok(t, k.hold(t, "h-2", "r-1"))
		ok(t, k.hold(t, "h-1", "r-1", "h-2"))
		before = snapshot(t, s)
		wantErr(t, k.hold(t, "h-2", "r-1", "h-1"), sharing.ErrExists)
		same(t, s, before)
	})
}

// What is merged is never lower than anything in it, also when a provider raises a
// label afterwards: the next copy needs the raised one.
func TestMergedCopyHasTheLabelsOfAllOrigins(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		k := newKeeper(t, s)
		_, err := k.rooms.Sharing.AddResource(bg, resource(t, "r-2"), event("resource", "r-2"))
		ok(t, err)
		ok(t, k.hold(t, "h-1", "r-1"))
		ok(t, k.hold(t, "h-2", "r-2", "h-1"))
		ok(t, s.Exec(bg, "UPDATE sharing_resource SET label_level = 4 WHERE id = 'r-1'"))
		wantErr(t, k.hold(t, "h-3", "r-2", "h-2"), sharing.ErrLowered)
		h := holding(t, "h-3")
		h.Resource, h.Sources, h.Label = "r-2", []string{"h-2"}, label(t, 4, 2, 1, level.TagPersonal)
		_, err = k.rooms.Sharing.AddHolding(bg, h, event("holding", "h-3"))
		ok(t, err)
	})
}

// A task ends a copy before its time: the provider asks for it back, or its
// agreement ends.
func TestTasks(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		k := newKeeper(t, s)
		_, err := k.rooms.Sharing.AddAgreement(bg, agreement("a-1"), event("agreement", "a-1"))
		ok(t, err)
		ok(t, k.hold(t, "h-1", "r-1"))
		mine := ledger.Actor{Kind: "person", ID: "p-1", Unit: string(provider)}
		task := sharing.Task{Holding: "h-1", Due: k.now.Add(time.Hour), Why: sharing.WhyProvider, Note: "停止提供"}
		past, silent, strange := task, task, task
		past.Due, silent.Note, strange.Why = k.now.Add(-time.Hour), "", "whim"
		for name, c := range map[string]struct {
			actor ledger.Actor
			task  sharing.Task
			want  error
		}{
			"not the provider": {ledger.Actor{Kind: "person", ID: "p-9", Unit: string(office)}, task, sharing.ErrNotProvider},
			"in the past":      {mine, past, sharing.ErrInvalid}, "no note": {mine, silent, sharing.ErrInvalid},
			"no ground": {mine, strange, sharing.ErrInvalid}, "no copy": {mine, sharing.Task{Holding: "h-9"}, sharing.ErrNotFound},
		} {
			if _, _, err := k.Recall(bg, c.actor, c.task); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, _, err = k.Recall(bg, mine, task)
		ok(t, err)
		if st := k.standing(t, "r-1"); !st.Due.Equal(task.Due) {
			t.Errorf("recalled: %+v", st)
		}
		_, err = k.rooms.Sharing.TerminateAgreement(bg, "a-1", k.now, event("agreement", "a-1"))
		ok(t, err)
		if st := k.standing(t, "r-1"); !st.OverdueAt(k.now) {
			t.Errorf("its agreement ended: %+v", st)
		}
		_, _, err = k.Destroyed(bg, systemActor("civil-a"), k.statement(t, "civil-a", "h-1"))
		ok(t, err)
		if _, _, err := k.Recall(bg, mine, task); !errors.Is(err, sharing.ErrEnded) {
			t.Errorf("of a destroyed copy: %v", err)
		}
		copies, err := k.In(bg, "civil-a", "", 10)
		if err != nil || len(copies) != 1 || len(copies[0].Tasks) != 2 || !copies[0].Due.Equal(k.now) {
			t.Errorf("%+v, %v", copies, err)
		}
	})
}
