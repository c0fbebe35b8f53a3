package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

// golden is a ledger of twelve entries, the body of entry 4 erased on record,
// in the parts that an attacker can move. Its writer here shares no code with
// Export.
type golden struct {
	key     *sm2.PrivateKey
	origin  string
	shard   uint32
	entries []ledger.Entry
	note    string
	pem     string
	first   uint64 // count in the first line
	last    uint64 // count in the last line
	root    ledger.Hash
	after   string // text after the last line
}

const erasedSeq = 4

// newGolden runs the real sequencer.
func newGolden(tb testing.TB) *golden {
	tb.Helper()
	ctx := context.Background()
	key := ledgertest.NewKey(tb)
	store := ledgertest.NewMemory(tb)
	clock := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	q, err := ledger.New(ctx, ledger.Config{
		Store: store, Rand: rand.Reader, Origin: ledgertest.Origin, Signer: key,
		Now: func() time.Time { clock = clock.Add(time.Second); return clock },
	})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range 12 {
		e := ledgertest.Event(fmt.Sprint("e-", i))
		if i == 7 {
			e.Type, e.Class = ledger.TypeRedacted, ledger.ClassLog
			e.Object = ledger.Object{Kind: "entry", ID: fmt.Sprint("e-", erasedSeq)}
			e.Purpose = "个人信息保护法第四十七条"
			e.Details = map[string]string{"seq": strconv.Itoa(erasedSeq)}
		}
		if i == 9 {
			e.Policy = strings.Repeat("0a", 32)
		}
		if _, err := q.Append(ctx, e); err != nil {
			tb.Fatal(err)
		}
	}
	note, err := q.Checkpoint(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	if err := q.Close(ctx); err != nil {
		tb.Fatal(err)
	}
	entries, err := store.Entries(ctx, 0, 0, 99)
	if err != nil {
		tb.Fatal(err)
	}
	entries[erasedSeq].Body, entries[erasedSeq].Salt = nil, nil
	pem, err := ledger.MarshalKey(&key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	g := &golden{key: key, origin: ledgertest.Origin, entries: entries, note: string(note), pem: string(pem)}
	g.count()
	return g
}

// clone lets a mutator work on its own copy.
func (g *golden) clone() *golden {
	c := *g
	c.entries = nil
	for _, e := range g.entries {
		e.Header, e.Salt, e.Body = bytes.Clone(e.Header), bytes.Clone(e.Salt), bytes.Clone(e.Body)
		c.entries = append(c.entries, e)
	}
	return &c
}

// count makes the counts and the root of the last line fit the entries, as an
// attacker would.
func (g *golden) count() {
	tree := ledger.NewTree()
	for _, e := range g.entries {
		tree.Append(ledger.LeafHash(e.Header))
	}
	g.first, g.last, g.root = tree.Size(), tree.Size(), tree.Root()
}

// header edits one header in place.
func (g *golden) header(i int, edit func(*ledger.Header)) {
	h, err := ledger.ParseHeader(g.entries[i].Header)
	if err != nil {
		panic(err)
	}
	edit(&h)
	g.entries[i].Header = h.Append(nil)
}

// rechain recomputes every prev_leaf.
func (g *golden) rechain() {
	var prev ledger.Hash
	for i := range g.entries {
		g.header(i, func(h *ledger.Header) { h.Prev = prev })
		prev = ledger.LeafHash(g.entries[i].Header)
	}
	g.count()
}

// resign is an attacker who holds the log key.
func (g *golden) resign(tb testing.TB) {
	g.count()
	note, err := ledger.SignNote(rand.Reader, ledger.Note{Origin: g.origin, Size: g.last, Root: g.root}, g.key)
	if err != nil {
		tb.Fatal(err)
	}
	g.note = string(note)
}

// recommit puts another body into entry i, with its commitment.
func (g *golden) recommit(i int, body string) {
	g.entries[i].Body = []byte(body)
	g.header(i, func(h *ledger.Header) { h.Commit = ledger.BodyCommit(g.entries[i].Salt, g.entries[i].Body) })
}

func (g *golden) file() []byte {
	var out bytes.Buffer
	line := func(v any) {
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			panic(err)
		}
	}
	line(struct {
		Kind       string `json:"kind"`
		Version    int    `json:"version"`
		Shard      uint32 `json:"shard"`
		Entries    uint64 `json:"entries"`
		Checkpoint string `json:"checkpoint"`
		Key        string `json:"key"`
	}{"yinxin-ledger-export", 1, g.shard, g.first, g.note, g.pem})
	for _, e := range g.entries {
		line(struct {
			Seq    uint64 `json:"seq"`
			ID     string `json:"id"`
			Header []byte `json:"header"`
			Salt   []byte `json:"salt"`
			Body   []byte `json:"body"`
		}{e.Seq, e.ID, e.Header, e.Salt, e.Body})
	}
	line(struct {
		Kind    string `json:"kind"`
		Entries uint64 `json:"entries"`
		Root    []byte `json:"root"`
	}{"yinxin-ledger-export-end", g.last, g.root[:]})
	out.WriteString(g.after)
	return out.Bytes()
}

func (g *golden) policy() ledger.Policy {
	return ledger.Policy{Keys: keysOf(g.key), Origin: ledgertest.Origin}
}

func verify(tb testing.TB, file []byte, p ledger.Policy) *ledger.Report {
	tb.Helper()
	r, err := ledger.Verify(bytes.NewReader(file), p)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func has(r *ledger.Report, code string) bool {
	return slices.ContainsFunc(r.Findings, func(f ledger.Finding) bool { return f.Code == code })
}
