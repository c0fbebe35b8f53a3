package ledger

import (
	"bufio"
	"bytes"
	"runtime"
	"slices"
	"sync"
)

// chunk is how many lines one worker takes: large enough that joining costs
// nothing, small enough that all cores have work.
const chunk = 2048

// joined is what the parts of an export show together.
type joined struct {
	shard      uint32
	tree       *Tree
	cuts       []uint64 // sizes whose root is wanted, ascending
	roots      map[uint64]Hash
	ids        map[string]struct{}
	findings   []Finding
	broken     []uint64
	erased     []target
	redactions []redaction
	firstTime  int64
	lastTime   int64
	lastHeader []byte
	base       *Tree  // before the last part
	leaves     []byte // of the last two parts, so that the last two leaves are in it
	own        int    // bytes of leaves that are of the last part
}

func newJoined(shard uint32, cuts []uint64) *joined {
	slices.Sort(cuts)
	j := &joined{shard: shard, tree: NewTree(), cuts: cuts, roots: map[uint64]Hash{}, ids: map[string]struct{}{}}
	j.roots[0] = j.tree.Root()
	return j
}

// lines is a chunk on its way to a worker.
type lines struct {
	begin  uint64
	before []byte // the line before it, nil at the start
	text   [][]byte
	result chan linesResult
}

type linesResult struct {
	*checked
	ids []string
}

// readEntries reads entry lines until one that is none, checks them on all
// cores and joins the results in order. It returns that other line, nil when
// the export just ends.
func (j *joined) readEntries(in *bufio.Reader) (end []byte, err error) {
	workers := runtime.GOMAXPROCS(0)
	jobs := make(chan *lines, workers)
	order := make(chan *lines, 2*workers) // bounds what is in memory
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for l := range jobs {
				l.result <- l.check(j.shard)
			}
		})
	}
	wg.Go(func() {
		for l := range order {
			j.join(<-l.result)
		}
	})
	send := func(l *lines) {
		order <- l
		jobs <- l
	}
	cur := &lines{result: make(chan linesResult, 1)}
	for {
		var line []byte
		if line, err = readLine(in); err != nil || line == nil || !bytes.HasPrefix(line, []byte(`{"seq":`)) {
			end = bytes.Clone(line)
			break
		}
		cur.text = append(cur.text, bytes.Clone(line))
		if len(cur.text) == chunk {
			next := &lines{begin: cur.begin + chunk, before: cur.text[chunk-1], result: make(chan linesResult, 1)}
			send(cur)
			cur = next
		}
		if cur.begin > maxEntries {
			break
		}
	}
	if len(cur.text) > 0 {
		send(cur)
	}
	close(jobs)
	close(order)
	wg.Wait()
	return end, err
}

// check opens and checks one chunk. A line that cannot be read is an entry
// without header: it takes its place in the count, and breaks the tree.
func (l *lines) check(shard uint32) linesResult {
	p := part{shard: shard, begin: l.begin, entries: make([]Entry, len(l.text)), bodies: true}
	if l.before != nil {
		e, _ := parseLine(l.before)
		p.prev = append([]byte{}, e.Header...) // not nil, even when the line was bad
	}
	r := linesResult{ids: make([]string, len(l.text))}
	var bad []uint64
	for i, text := range l.text {
		e, err := parseLine(text)
		if err != nil {
			bad = append(bad, l.begin+uint64(i))
		}
		e.Shard = shard // an export line has no label for it; the header is held against the manifest
		p.entries[i], r.ids[i] = e, e.ID
	}
	r.checked = p.check()
	for _, seq := range bad {
		r.fail(CodeFormat, seq)
	}
	return r
}

// join appends the next part.
func (j *joined) join(r linesResult) {
	begin := j.tree.Size()
	if begin == 0 {
		j.firstTime = r.firstTime
	}
	j.lastTime, j.lastHeader = r.lastTime, r.lastHeader
	j.base = j.tree.Clone()
	j.leaves = append(slices.Clone(j.leaves[len(j.leaves)-j.own:]), r.leaves...)
	j.own = len(r.leaves)
	end := begin + uint64(len(r.ids))
	for len(j.cuts) > 0 && j.cuts[0] <= end {
		c := j.tree.Clone()
		c.appendLeaves(r.leaves[:(j.cuts[0]-begin)*HashSize])
		j.roots[j.cuts[0]] = c.Root()
		j.cuts = j.cuts[1:]
	}
	j.tree.join(r.tree)
	for i, id := range r.ids {
		if _, dup := j.ids[id]; dup && id != "" {
			seq := begin + uint64(i)
			j.findings = append(j.findings, Finding{Code: CodeDuplicateID, Result: ResultFail, Seq: &seq})
		}
		j.ids[id] = struct{}{}
	}
	j.findings = append(j.findings, r.findings...)
	j.broken = append(j.broken, r.broken...)
	j.erased = append(j.erased, r.erased...)
	j.redactions = append(j.redactions, r.redactions...)
}

// relinked reports whether the tree has this root when the last header names
// the leaf before it, as blame asks.
func (j *joined) relinked(root Hash) bool {
	h, err := ParseHeader(j.lastHeader)
	n := len(j.leaves)
	if err != nil || n < 2*HashSize {
		return false
	}
	h.Prev = Hash(j.leaves[n-2*HashSize:])
	t := j.base.Clone()
	t.appendLeaves(j.leaves[n-j.own : n-HashSize])
	t.Append(LeafHash(h.Append(nil)))
	return t.Root() == root
}

// checkRedactions wants a later redaction entry for each erased body
// (attack 29).
func (j *joined) checkRedactions() {
	later := make(map[target]uint64, len(j.redactions))
	for _, r := range j.redactions {
		later[r.of] = r.at
	}
	for _, e := range j.erased {
		if at, ok := later[e]; !ok || at <= e.seq {
			j.findings = append(j.findings, Finding{Code: CodeRedacted, Result: ResultFail, Seq: &e.seq})
		}
	}
}
