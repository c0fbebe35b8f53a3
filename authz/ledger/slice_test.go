package ledger_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

// sliceOf cuts some entries out of an export.
func sliceOf(t testing.TB, g *golden, ids ...string) []byte {
	t.Helper()
	all, shard, note, err := ledger.Exported(bytes.NewReader(g.file()))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := ledger.Slice(&out, all, shard, note, &g.key.PublicKey, func(e *ledger.Event) bool { return slices.Contains(ids, e.ID) })
	if err != nil || n != len(ids) {
		t.Fatalf("%d entries: %v", n, err)
	}
	return out.Bytes()
}

// A slice shows its entries with public keys only, and each of its bytes counts.
func TestSlice(t *testing.T) {
	g := newGolden(t)
	text := sliceOf(t, g, "e-0", "e-5", "e-11")
	trusted := ledger.Policy{Keys: keysOf(g.key)}
	rep, events, err := ledger.VerifySlice(bytes.NewReader(text), trusted)
	if err != nil || rep.Verdict != ledger.Valid || rep.Entries != 3 || len(events) != 3 || events[1].ID != "e-5" || rep.First.After(rep.Last) {
		t.Fatalf("%+v %v", rep, err)
	}
	if rep, _, _ := ledger.VerifySlice(bytes.NewReader(text), ledger.Policy{}); rep.Verdict != ledger.Indeterminate {
		t.Errorf("without a key: %s", rep.Verdict)
	}
	other := ledgertest.NewKey(t)
	if rep, _, _ := ledger.VerifySlice(bytes.NewReader(text), ledger.Policy{Keys: []*ecdsa.PublicKey{&other.PublicKey}}); rep.Verdict != ledger.Invalid {
		t.Errorf("another key: %s", rep.Verdict)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if rep, _, err := ledger.VerifySlice(bytes.NewReader(bad), trusted); err != nil || rep.Verdict == ledger.Valid {
			t.Fatalf("byte %d: %+v %v", i, rep, err)
		}
	}
	lines := strings.SplitAfter(string(text), "\n")
	for name, bad := range map[string][]string{
		"entry left out": append(slices.Clone(lines[:3]), lines[5:]...), "entry twice": append(slices.Clone(lines[:3]), lines[1:]...),
		"swapped": {lines[0], lines[3], lines[4], lines[1], lines[2], lines[5], lines[6], lines[7]}, "no end": lines[:7], "more": append(slices.Clone(lines), "{}\n"),
		"proofs exchanged": {lines[0], lines[1], lines[4], lines[3], lines[2], lines[5], lines[6], lines[7]}, "nothing": {""}, "an export": {string(g.file())},
	} {
		if rep, _, err := ledger.VerifySlice(strings.NewReader(strings.Join(bad, "")), trusted); err != nil || rep.Verdict != ledger.Invalid {
			t.Errorf("%s: %+v %v", name, rep, err)
		}
	}
	// And a slice is no export.
	if rep, err := ledger.Verify(bytes.NewReader(text), trusted); err != nil || rep.Verdict != ledger.Invalid {
		t.Errorf("as an export: %+v %v", rep, err)
	}
}

// Proofs of every entry in trees of every shape up to 40.
func TestSliceOfEveryTree(t *testing.T) {
	ctx := context.Background()
	key, store := ledgertest.NewKey(t), ledgertest.NewMemory(t)
	q, err := ledger.New(ctx, ledger.Config{Store: store, Origin: ledgertest.Origin, Signer: key, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(ctx)
	for n := range 40 {
		if _, err := q.Append(ctx, ledgertest.Event(fmt.Sprint("s-", n))); err != nil {
			t.Fatal(err)
		}
		note, err := q.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		got, err := ledger.Slice(&out, ledger.Stored(ctx, store, 0, 99), 0, note, &key.PublicKey, func(*ledger.Event) bool { return true })
		if err != nil || got != n+1 {
			t.Fatalf("%d of %d: %v", got, n+1, err)
		}
		if rep, events, err := ledger.VerifySlice(&out, ledger.Policy{Keys: keysOf(key)}); err != nil || rep.Verdict != ledger.Valid || len(events) != n+1 {
			t.Fatalf("%d: %+v %v", n+1, rep, err)
		}
	}
}

// A ledger that does not verify gives no slice.
func TestNoSliceOfABrokenLedger(t *testing.T) {
	g := newGolden(t)
	g.entries[3].Header[20] ^= 1
	all, shard, note, err := ledger.Exported(bytes.NewReader(g.file()))
	if err != nil {
		t.Fatal(err)
	}
	var broken *ledger.CorruptError
	if _, err := ledger.Slice(&bytes.Buffer{}, all, shard, note, &g.key.PublicKey, func(*ledger.Event) bool { return true }); !errors.As(err, &broken) {
		t.Fatal(err)
	}
}

// FuzzVerifySlice: no bytes make it panic, none but the slice itself are valid.
func FuzzVerifySlice(f *testing.F) {
	g := newGolden(f)
	text := sliceOf(f, g, "e-1", "e-2")
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, _, err := ledger.VerifySlice(bytes.NewReader(b), ledger.Policy{Keys: keysOf(g.key)})
		if err != nil || rep.Verdict == ledger.Valid && !bytes.Equal(b, text) {
			t.Fatalf("%+v %v", rep, err)
		}
	})
}
