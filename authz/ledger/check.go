package ledger

import (
	"encoding/hex"
	"slices"
	"strconv"
)

// TypeRedacted is the type of the entry that says that the body of another was
// erased: Object.ID is that entry's id, Details["seq"] its sequence number in
// decimal; Actor says who, Purpose the legal ground.
const TypeRedacted = "ledger.entry.redacted"

// part is a run of entries that is checked by itself: what it needs of the
// entries before it is the last header. Parts are checked in parallel.
type part struct {
	shard   uint32
	begin   uint64 // position of the first entry
	prev    []byte // header before it; nil at position 0
	entries []Entry
	bodies  bool // check bodies too
}

// checked is what a part shows. Positions are counted, not believed.
type checked struct {
	tree       *Tree
	leaves     []byte
	findings   []Finding
	broken     []uint64 // entries whose prev_leaf is not the leaf before them
	erased     []target
	redactions []redaction
	firstTime  int64
	lastTime   int64
	lastHeader []byte
}

type target struct {
	seq uint64
	id  string
}

type redaction struct {
	at uint64
	of target
}

func (c *checked) fail(code string, seq uint64) {
	c.findings = append(c.findings, Finding{Code: code, Result: ResultFail, Seq: &seq})
}

// check proves a part: headers, order, chain, commitments, bodies. It never
// stops at the first fault, so that a report shows the extent.
func (p *part) check() *checked {
	h := newHasher()
	c := &checked{tree: newTreeAt(p.begin), leaves: make([]byte, 0, len(p.entries)*HashSize)}
	var before Header
	var beforeLeaf Hash
	known := false // before is a header
	if p.prev != nil {
		var err error
		before, err = ParseHeader(p.prev)
		known, beforeLeaf = err == nil, h.leaf(p.prev)
	}
	for i := range p.entries {
		e, pos := &p.entries[i], p.begin+uint64(i)
		leaf := h.leaf(e.Header)
		c.leaves = append(c.leaves, leaf[:]...)
		now, err := ParseHeader(e.Header)
		if err != nil {
			c.fail(CodeHeader, pos)
			known, beforeLeaf = false, leaf
			continue
		}
		at := pos // what this entry is called in a finding: the place where it stands
		switch {
		case pos == 0:
			c.first(&now)
		case known:
			at = before.Seq + 1
			c.follows(&before, &now, beforeLeaf)
		}
		if now.Shard != p.shard {
			c.fail(CodeShard, at)
		} else if e.Seq != now.Seq || e.Shard != now.Shard {
			c.fail(CodeLabel, at)
		}
		if p.bodies {
			c.body(h, &now, e, at)
		}
		if i == 0 {
			c.firstTime = now.Time
		}
		c.lastTime, c.lastHeader = now.Time, e.Header
		before, beforeLeaf, known = now, leaf, true
	}
	c.tree.appendLeaves(c.leaves)
	return c
}

func (c *checked) first(now *Header) {
	if now.Seq != 0 {
		c.fail(CodeSeqGap, 0)
	} else if now.Prev != (Hash{}) {
		c.broken = append(c.broken, 0)
	}
}

func (c *checked) follows(before, now *Header, leaf Hash) {
	want := before.Seq + 1
	switch {
	case now.Seq > want:
		c.fail(CodeSeqGap, want)
	case now.Seq == before.Seq:
		c.fail(CodeSeqDuplicate, want)
	case now.Seq < want:
		c.fail(CodeSeqOrder, want)
	case now.Prev != leaf:
		c.broken = append(c.broken, now.Seq)
	}
	if now.Time < before.Time {
		c.fail(CodeTime, now.Seq)
	}
	if now.Epoch < before.Epoch {
		c.fail(CodeEpoch, now.Seq)
	}
}

func (c *checked) body(h *hasher, now *Header, e *Entry, at uint64) {
	if e.Body == nil && e.Salt == nil {
		c.erased = append(c.erased, target{now.Seq, e.ID})
		return
	}
	if e.Body == nil || len(e.Salt) != SaltSize {
		// A salt that outlives its body lets the body be guessed.
		c.fail(CodeRedacted, at)
		return
	}
	if h.commit(e.Salt, e.Body) != now.Commit {
		c.fail(CodeBodyCommit, at)
		return
	}
	ev, err := Decode(e.Body)
	if err != nil {
		c.fail(CodeBodyForm, at)
		return
	}
	if ev.ID != e.ID {
		c.fail(CodeLabel, at)
	}
	if ev.Class != now.Class || ev.Policy != policyText(now.Policy) {
		c.fail(CodeBodyHeader, at)
	}
	if ev.Type == TypeRedacted && ev.Outcome == Success {
		if seq, err := strconv.ParseUint(ev.Details["seq"], 10, 64); err == nil {
			c.redactions = append(c.redactions, redaction{at: now.Seq, of: target{seq, ev.Object.ID}})
		}
	}
}

func policyText(h Hash) string {
	if h == (Hash{}) {
		return ""
	}
	return hex.EncodeToString(h[:])
}

// blame turns broken links into the entries that were changed. An entry whose
// own prev_leaf was edited breaks the link before it and the link after it; one
// that was edited elsewhere breaks only the link after it. The last entry has
// no link after it: lastRelinked says that the root holds once its prev_leaf is
// put right.
func blame(broken []uint64, last uint64, lastRelinked bool) (seqs []uint64) {
	for i := 0; i < len(broken); {
		from, to := broken[i], broken[i]
		for i++; i < len(broken) && broken[i] == to+1; i++ {
			to++
		}
		if from == 0 || to == from+1 || to == last && lastRelinked {
			seqs = append(seqs, from)
		} else {
			seqs = append(seqs, from-1)
		}
	}
	return slices.Compact(seqs)
}
