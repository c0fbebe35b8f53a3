package ledger

import "sync"

// CheckStructure runs check without bodies over chained headers, split as an
// export is, and returns the number of faults and the root.
func CheckStructure(headers []byte, workers int) (int, Hash) {
	n := len(headers) / HeaderSize
	parts := make(chan *part)
	results := make([]*checked, (n+chunk-1)/chunk)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for p := range parts {
				results[p.begin/chunk] = p.check()
			}
		})
	}
	for at := 0; at < n; at += chunk {
		p := &part{begin: uint64(at)}
		if at > 0 {
			p.prev = headers[(at-1)*HeaderSize : at*HeaderSize]
		}
		for i := at; i < min(n, at+chunk); i++ {
			p.entries = append(p.entries, Entry{Seq: uint64(i), Header: headers[i*HeaderSize : (i+1)*HeaderSize]})
		}
		parts <- p
	}
	close(parts)
	wg.Wait()
	tree, faults := NewTree(), 0
	for _, c := range results {
		faults += len(c.findings) + len(c.broken)
		tree.join(c.tree)
	}
	return faults, tree.Root()
}

// RootOf is the root over joined leaves, the way a start computes it.
func RootOf(leaves []byte) Hash {
	t := NewTree()
	for len(leaves) > 0 {
		n := min(len(leaves), page*HashSize)
		t.appendLeaves(leaves[:n])
		leaves = leaves[n:]
	}
	return t.Root()
}
