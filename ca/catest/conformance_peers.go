package catest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca/peer"
)

// RunPeers is the conformance suite of peer.Register.
func RunPeers(t *testing.T, open func(*testing.T) peer.Register) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, peer.Register){
		"an entry keeps what was proposed":              peerKept,
		"a domain is proposed by one of eight":          peerProposedOnce,
		"an entry is settled by one of eight":           peerMovedOnce,
		"an entry replaces the one that it names":       peerReplaced,
		"a system is one domain's, also when that ends": peerSystems,
		"a newer list replaces an older one":            peerLists,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func peerEntry(domain string, systems ...string) peer.Entry {
	now := time.Now().UTC().Truncate(time.Millisecond)
	e := peer.Entry{
		ID: uuid.Must(uuid.NewV7()).String(), Domain: domain, Name: "样例平台", Operator: "11110000MB1234567M", Kind: peer.KindCity, Anchors: [][]byte{[]byte("a")},
		Issuing: [][]byte{[]byte("b")}, Hosts: []string{"city.example"}, Units: []string{"11110000MB1234567M"}, Level: 2, Actions: []string{"copy"}, Purposes: []string{"p"},
		Lists: []string{"http://city.example/crl"}, Stale: 24 * time.Hour, From: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "样例", AskedBy: "p-1", AskedAt: now, State: peer.Proposed,
	}
	for _, s := range systems {
		e.Systems = append(e.Systems, peer.System{ID: s, Name: "样例系统", Host: s + ".city.example", Unit: e.Operator, UnitName: "样例局", Sign: []byte("s"), Enc: []byte("e")})
	}
	return e
}

func putPeer(t *testing.T, r peer.Register, e peer.Entry) peer.Entry {
	t.Helper()
	if _, err := r.AddPeer(context.Background(), e, event()); err != nil {
		t.Fatal(err)
	}
	return e
}

func settlePeer(r peer.Register, e peer.Entry) error {
	e.State, e.Approval, e.SettledAt = peer.InForce, "a-1", e.AskedAt.Add(time.Minute)
	_, err := r.MovePeer(context.Background(), e, peer.Proposed, event())
	return err
}

func peerKept(t *testing.T, r peer.Register) {
	ctx := context.Background()
	e := putPeer(t, r, peerEntry("city", "sys-1"))
	got, err := r.Peer(ctx, e.ID)
	if err != nil || !reflect.DeepEqual(got, e) || got.Digest() != e.Digest() {
		t.Fatalf("%+v, %v", got, err)
	}
	moved := got
	moved.Level, moved.Reason = 4, "another"
	if err := settlePeer(r, moved); err != nil {
		t.Fatal(err)
	}
	got, err = r.Peer(ctx, e.ID)
	if err != nil || got.State != peer.InForce || got.Approval != "a-1" || got.SettledAt.IsZero() || got.Digest() != e.Digest() {
		t.Errorf("after it was settled: %+v, %v", got, err)
	}
	for state, want := range map[peer.State]int{peer.InForce: 1, peer.Proposed: 0} {
		if list, err := r.Peers(ctx, state); err != nil || len(list) != want {
			t.Errorf("%s: %d, %v", state, len(list), err)
		}
	}
	if _, err := r.Peer(ctx, "none"); !errors.Is(err, peer.ErrNotFound) {
		t.Errorf("no such entry: %v", err)
	}
	if _, err := r.MovePeer(ctx, peer.Entry{ID: "none"}, peer.Proposed, event()); !errors.Is(err, peer.ErrNotFound) {
		t.Errorf("no such entry: %v", err)
	}
}

func peerProposedOnce(t *testing.T, r peer.Register) {
	race(t, peer.ErrExists, func() error {
		_, err := r.AddPeer(context.Background(), peerEntry("city", "sys-1"), event())
		return err
	})
	if list, err := r.Peers(context.Background()); err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
}

func peerMovedOnce(t *testing.T, r peer.Register) {
	e := putPeer(t, r, peerEntry("city", "sys-1"))
	race(t, peer.ErrState, func() error { return settlePeer(r, e) })
	e.State = peer.Withdrawn
	if _, err := r.MovePeer(context.Background(), e, peer.Refused, event()); !errors.Is(err, peer.ErrState) {
		t.Errorf("from a state that it is not in: %v", err)
	}
}

func peerReplaced(t *testing.T, r peer.Register) {
	ctx := context.Background()
	first := putPeer(t, r, peerEntry("city", "sys-1"))
	if err := settlePeer(r, first); err != nil {
		t.Fatal(err)
	}
	blind := putPeer(t, r, peerEntry("city", "sys-1")) // names nothing that it replaces
	if err := settlePeer(r, blind); !errors.Is(err, peer.ErrState) {
		t.Errorf("a second entry in force: %v", err)
	}
	blind.State = peer.Withdrawn
	if _, err := r.MovePeer(ctx, blind, peer.Proposed, event()); err != nil {
		t.Fatal(err)
	}
	next := peerEntry("city", "sys-1", "sys-2")
	next.Replaces = first.ID
	putPeer(t, r, next)
	race(t, peer.ErrState, func() error { return settlePeer(r, next) })
	old, err := r.Peer(ctx, first.ID)
	if err != nil || old.State != peer.Replaced || old.EndedBy != next.AskedBy || old.EndedAt.IsZero() {
		t.Errorf("%+v, %v", old, err)
	}
	wrong := peerEntry("other", "sys-3")
	wrong.Replaces = next.ID // another domain's
	putPeer(t, r, wrong)
	if err := settlePeer(r, wrong); !errors.Is(err, peer.ErrState) {
		t.Errorf("replacing another domain: %v", err)
	}
	if list, err := r.Peers(ctx, peer.InForce); err != nil || len(list) != 1 || list[0].ID != next.ID {
		t.Errorf("%+v, %v", list, err)
	}
}

func peerSystems(t *testing.T, r peer.Register) {
	ctx := context.Background()
	e := putPeer(t, r, peerEntry("city", "sys-1"))
	if _, err := r.DomainOf(ctx, "sys-1"); !errors.Is(err, peer.ErrNotFound) {
		t.Errorf("marked before anybody approved it: %v", err)
	}
	if err := settlePeer(r, e); err != nil {
		t.Fatal(err)
	}
	thief := putPeer(t, r, peerEntry("other", "sys-1"))
	if err := settlePeer(r, thief); !errors.Is(err, peer.ErrTaken) {
		t.Errorf("another domain's system: %v", err)
	}
	if got, err := r.Peer(ctx, thief.ID); err != nil || got.State != peer.Proposed {
		t.Errorf("a refused move moved: %+v, %v", got, err)
	}
	e.State = peer.Withdrawn
	if _, err := r.MovePeer(ctx, e, peer.InForce, event()); err != nil {
		t.Fatal(err)
	}
	if d, err := r.DomainOf(ctx, "sys-1"); err != nil || d != "city" {
		t.Errorf("after the end of its domain: %q, %v", d, err)
	}
}

func peerLists(t *testing.T, r peer.Register) {
	ctx := context.Background()
	now := time.Now().UTC().Truncate(time.Second)
	l := peer.List{Domain: "city", Issuer: "i", SM3: "one", DER: []byte("1"), Number: "7", ThisUpdate: now, NextUpdate: now.Add(time.Hour), TakenAt: now, Source: "file"}
	if _, err := r.PeerList(ctx, "city", "i", ""); !errors.Is(err, peer.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	race(t, peer.ErrOld, func() error { _, err := r.PutList(ctx, l, event()); return err })
	if got, err := r.PeerList(ctx, "city", "i", ""); err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := r.PeerList(ctx, "city", "i", "one"); err != nil || got.DER != nil || got.SM3 != "one" {
		t.Errorf("what is had: %+v, %v", got, err)
	}
	next := l
	next.SM3, next.DER, next.ThisUpdate = "two", []byte("2"), now.Add(time.Second)
	race(t, peer.ErrOld, func() error { _, err := r.PutList(ctx, next, event()); return err })
	if _, err := r.PutList(ctx, l, event()); !errors.Is(err, peer.ErrOld) {
		t.Errorf("the older one again: %v", err)
	}
	if got, err := r.PeerList(ctx, "city", "i", "one"); err != nil || string(got.DER) != "2" {
		t.Errorf("%+v, %v", got, err)
	}
}
