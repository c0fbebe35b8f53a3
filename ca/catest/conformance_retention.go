package catest

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

// RetentionStores are several rooms over one store.
type RetentionStores struct {
	retention.Store
	Registry Registered
	// Escrowed is the wrapped key of a pair; nil or an error when there is none.
	Escrowed func(pair string) (ca.EscrowedKey, error)
	// Recover opens a recovery of a pair's key, until it lapses.
	Recover func(t *testing.T, system, pair string, lapses time.Time)
}

// RunRetention is the conformance suite of retention.Store. The tests follow one
// another in one store.
func RunRetention(t *testing.T, open func(*testing.T) RetentionStores) {
	t.Helper()
	s := open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, RetentionStores)
	}{
		{"a purge removes bodies and leaves the rest", purgeBodies},
		{"nothing is purged before its time", purgeEarly},
		{"a legal matter keeps", purgeHeld},
		{"one act of eight waits, and is settled once", retentionOnce},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// kept are things of one system whose certificates end at a time.
type kept struct {
	request, pair string
	sign, person  ca.Certificate
	refs          []retention.Ref
	system        string
}

func keep(t *testing.T, s RetentionStores, ends time.Time) kept {
	t.Helper()
	ctx := context.Background()
	ends = ends.UTC().Truncate(time.Second)
	q := add(t, s.Registry, submitted(ends.AddDate(-1, 0, 0)))
	q = Approve(t, s.Registry, q)
	k := kept{request: q.ID, system: q.System, pair: uuid.NewString()}
	sign, der := signed(t)
	enc, encDER := signed(t)
	sign.Kind, enc.Kind = ca.KindSM2Sign, ca.KindSM2Enc
	both := []ca.Certificate{sign, enc}
	for i := range both {
		both[i].Pair, both[i].System, both[i].Request, both[i].NotBefore, both[i].NotAfter = k.pair, q.System, q.ID, ends.AddDate(-1, 0, 0), ends
	}
	key := ca.EscrowedKey{Pair: k.pair, Wrapped: []byte("wrapped"), KEK: "local:one", PublicSM3: "ab", CreatedAt: ends.AddDate(-1, 0, 0)}
	if _, err := s.Registry.Reserve(ctx, both, &key, event()); err != nil {
		t.Fatal(err)
	}
	both[0].DER, both[1].DER = der, encDER
	if _, err := s.Registry.Activate(ctx, both, event()); err != nil {
		t.Fatal(err)
	}
	k.sign = both[0]
	k.person = InForce(t, s.Registry, ca.Certificate{Kind: ca.KindPerson, Person: "p-" + k.pair, Agency: "unit-" + k.pair, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends})
	k.refs = []retention.Ref{{Class: retention.Registration, ID: k.request}, {Class: retention.Escrow, ID: q.System + "/" + k.pair}, {Class: retention.Person, ID: k.person.Issuer + ":" + k.person.Serial}}
	return k
}

// purgeOf makes an act over what the store says of these.
func purgeOf(t *testing.T, s RetentionStores, refs ...retention.Ref) retention.Act {
	t.Helper()
	a := retention.Act{ID: uuid.Must(uuid.NewV7()).String(), Kind: retention.Purge, Years: 5, Reason: "到期", AskedBy: "p-1", AskedAt: time.Now().UTC().Truncate(time.Millisecond), State: retention.Proposed}
	for _, r := range refs {
		i, err := s.Item(context.Background(), r)
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		a.Items = append(a.Items, i)
	}
	return a
}

// settle asks for an act and settles it at a time.
func settle(t *testing.T, s RetentionStores, a retention.Act, at time.Time) error {
	t.Helper()
	if _, err := s.AddAct(context.Background(), a, event()); err != nil {
		t.Fatal(err)
	}
	a.State, a.Approval, a.SettledAt = retention.Done, "a-1", at.UTC().Truncate(time.Millisecond)
	_, err := s.SettleAct(context.Background(), a, event())
	if err != nil { // whatever was refused waits still
		dropped := a
		dropped.State = retention.Dropped
		if _, err := s.SettleAct(context.Background(), dropped, event()); err != nil {
			t.Fatal(err)
		}
	}
	return err
}

func purgeBodies(t *testing.T, s RetentionStores) {
	ctx := context.Background()
	ends := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	old, young := keep(t, s, ends), keep(t, s, ends.AddDate(1, 0, 0))
	list, err := s.Ended(ctx, ends, 100)
	if err != nil || len(list) != 3 {
		t.Fatalf("ended: %+v, %v", list, err)
	}
	for _, i := range list {
		if !i.Ends.Equal(ends) {
			t.Errorf("%+v", i)
		}
	}
	if all, err := s.Ended(ctx, ends.AddDate(2, 0, 0), 4); err != nil || len(all) != 4 || all[0].Ends.After(all[3].Ends) {
		t.Errorf("limit and order: %+v, %v", all, err)
	}
	if err := settle(t, s, purgeOf(t, s, old.refs...), ends.AddDate(5, 0, 0)); err != nil {
		t.Fatal(err)
	}
	q, err := s.Registry.Request(ctx, old.request)
	if err != nil || q.State != ca.RequestPurged || len(q.Evidence) != 0 || q.Reason != "" || q.Agency == "" || q.Approval == "" {
		t.Errorf("request: %+v, %v", q, err)
	}
	if k, err := s.Escrowed(old.pair); err == nil && len(k.Wrapped) > 0 {
		t.Errorf("the key is there: %+v", k)
	}
	p, err := s.Registry.Certificate(ctx, old.person.Issuer, old.person.Serial)
	if err != nil || p.DER != nil || p.TBS != nil || p.Subject != "" || len(p.Purged) != 64 || !p.Signed() || p.TBSSM3 != old.person.TBSSM3 || p.State != ca.StateGood || !p.NotAfter.Equal(ends) {
		t.Errorf("person: %+v, %v", p, err)
	}
	if c, err := s.Registry.Certificate(ctx, old.sign.Issuer, old.sign.Serial); err != nil || !bytes.Equal(c.DER, old.sign.DER) || c.Purged != "" {
		t.Errorf("a system's certificate was touched: %v", err)
	}
	if k, err := s.Escrowed(young.pair); err != nil || len(k.Wrapped) == 0 {
		t.Errorf("another key: %+v, %v", k, err)
	}
	for _, r := range old.refs {
		if _, err := s.Item(ctx, r); !errors.Is(err, retention.ErrNotFound) {
			t.Errorf("%v is kept still: %v", r, err)
		}
	}
	if list, err = s.Ended(ctx, ends, 100); err != nil || len(list) != 0 {
		t.Errorf("ended: %+v, %v", list, err)
	}
	q.Reason = "again"
	if _, err := s.Registry.WithdrawRequest(ctx, q, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("a purged request moves: %v", err)
	}
}

func purgeEarly(t *testing.T, s RetentionStores) {
	ctx := context.Background()
	ends := time.Date(2028, 2, 29, 8, 0, 0, 0, time.UTC)
	old := keep(t, s, ends)
	due := ends.AddDate(5, 0, 0)
	for _, r := range old.refs {
		var early *retention.EarlyError
		if err := settle(t, s, purgeOf(t, s, r), due.Add(-time.Second)); !errors.As(err, &early) || !early.Due.Equal(due) || early.Ref != r {
			t.Errorf("%s a second early: %v", r.Class, err)
		}
	}
	// A certificate that came after the question keeps what it hangs on, and with
	// one thing all of the list.
	a := purgeOf(t, s, old.refs...)
	late, der := signed(t)
	late.Kind, late.System, late.Request, late.NotBefore, late.NotAfter = ca.KindECDSA, old.system, old.request, due, due.AddDate(0, 3, 0)
	if _, err := s.Registry.Reserve(ctx, []ca.Certificate{late}, nil, event()); err != nil {
		t.Fatal(err)
	}
	late.DER = der
	if _, err := s.Registry.Activate(ctx, []ca.Certificate{late}, event()); err != nil {
		t.Fatal(err)
	}
	if err := settle(t, s, a, due); !errors.Is(err, retention.ErrEarly) {
		t.Errorf("with a later certificate: %v", err)
	}
	if k, err := s.Escrowed(old.pair); err != nil || len(k.Wrapped) == 0 {
		t.Errorf("half of the list was purged: %+v, %v", k, err)
	}
	if i, err := s.Item(ctx, old.refs[0]); err != nil || !i.Ends.Equal(late.NotAfter) {
		t.Errorf("%+v, %v", i, err)
	}
	if err := settle(t, s, purgeOf(t, s, old.refs[1:]...), due); err != nil {
		t.Errorf("at the moment: %v", err)
	}
}

func purgeHeld(t *testing.T, s RetentionStores) {
	ctx := context.Background()
	ends := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	due := ends.AddDate(5, 0, 0)
	old := keep(t, s, ends)
	hold := retention.Hold{ID: uuid.Must(uuid.NewV7()).String(), System: old.system, Document: "样检〔2031〕1号", Reason: "案件", PlacedBy: "p-1", PlacedAt: due.Add(-time.Hour)}
	if _, err := s.AddHold(ctx, hold, event()); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Holds(ctx); err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], hold) {
		t.Errorf("%+v, %v", all, err)
	}
	for _, r := range old.refs[:2] {
		if err := settle(t, s, purgeOf(t, s, r), due); !errors.Is(err, retention.ErrHeld) {
			t.Errorf("%s under a hold: %v", r.Class, err)
		}
	}
	lift := retention.Act{ID: uuid.Must(uuid.NewV7()).String(), Kind: retention.Lift, Hold: hold.ID, Years: 5, Reason: "结案", AskedBy: "p-1", AskedAt: time.Now().UTC().Truncate(time.Millisecond), State: retention.Proposed}
	if err := settle(t, s, lift, due); err != nil {
		t.Fatal(err)
	}
	lift.ID = uuid.Must(uuid.NewV7()).String()
	if err := settle(t, s, lift, due); !errors.Is(err, retention.ErrState) {
		t.Errorf("lifted twice: %v", err)
	}
	s.Recover(t, old.system, old.pair, due.Add(time.Hour))
	i, err := s.Item(ctx, old.refs[1])
	if err != nil {
		t.Fatal(err)
	}
	if open, err := s.Recovering(ctx, i, due); err != nil || !open {
		t.Errorf("recovering: %v, %v", open, err)
	}
	for _, r := range old.refs[:2] {
		if err := settle(t, s, purgeOf(t, s, r), due); !errors.Is(err, retention.ErrHeld) {
			t.Errorf("%s while its key is asked for: %v", r.Class, err)
		}
	}
	if err := settle(t, s, purgeOf(t, s, old.refs[2]), due); err != nil {
		t.Errorf("a person has no key: %v", err)
	}
}

func retentionOnce(t *testing.T, s RetentionStores) {
	ctx := context.Background()
	ends := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	old := keep(t, s, ends)
	race(t, retention.ErrOpen, func() error {
		_, err := s.AddAct(ctx, purgeOf(t, s, old.refs...), event())
		return err
	})
	all, err := s.Acts(ctx)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d, %v", len(all), err)
	}
	last := all[len(all)-1]
	got, err := s.Act(ctx, last.ID)
	if err != nil || !reflect.DeepEqual(got, last) || got.Digest() != last.Digest() || len(got.Items) != 3 || got.State != retention.Proposed {
		t.Fatalf("%+v, %v", got, err)
	}
	got.State, got.Approval, got.SettledAt = retention.Done, "a-1", ends.AddDate(5, 0, 0)
	race(t, retention.ErrState, func() error {
		_, err := s.SettleAct(ctx, got, event())
		return err
	})
	if _, err := s.Act(ctx, "none"); !errors.Is(err, retention.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}
