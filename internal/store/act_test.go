package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// Design law 3: row and event together, or not at all.

func TestNoRowWithoutItsEvent(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		before := snapshot(t, s)
		for _, w := range rows(t) {
			ev := event("row", w.name)
			ev.Outcome = "perhaps"
			_, err := w.add(r, ev)
			wantErr(t, err, ledger.ErrInvalidEvent)
			ev = event("row", w.name)
			ev.ID = ""
			_, err = w.add(r, ev)
			wantErr(t, err, ledger.ErrInvalidEvent)
		}
		ok(t, s.Exec(bg, "ALTER TABLE ledger_outbox RENAME TO ledger_outbox_gone"))
		for _, w := range rows(t) {
			if _, err := w.add(r, event("row", w.name)); err == nil {
				t.Errorf("%s was written though its event cannot be", w.name)
			}
		}
		ok(t, s.Exec(bg, "ALTER TABLE ledger_outbox_gone RENAME TO ledger_outbox"))
		same(t, s, before)
	})
}

func TestNoEventWithoutItsRow(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		before := snapshot(t, s)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_, err := r.Identity.AddSystem(ctx, system("s9"), event("system", "s9"))
		wantErr(t, err, context.Canceled)
		stray := person("p9")
		stray.Agency = "nowhere"
		_, err = r.Identity.AddPerson(bg, stray, event("person", "p9"))
		wantErr(t, err, identity.ErrNotFound)
		nul := system("s9")
		nul.Name = "a\x00b" // what neither engine can keep
		if _, err = r.Identity.AddSystem(bg, nul, event("system", "s9")); err == nil {
			t.Error("a NUL was written")
		}
		same(t, s, before)
	})
}

func TestNoSaltNoAct(t *testing.T) {
	url := migrated(t, engines["sqlite"](t))
	s, err := store.Open(bg, store.Config{URL: url, Rand: iotest.ErrReader(errors.New("no entropy"))})
	ok(t, err)
	defer func() { ok(t, s.Close()) }()
	before := snapshot(t, s)
	if _, err := s.Rooms(nil).Identity.AddAgency(bg, agency(provider), event("agency", "1")); err == nil {
		t.Fatal("an act was committed without a salt")
	}
	same(t, s, before)
}

func TestAnEventIDIsUsedOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r, l := house(t, s), s.Ledger()
		ev := event("system", "s1")
		_, err := r.Identity.AddSystem(bg, system("s1"), ev)
		ok(t, err)
		before := snapshot(t, s)
		_, err = r.Identity.AddSystem(bg, system("s1"), ev) // the answer was lost, the caller repeats
		wantErr(t, err, ledger.ErrDuplicate)
		_, err = r.Identity.AddSystem(bg, system("s2"), ev) // another act under the same event
		wantErr(t, err, ledger.ErrDuplicate)
		same(t, s, before)

		integrate(t, l)
		_, err = l.EntryByID(bg, ev.ID)
		ok(t, err)
		before = snapshot(t, s)
		_, err = r.Identity.AddSystem(bg, system("s2"), ev)
		wantErr(t, err, ledger.ErrDuplicate)
		same(t, s, before)
	})
}

func TestAnActIsRefusedOrCommittedOnceByManyCallers(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		for range 20 {
			ev := event("system", "x")
			id := "s" + strings.ToLower(ev.ID[24:])
			if won := race(t, ledger.ErrDuplicate, func() error {
				_, err := r.Identity.AddSystem(bg, system(id), ev)
				return err
			}); won != 1 {
				t.Fatalf("%d callers committed one event", won)
			}
		}
	})
}

// integrator stands for the sequencer.
type integrator struct {
	receipt ledger.Receipt
	err     error
}

func (i integrator) Integrate(_ context.Context, id string) (ledger.Receipt, error) {
	i.receipt.EntryID = id
	return i.receipt, i.err
}

func TestReceiptSaysWhatHolds(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		house(t, s)
		r := s.Rooms(integrator{receipt: ledger.Receipt{Seq: 7, Promise: ledger.Integrated}})
		got, err := r.Identity.AddSystem(bg, system("s1"), event("system", "s1"))
		if err != nil || got.Seq != 7 || got.Promise != ledger.Integrated {
			t.Fatalf("%+v, %v", got, err)
		}
		r = s.Rooms(integrator{err: ledger.ErrClosed})
		ev := event("system", "s2")
		got, err = r.Identity.AddSystem(bg, system("s2"), ev)
		wantErr(t, err, store.ErrUnintegrated)
		wantErr(t, err, ledger.ErrClosed)
		if got.Promise != ledger.Durable || got.EntryID != ev.ID {
			t.Fatalf("receipt %+v of a committed act", got)
		}
		_, err = r.Identity.System(bg, "s2")
		ok(t, err)
	})
}

func TestRevisionCountsCommittedFacts(t *testing.T) {
	onEngines(t, func(t *testing.T, s *store.Store) {
		r := house(t, s)
		revision := func() int64 {
			n, err := s.Revision(bg)
			ok(t, err)
			return n
		}
		first := revision()
		if first != 7 { // two agencies, persons, systems, and a resource; a seal is no fact of a decision
			t.Fatalf("revision %d after 7 facts", first)
		}
		facts := map[string]bool{"identity": true, "grading": true, "sharing": true}
		moved := 0
		for _, w := range rows(t) {
			_, err := w.add(r, event("row", w.name))
			ok(t, err)
			if room, _, _ := strings.Cut(w.exists.Error(), ":"); facts[room] && !strings.HasSuffix(w.name, "consent") { // nor is being quoted
				moved++
			}
			if n := revision() - first; n != int64(moved) {
				t.Fatalf("%s: revision moved %d times, want %d", w.name, n, moved)
			}
		}
		_, err := r.Identity.AddSystem(bg, system("s1"), event("system", "s1"))
		wantErr(t, err, identity.ErrExists)
		_, err = r.Identity.SetPersonKey(bg, "p-1", "k-2", []byte{1}, event("person", "p-1"))
		ok(t, err)
		_, err = r.Sharing.TerminateAgreement(bg, "a1", day(4), event("agreement", "a1"))
		ok(t, err)
		if n := revision() - first; n != int64(moved)+2 {
			t.Fatalf("revision moved %d times, want %d", n, moved+2)
		}
	})
}

// tables of all rooms; the counts before and after an act say what it wrote.
var tables = []string{"ledger_outbox", "ledger_entry", "identity_agency", "identity_person", "identity_post", "identity_system",
	"grading_record", "sharing_resource", "sharing_agreement", "sharing_holding", "approval", "ca_request", "ca_certificate",
	"ca_escrowed_key", "ca_crl", "ca_invalidity", "seal", "seal_use", "seal_use_place", "transfer", "signin_link", "signin_session",
	"grading_object", "grading_dossier", "grading_carried", "grading_step", "grading_paper", "grading_claim", "grading_deadline", "grading_grace"}

func snapshot(t testing.TB, s *store.Store) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, table := range tables {
		out[table] = count(t, s, table)
	}
	revision, err := s.Revision(bg)
	ok(t, err)
	out["revision"] = revision
	return out
}

func same(t testing.TB, s *store.Store, before map[string]int64) {
	t.Helper()
	for table, n := range snapshot(t, s) {
		if n != before[table] {
			t.Errorf("%s went from %d to %d", table, before[table], n)
		}
	}
}

// integrate moves the whole outbox into shard 0, as the sequencer does.
func integrate(t testing.TB, l *store.Ledger) {
	t.Helper()
	pending, err := l.Outbox(bg, 1000)
	ok(t, err)
	head, err := l.Head(bg, 0)
	ok(t, err)
	b := ledger.Batch{Old: head, New: head}
	for _, p := range pending {
		leaf := ledger.LeafHash([]byte(p.ID))
		b.Entries = append(b.Entries, ledger.Entry{ID: p.ID, Seq: b.New.Size, Leaf: leaf[:], Header: []byte(p.ID), Salt: p.Salt, Body: p.Body})
		b.OutboxIDs = append(b.OutboxIDs, p.ID)
		b.New.Size++
	}
	ok(t, l.AppendBatch(bg, b))
}
