package ledger_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/ledger/ledgertest"
)

func keysOf(keys ...*sm2.PrivateKey) (out []*ecdsa.PublicKey) {
	for _, k := range keys {
		out = append(out, &k.PublicKey)
	}
	return out
}

const none = ^uint64(0)

// TestX11_31_Attacks: one mutator per attack of the list that one shard without
// witnesses must withstand, each with the code and the entry it must name.
// "resign" stands for an attacker who holds the log key; what he can still not
// do is shown, the rest needs a checkpoint that the auditor kept, or a witness.
func TestX11_31_Attacks(t *testing.T) {
	g0 := newGolden(t)
	for _, a := range []struct {
		name string
		edit func(t *testing.T, g *golden)
		code string
		seq  uint64
	}{
		{"01 body edited", func(_ *testing.T, g *golden) { g.entries[3].Body[20] ^= 1 }, ledger.CodeBodyCommit, 3},
		{"01 salt edited", func(_ *testing.T, g *golden) { g.entries[5].Salt[0] ^= 1 }, ledger.CodeBodyCommit, 5},
		{"02 body edited, hashes recomputed", func(_ *testing.T, g *golden) {
			g.recommit(3, strings.Replace(string(g.entries[3].Body), "allow", "deny", 1))
			g.rechain()
		}, ledger.CodeRoot, none},
		{"02 and the root in the checkpoint", func(t *testing.T, g *golden) {
			g.recommit(3, strings.Replace(string(g.entries[3].Body), "allow", "deny", 1))
			g.rechain()
			n, err := ledger.ParseNote([]byte(g.note))
			if err != nil {
				t.Fatal(err)
			}
			n.Root = g.root
			g.note = string(n.Marshal())
		}, ledger.CodeNoteSig, none},
		{"02 header: time edited", func(_ *testing.T, g *golden) { g.header(6, func(h *ledger.Header) { h.Time++ }) }, ledger.CodeChain, 6},
		{"02 header: prev_leaf edited", func(_ *testing.T, g *golden) { g.header(6, func(h *ledger.Header) { h.Prev[0] ^= 1 }) }, ledger.CodeChain, 6},
		{"02 header: prev_leaf of the first", func(_ *testing.T, g *golden) { g.header(0, func(h *ledger.Header) { h.Prev[0] ^= 1 }) }, ledger.CodeChain, 0},
		{"02 header: prev_leaf of the first, signed", func(t *testing.T, g *golden) {
			prev := ledger.Hash{1}
			for i := range g.entries {
				g.header(i, func(h *ledger.Header) { h.Prev = prev })
				prev = ledger.LeafHash(g.entries[i].Header)
			}
			g.resign(t)
		}, ledger.CodeChain, 0},
		{"02 header: prev_leaf of the last", func(_ *testing.T, g *golden) { g.header(11, func(h *ledger.Header) { h.Prev[0] ^= 1 }) }, ledger.CodeChain, 11},
		{"02 header: time before the last", func(_ *testing.T, g *golden) { g.header(10, func(h *ledger.Header) { h.Time++ }) }, ledger.CodeChain, 10},
		{"02 header: class edited", func(_ *testing.T, g *golden) {
			g.header(2, func(h *ledger.Header) { h.Class = ledger.ClassSeal })
		}, ledger.CodeBodyHeader, 2},
		{"02 header: policy digest edited", func(_ *testing.T, g *golden) { g.header(9, func(h *ledger.Header) { h.Policy[3] ^= 1 }) }, ledger.CodeBodyHeader, 9},
		{"02 header: unknown version", func(_ *testing.T, g *golden) { g.entries[2].Header[0] = 2 }, ledger.CodeHeader, 2},
		{"04 deleted in the middle", func(_ *testing.T, g *golden) { g.entries = slices.Delete(g.entries, 5, 6); g.count() }, ledger.CodeSeqGap, 5},
		{"04 deleted at the start", func(_ *testing.T, g *golden) { g.entries = g.entries[1:]; g.count() }, ledger.CodeSeqGap, 0},
		{"05 inserted", func(_ *testing.T, g *golden) {
			e := g.clone().entries[2]
			e.ID = "e-new"
			g.entries = slices.Insert(g.entries, 3, e)
			g.count()
		}, ledger.CodeSeqDuplicate, 3},
		{"06 reordered", func(_ *testing.T, g *golden) {
			g.entries[5], g.entries[6] = g.entries[6], g.entries[5]
			g.count()
		}, ledger.CodeSeqGap, 5},
		{"07 sequence number twice, signed", func(t *testing.T, g *golden) {
			g.header(6, func(h *ledger.Header) { h.Seq = 5 })
			g.rechain()
			g.resign(t)
		}, ledger.CodeSeqDuplicate, 6},
		{"08 gap, signed", func(t *testing.T, g *golden) {
			g.entries = slices.Delete(g.entries, 5, 6)
			g.rechain()
			g.resign(t)
		}, ledger.CodeSeqGap, 5},
		{"09 entry id twice, signed", func(t *testing.T, g *golden) {
			g.recommit(6, string(g.entries[5].Body))
			g.entries[6].ID = g.entries[5].ID
			g.rechain()
			g.resign(t)
		}, ledger.CodeDuplicateID, 6},
		{"10 tail cut off", func(_ *testing.T, g *golden) { g.entries = g.entries[:10]; g.count() }, ledger.CodeNoteSize, none},
		{"13 older checkpoint", func(t *testing.T, g *golden) {
			all := g.entries
			g.entries = all[:8]
			g.resign(t)
			g.entries = all
			g.count()
		}, ledger.CodeNoteSize, none},
		{"14 clock rewound, signed", func(t *testing.T, g *golden) {
			g.header(6, func(h *ledger.Header) { h.Time -= 60_000 })
			g.rechain()
			g.resign(t)
		}, ledger.CodeTime, 6},
		{"16 log key replaced", func(t *testing.T, g *golden) {
			g.key = ledgertest.NewKey(t)
			pem, err := ledger.MarshalKey(&g.key.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			g.pem = string(pem)
			g.resign(t)
		}, ledger.CodeKey, none},
		{"16 key in the file replaced", func(t *testing.T, g *golden) {
			pem, err := ledger.MarshalKey(&ledgertest.NewKey(t).PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			g.pem = string(pem)
		}, ledger.CodeNoteSig, none},
		{"20 row of another shard, signed", func(t *testing.T, g *golden) {
			g.header(6, func(h *ledger.Header) { h.Shard = 1 })
			g.rechain()
			g.resign(t)
		}, ledger.CodeShard, 6},
		{"20 export under another shard", func(_ *testing.T, g *golden) { g.shard = 1 }, ledger.CodeShard, 0},
		{"22 epoch rolled back, signed", func(t *testing.T, g *golden) {
			g.header(6, func(h *ledger.Header) { h.Epoch-- })
			g.rechain()
			g.resign(t)
		}, ledger.CodeEpoch, 6},
		{"23 origin of another hash", func(_ *testing.T, g *golden) {
			g.note = strings.Replace(g.note, "/ledger/sm3", "/ledger/sha256", 1)
		}, ledger.CodeNoteForm, none},
		{"23 other origin, signed", func(t *testing.T, g *golden) {
			g.origin = "other.example/ledger/sm3"
			g.resign(t)
		}, ledger.CodeNoteOrigin, none},
		{"24 node in place of a leaf", func(_ *testing.T, g *golden) {
			a, b := ledger.LeafHash(g.entries[10].Header), ledger.LeafHash(g.entries[11].Header)
			g.entries[10].Header = append(a[:], b[:]...)
			g.entries = g.entries[:11]
			g.count()
		}, ledger.CodeHeader, 10},
		{"26 duplicate key, signed", func(t *testing.T, g *golden) {
			g.recommit(3, `{"action":"x",`+string(g.entries[3].Body[1:]))
			g.recommit(3, `{"action":"y",`+string(g.entries[3].Body[1:]))
			g.rechain()
			g.resign(t)
		}, ledger.CodeBodyForm, 3},
		{"26 spaces, signed", func(t *testing.T, g *golden) {
			g.recommit(3, strings.Replace(string(g.entries[3].Body), ":", ": ", 1))
			g.rechain()
			g.resign(t)
		}, ledger.CodeBodyForm, 3},
		{"28 CRLF in the checkpoint", func(_ *testing.T, g *golden) { g.note = strings.ReplaceAll(g.note, "\n", "\r\n") }, ledger.CodeNoteForm, none},
		{"28 two checkpoints", func(_ *testing.T, g *golden) { g.note += g.note }, ledger.CodeNoteForm, none},
		{"29 body erased without a redaction entry", func(_ *testing.T, g *golden) {
			g.entries[2].Body, g.entries[2].Salt = nil, nil
		}, ledger.CodeRedacted, 2},
		{"29 body erased, salt kept", func(_ *testing.T, g *golden) { g.entries[2].Body = nil }, ledger.CodeRedacted, 2},
		{"29 salt erased, body kept", func(_ *testing.T, g *golden) { g.entries[2].Salt = nil }, ledger.CodeRedacted, 2},
		{"29 erased body replaced", func(_ *testing.T, g *golden) {
			g.entries[4].Body, g.entries[4].Salt = bytes.Clone(g.entries[3].Body), bytes.Clone(g.entries[3].Salt)
		}, ledger.CodeBodyCommit, 4},
		{"29 redaction entry erased too", func(_ *testing.T, g *golden) {
			g.entries[7].Body, g.entries[7].Salt = nil, nil
		}, ledger.CodeRedacted, 4},
		{"29 id of the erased entry changed", func(_ *testing.T, g *golden) { g.entries[4].ID = "e-99" }, ledger.CodeRedacted, 4},
		{"36 entries left out, counts kept", func(_ *testing.T, g *golden) { g.entries = g.entries[:9] }, ledger.CodeManifest, none},
		{"36 first count changed", func(_ *testing.T, g *golden) { g.first-- }, ledger.CodeManifest, none},
		{"36 root of the last line changed", func(_ *testing.T, g *golden) { g.root[0] ^= 1 }, ledger.CodeRoot, none},
		{"36 text after the end", func(_ *testing.T, g *golden) { g.after = "\n" }, ledger.CodeManifest, none},
		{"label: seq", func(_ *testing.T, g *golden) { g.entries[8].Seq = 9 }, ledger.CodeLabel, 8},
		{"label: id", func(_ *testing.T, g *golden) { g.entries[8].ID = "e-88" }, ledger.CodeLabel, 8},
		{"key: text around the PEM block", func(_ *testing.T, g *golden) { g.pem += "x" }, ledger.CodeKey, none},
	} {
		t.Run(a.name, func(t *testing.T) {
			g := g0.clone()
			a.edit(t, g)
			r := verify(t, g.file(), g0.policy())
			if r.Verdict != ledger.Invalid || !has(r, a.code) {
				t.Fatalf("verdict %s, findings %+v, want %s", r.Verdict, r.Findings, a.code)
			}
			if a.seq != none && (r.FirstBadSeq == nil || *r.FirstBadSeq != a.seq) {
				t.Fatalf("first bad seq %v, want %d; %+v", r.FirstBadSeq, a.seq, r.Findings)
			}
		})
	}
}

// TestGoldenIsValid is the negative control of every attack.
func TestGoldenIsValid(t *testing.T) {
	g := newGolden(t)
	r := verify(t, g.file(), g.policy())
	if r.Verdict != ledger.Valid || len(r.Findings) != 0 || r.FirstBadSeq != nil || r.Entries != 12 || r.Redacted != 1 {
		t.Fatalf("%+v", r)
	}
	r = verify(t, g.file(), ledger.Policy{})
	if r.Verdict != ledger.Indeterminate || !has(r, ledger.CodeKey) {
		t.Fatalf("without a trusted key: %+v", r)
	}
}

// TestRemembered: attacks 3, 10, 11, 12 and 30 by someone who holds the log
// key show only against a checkpoint that the auditor kept.
func TestRemembered(t *testing.T) {
	g0 := newGolden(t)
	var kept [][]byte
	for _, size := range []int{1, 8, 12} {
		g := g0.clone()
		g.entries = g.entries[:size]
		g.resign(t)
		kept = append(kept, []byte(g.note))
	}
	for name, edit := range map[string]func(g *golden){
		"truncated": func(g *golden) { g.entries = g.entries[:10]; g.resign(t) },
		"rewritten and resigned": func(g *golden) {
			g.recommit(11, strings.Replace(string(g.entries[11].Body), "allow", "deny", 1))
			g.rechain()
			g.resign(t)
		},
	} {
		g := g0.clone()
		edit(g)
		if r := verify(t, g.file(), g0.policy()); r.Verdict != ledger.Valid {
			t.Fatalf("%s: the control is %+v", name, r)
		}
		p := g0.policy()
		p.Remembered = kept
		if r := verify(t, g.file(), p); r.Verdict != ledger.Invalid || !has(r, ledger.CodeRemembered) {
			t.Fatalf("%s: %+v", name, r)
		}
	}
	p := g0.policy()
	p.Remembered = kept
	if r := verify(t, g0.file(), p); r.Verdict != ledger.Valid {
		t.Fatalf("honest: %+v", r)
	}
	p.Remembered = [][]byte{[]byte("no note")}
	if r := verify(t, g0.file(), p); r.Verdict != ledger.Invalid {
		t.Fatalf("a remembered text that is no checkpoint: %+v", r)
	}
}

// TestX11_31_EveryByte: no single changed, lost or added byte of an export gives
// "valid".
func TestX11_31_EveryByte(t *testing.T) {
	g := newGolden(t)
	g.entries = g.entries[:3]
	g.resign(t)
	file := g.file()
	if r := verify(t, file, g.policy()); r.Verdict != ledger.Valid {
		t.Fatalf("%+v", r)
	}
	for i := range file {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			bad := bytes.Clone(file)
			bad[i] ^= bit
			if r := verify(t, bad, g.policy()); r.Verdict != ledger.Invalid {
				t.Fatalf("byte %d ^ %#x is %s: …%q", i, bit, r.Verdict, bad[max(0, i-20):min(len(bad), i+20)])
			}
		}
		for what, bad := range map[string][]byte{
			"lost": slices.Delete(bytes.Clone(file), i, i+1), "doubled": slices.Insert(bytes.Clone(file), i, file[i]),
			"cut here": file[:i],
		} {
			if r := verify(t, bad, g.policy()); r.Verdict != ledger.Invalid {
				t.Fatalf("byte %d %s is %s", i, what, r.Verdict)
			}
		}
	}
}

// TestBase64HasOneForm: the decoder of the library skips a CR.
func TestBase64HasOneForm(t *testing.T) {
	g := newGolden(t)
	bad := bytes.Replace(g.file(), []byte(`"header":"`), []byte("\"header\":\"\r"), 1)
	if r := verify(t, bad, g.policy()); r.Verdict != ledger.Invalid || !has(r, ledger.CodeFormat) {
		t.Fatalf("%+v", r)
	}
}

// TestChunks: the joints between parallel parts hide nothing.
func TestChunks(t *testing.T) {
	q := ledgertest.Start(t, ledgertest.NewMemory(t))
	const n = 2048*2 + 7
	done := make(chan error, n)
	for i := range n {
		go func() {
			_, err := q.Append(context.Background(), ledgertest.Event(fmt.Sprint("c-", i)))
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := q.Export(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
	if r := verify(t, out.Bytes(), ledger.Policy{}); r.Verdict != ledger.Indeterminate || r.Entries != n || r.Faults != 0 {
		t.Fatalf("%+v", r)
	}
	for _, seq := range []uint64{0, 2046, 2047, 2048, 2049, 4095, 4096, n - 1} {
		bad := slices.Clone(lines)
		bad = slices.Delete(bad, int(seq)+1, int(seq)+2)
		r := verify(t, bytes.Join(bad, nil), ledger.Policy{})
		if r.Verdict != ledger.Invalid || seq < n-1 && (r.FirstBadSeq == nil || *r.FirstBadSeq != seq) {
			t.Fatalf("without %d: first bad %v", seq, r.FirstBadSeq)
		}
	}
}
