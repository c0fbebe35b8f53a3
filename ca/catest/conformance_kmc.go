package catest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/kmc"
)

// KMCStore is everything that ca/kmc asks of a store, and the registry over the
// same rows, by which keys come in.
type KMCStore struct {
	kmc.Keys
	kmc.Register
	Registry interface {
		ca.Registry
		ca.Unfinished
	}
}

// takeRounds is how often eight takers race for spare keys.
const takeRounds = 200

// RunKMC is the conformance suite of kmc.Keys and kmc.Register.
func RunKMC(t *testing.T, open func(*testing.T) KMCStore) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, KMCStore){
		"a spare key is taken by one of eight":             takenOnce,
		"spare keys are taken all or none":                 takenWhole,
		"a key is wrapped anew as long as it was":          rewrapGuarded,
		"the key of an abandoned pair is kept, for nobody": abandonedKept,
		"a recovery keeps what was asked":                  recoveryKept,
		"a recovery moves for one of eight":                recoveryMovedOnce,
		"recoveries are found by what they are about":      recoveriesFound,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func spareKeys(t *testing.T, n int) []kmc.PooledKey {
	t.Helper()
	out := make([]kmc.PooledKey, n)
	for i := range out {
		id := uuid.Must(uuid.NewV7()).String()
		sum := sm3.Sum([]byte(id))
		out[i] = kmc.PooledKey{
			ID: id, Wrapped: make([]byte, 61), KEK: "local:one", PublicSM3: hex.EncodeToString(sum[:]), CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
		}
		if _, err := rand.Read(out[i].Wrapped); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// takenOnce lets eight callers empty a pool of as many keys as there are rounds:
// each takes what it sees first, and no key goes to two.
func takenOnce(t *testing.T, s KMCStore) {
	ctx := context.Background()
	all := spareKeys(t, takeRounds)
	if _, err := s.AddPooled(ctx, all, event()); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 2*takeRounds)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				have, _, err := s.Pooled(ctx, 1)
				if err != nil || len(have) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				switch _, err := s.TakePooled(ctx, []string{have[0].ID}, event()); {
				case err == nil:
					got <- have[0].ID
				case !errors.Is(err, kmc.ErrTaken):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(got)
	seen := map[string]bool{}
	for id := range got {
		if seen[id] {
			t.Errorf("key %s was taken twice", id)
		}
		seen[id] = true
	}
	if len(seen) != takeRounds {
		t.Errorf("%d of %d were taken", len(seen), takeRounds)
	}
}

func takenWhole(t *testing.T, s KMCStore) {
	ctx := context.Background()
	if have, n, err := s.Pooled(ctx, 5); err != nil || len(have) != 0 || n != 0 {
		t.Fatalf("an empty pool: %v, %d, %v", have, n, err)
	}
	all := spareKeys(t, 5)
	if _, err := s.AddPooled(ctx, all, event()); err != nil {
		t.Fatal(err)
	}
	if have, n, err := s.Pooled(ctx, 3); err != nil || !reflect.DeepEqual(have, all[:3]) || n != 5 {
		t.Fatalf("the oldest three: %v, %d, %v", have, n, err)
	}
	if _, err := s.AddPooled(ctx, all[:1], event()); err == nil {
		t.Error("an id stands twice")
	}
	if _, err := s.TakePooled(ctx, []string{all[0].ID, "gone"}, event()); !errors.Is(err, kmc.ErrTaken) {
		t.Errorf("one of two is gone: %v", err)
	}
	if _, err := s.TakePooled(ctx, []string{all[0].ID, all[1].ID}, event()); err != nil {
		t.Fatal(err)
	}
	if have, n, err := s.Pooled(ctx, 9); err != nil || !reflect.DeepEqual(have, all[2:]) || n != 3 {
		t.Errorf("what is left: %v, %d, %v", have, n, err)
	}
}

func escrowed(t *testing.T, s KMCStore) ca.EscrowedKey {
	t.Helper()
	k := spareKeys(t, 1)[0]
	key := ca.EscrowedKey{Pair: k.ID, Wrapped: k.Wrapped, KEK: k.KEK, PublicSM3: k.PublicSM3, CreatedAt: k.CreatedAt}
	sign, _ := signed(t)
	enc, _ := signed(t)
	sign.Kind, sign.Pair, enc.Kind, enc.Pair = ca.KindSM2Sign, key.Pair, ca.KindSM2Enc, key.Pair
	if _, err := s.Registry.Reserve(context.Background(), []ca.Certificate{sign, enc}, &key, event()); err != nil {
		t.Fatal(err)
	}
	return key
}

func rewrapGuarded(t *testing.T, s KMCStore) {
	ctx := context.Background()
	if _, err := s.Escrowed(ctx, "unknown"); !errors.Is(err, kmc.ErrNotFound) {
		t.Errorf("unknown pair: %v", err)
	}
	one, two := escrowed(t, s), escrowed(t, s)
	if got, err := s.Escrowed(ctx, one.Pair); err != nil || !reflect.DeepEqual(got, one) {
		t.Errorf("read back %+v, %v", got, err)
	}
	if keys, n, err := s.Outdated(ctx, "local:two", 1); err != nil || n != 2 || len(keys) != 1 {
		t.Errorf("outdated: %v, %d, %v", keys, n, err)
	}
	anew := func(k ca.EscrowedKey) kmc.Rewrapped {
		was := k.KEK
		k.Wrapped, k.KEK = []byte("anew"), "local:two"
		return kmc.Rewrapped{Key: k, Was: was}
	}
	if _, err := s.Rewrap(ctx, []kmc.Rewrapped{anew(one)}, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rewrap(ctx, []kmc.Rewrapped{anew(two), anew(one)}, event()); !errors.Is(err, kmc.ErrTaken) {
		t.Errorf("one of two was done: %v", err)
	}
	if got, err := s.Escrowed(ctx, two.Pair); err != nil || !reflect.DeepEqual(got, two) {
		t.Errorf("half of it was kept: %+v, %v", got, err)
	}
	if got, err := s.Escrowed(ctx, one.Pair); err != nil || string(got.Wrapped) != "anew" || got.KEK != "local:two" || got.PublicSM3 != one.PublicSM3 {
		t.Errorf("wrapped anew: %+v, %v", got, err)
	}
	race(t, kmc.ErrTaken, func() error {
		_, err := s.Rewrap(ctx, []kmc.Rewrapped{anew(two)}, event())
		return err
	})
	if keys, n, err := s.Outdated(ctx, "local:two", 9); err != nil || n != 0 || len(keys) != 0 {
		t.Errorf("outdated at the end: %v, %d, %v", keys, n, err)
	}
}

func abandonedKept(t *testing.T, s KMCStore) {
	ctx := context.Background()
	lost, other := escrowed(t, s), escrowed(t, s)
	all, err := s.Registry.Pending(ctx, time.Now().Add(time.Hour), 99)
	if err != nil {
		t.Fatal(err)
	}
	halves := slices.DeleteFunc(all, func(c ca.Certificate) bool { return c.Pair != lost.Pair })
	if _, err := s.Registry.Abandon(ctx, halves, now(), event()); err != nil || len(halves) != 2 {
		t.Fatalf("%d halves, %v", len(halves), err)
	}
	if key, err := s.Escrowed(ctx, lost.Pair); !errors.Is(err, kmc.ErrNotFound) || key.Wrapped != nil {
		t.Errorf("the key of an abandoned pair: %v", err)
	}
	if got, err := s.Escrowed(ctx, other.Pair); err != nil || !reflect.DeepEqual(got, other) {
		t.Errorf("another pair: %+v, %v", got, err)
	}
	if keys, n, err := s.Outdated(ctx, "local:two", 9); err != nil || n != 2 || len(keys) != 2 {
		t.Errorf("%d keys are kept: %v", n, err)
	}
}

func recovery(t *testing.T, s KMCStore) kmc.Recovery {
	t.Helper()
	key, now := escrowed(t, s), time.Now().UTC().Truncate(time.Microsecond)
	return kmc.Recovery{
		ID: uuid.Must(uuid.NewV7()).String(), Kind: kmc.ForLaw, Pair: key.Pair, PublicSM3: key.PublicSM3, Agency: "11110102MB1234567M", System: "civil-a",
		EncryptionIssuer: "aa", EncryptionSerial: "b1", Receiver: []byte{0x30, 0}, Document: "样检调〔2026〕1号", Authority: "样例区人民检察院", ScanSM3: key.PublicSM3,
		Reason: "调取证据", Need: 3, AskedBy: "p-1", AskedAt: now, LapsesAt: now.Add(time.Hour), State: kmc.Asked,
	}
}

func recoveryKept(t *testing.T, s KMCStore) {
	ctx := context.Background()
	r := recovery(t, s)
	claims := r
	claims.State, claims.Approvals, claims.EnvelopeSM3 = kmc.Delivered, []string{"x"}, "y" // a caller who claims too much
	if _, err := s.AddRecovery(ctx, claims, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddRecovery(ctx, r, event()); !errors.Is(err, kmc.ErrRepeated) {
		t.Errorf("the same id: %v", err)
	}
	ghost := r
	ghost.ID, ghost.Pair = "ghost", "ghost"
	if _, err := s.AddRecovery(ctx, ghost, event()); !errors.Is(err, kmc.ErrNotFound) {
		t.Errorf("a key that is not there: %v", err)
	}
	got, err := s.Recovery(ctx, r.ID)
	if err != nil || !reflect.DeepEqual(got, r) || got.Digest() != r.Digest() {
		t.Errorf("read back %+v, %v; want %+v", got, err, r)
	}
	if _, err := s.Recovery(ctx, "ghost"); !errors.Is(err, kmc.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	moved := r
	moved.State, moved.Approvals, moved.SettledAt = kmc.Approved, []string{"a-1", "a-2", "a-3"}, r.AskedAt.Add(time.Second)
	moved.Reason, moved.Receiver = "另一理由", []byte{1} // what was signed is not for changing
	if _, err := s.MoveRecovery(ctx, moved, kmc.Asked, event()); err != nil {
		t.Fatal(err)
	}
	moved.Reason, moved.Receiver = r.Reason, r.Receiver
	if got, err := s.Recovery(ctx, r.ID); err != nil || !reflect.DeepEqual(got, moved) {
		t.Errorf("moved %+v, %v", got, err)
	}
	if _, err := s.MoveRecovery(ctx, ghost, kmc.Asked, event()); !errors.Is(err, kmc.ErrNotFound) {
		t.Errorf("moving a ghost: %v", err)
	}
}

func recoveryMovedOnce(t *testing.T, s KMCStore) {
	ctx := context.Background()
	r := recovery(t, s)
	if _, err := s.AddRecovery(ctx, r, event()); err != nil {
		t.Fatal(err)
	}
	r.State, r.Approvals = kmc.Approved, []string{"a-1", "a-2", "a-3"}
	race(t, kmc.ErrState, func() error {
		_, err := s.MoveRecovery(ctx, r, kmc.Asked, event())
		return err
	})
	r.State, r.EnvelopeSM3, r.DeliveredAt = kmc.Delivered, r.PublicSM3, r.AskedAt
	race(t, kmc.ErrState, func() error {
		_, err := s.MoveRecovery(ctx, r, kmc.Approved, event())
		return err
	})
}

func recoveriesFound(t *testing.T, s KMCStore) {
	ctx := context.Background()
	var all []kmc.Recovery
	for i := range 4 {
		r := recovery(t, s)
		r.Agency, r.System = fmt.Sprintf("u-%d", i%2), fmt.Sprintf("s-%d", i)
		r.AskedAt = r.AskedAt.Add(time.Duration(i) * time.Second)
		if i == 0 {
			r.Kind = kmc.ForOwner
		}
		if _, err := s.AddRecovery(ctx, r, event()); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	all[3].State, all[3].Refusal = kmc.Refused, "a-9"
	if _, err := s.MoveRecovery(ctx, all[3], kmc.Asked, event()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    kmc.Query
		want []int
	}{
		"all, newest first": {kmc.Query{}, []int{3, 2, 1, 0}}, "open": {kmc.Query{Open: true}, []int{2, 1, 0}}, "of a unit": {kmc.Query{Agency: "u-0"}, []int{2, 0}},
		"owners'": {kmc.Query{Kind: kmc.ForOwner}, []int{0}}, "of a system": {kmc.Query{System: "s-1"}, []int{1}}, "of a pair": {kmc.Query{Pair: all[2].Pair}, []int{2}},
		"none": {kmc.Query{Agency: "u-0", Pair: all[1].Pair}, nil},
	} {
		got, err := s.Recoveries(ctx, c.q)
		var ids, want []string
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		for _, i := range c.want {
			want = append(want, all[i].ID)
		}
		if err != nil || !reflect.DeepEqual(ids, want) {
			t.Errorf("%s: %v, %v; want %v", name, ids, err, want)
		}
	}
}
