package ledger_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

// TestStartRefusesDamage: design law 8. Each edit behind the ledger's back
// keeps the house from starting, with the first bad entry where one is bad.
func TestStartRefusesDamage(t *testing.T) {
	const size = 20
	type entries = []ledger.Entry
	for name, c := range map[string]struct {
		edit func(h *ledger.Head, e entries, leaves []byte)
		code string
		seq  uint64
	}{
		"root of the head":     {func(h *ledger.Head, _ entries, _ []byte) { h.Root[0] ^= 1 }, ledger.CodeRoot, none},
		"root is missing":      {func(h *ledger.Head, _ entries, _ []byte) { h.Root = nil }, ledger.CodeHead, none},
		"last leaf":            {func(h *ledger.Head, _ entries, _ []byte) { h.LastLeaf[0] ^= 1 }, ledger.CodeRoot, none},
		"size too small":       {func(h *ledger.Head, _ entries, _ []byte) { h.Size, h.Checkpoint = size-1, nil }, ledger.CodeRoot, none},
		"size below the note":  {func(h *ledger.Head, _ entries, _ []byte) { h.Size = 3 }, ledger.CodeNoteSize, none},
		"size too large":       {func(h *ledger.Head, _ entries, _ []byte) { h.Size = size + 1 }, ledger.CodeSeqGap, size},
		"a leaf":               {func(_ *ledger.Head, e entries, l []byte) { l[5*32] ^= 1; e[5].Leaf[0] ^= 1 }, ledger.CodeLeaf, 5},
		"a header in the tail": {func(_ *ledger.Head, e entries, _ []byte) { e[7].Header[31] ^= 1 }, ledger.CodeLeaf, 7},
		"a body in the tail":   {func(_ *ledger.Head, e entries, _ []byte) { e[8].Body[9] ^= 1 }, ledger.CodeBodyCommit, 8},
		"a salt alone":         {func(_ *ledger.Head, e entries, _ []byte) { e[8].Body = nil }, ledger.CodeRedacted, 8},
		"an id":                {func(_ *ledger.Head, e entries, _ []byte) { e[9].ID = "other" }, ledger.CodeLabel, 9},
		"a seq":                {func(_ *ledger.Head, e entries, _ []byte) { e[9].Seq = 8 }, ledger.CodeLabel, 9},
		"the checkpoint":       {func(h *ledger.Head, _ entries, _ []byte) { h.Checkpoint[0] ^= 0x80 }, ledger.CodeNoteForm, none},
		"a forged checkpoint":  {forge, ledger.CodeNoteSig, none},
	} {
		t.Run(name, func(t *testing.T) {
			m, cfg := filled(t, size)
			m.Tamper(0, c.edit)
			_, err := ledger.New(bg, cfg)
			var corrupt *ledger.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Code != c.code {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if (c.seq == none) != (corrupt.Seq == nil) || corrupt.Seq != nil && *corrupt.Seq != c.seq {
				t.Fatalf("got %v, want seq %d", err, c.seq)
			}
		})
	}
	m, cfg := filled(t, size)
	m.Tamper(0, func(*ledger.Head, entries, []byte) {}) // the control
	q, err := ledger.New(bg, cfg)
	ok(t, err)
	ok(t, q.Close(bg))
}

func filled(t *testing.T, n int) (*ledgertest.Memory, ledger.Config) {
	m := ledgertest.NewMemory(t)
	cfg := ledger.Config{Store: m, Now: time.Now, Rand: rand.Reader, Origin: ledgertest.Origin, Signer: ledgertest.NewKey(t)}
	q, err := ledger.New(bg, cfg)
	ok(t, err)
	for i := range n {
		_, err := q.Append(bg, ledgertest.Event(fmt.Sprint("s-", i)))
		ok(t, err)
	}
	ok(t, q.Close(bg))
	return m, cfg
}

func forge(h *ledger.Head, _ []ledger.Entry, _ []byte) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	note, err := ledger.SignNote(rand.Reader, ledger.Note{Origin: ledgertest.Origin, Size: h.Size, Root: ledger.Hash(h.Root)}, key)
	if err != nil {
		panic(err)
	}
	h.Checkpoint = note
}

// TestStartWithAnEarlierKey: after a change of the key the stored checkpoint is
// by the key before; without being told, the start refuses.
func TestStartWithAnEarlierKey(t *testing.T) {
	_, cfg := filled(t, 5)
	old := cfg.Signer
	key := ledgertest.NewKey(t)
	cfg.Signer = key
	_, err := ledger.New(bg, cfg)
	var corrupt *ledger.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Code != ledger.CodeNoteSig {
		t.Fatal(err)
	}
	cfg.Keys = keysOf(old.(*sm2.PrivateKey))
	q, err := ledger.New(bg, cfg)
	ok(t, err)
	_, err = q.Append(bg, ledgertest.Event("next"))
	ok(t, err)
	ok(t, q.Close(bg))
}

// TestStartRewrittenHistory: everything recomputed, head and root too; only
// the signed checkpoint over a part of it tells (attacks 2, 11).
func TestStartRewrittenHistory(t *testing.T) {
	honest, cfg := filled(t, 6)
	h, err := honest.Head(bg, 0)
	ok(t, err)
	forged, _ := filled(t, 9)
	forged.Tamper(0, func(fh *ledger.Head, _ []ledger.Entry, _ []byte) { fh.Checkpoint = h.Checkpoint })
	cfg.Store = forged
	_, err = ledger.New(bg, cfg)
	var corrupt *ledger.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Code != ledger.CodeNoteSize {
		t.Fatal(err)
	}
}
