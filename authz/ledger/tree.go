package ledger

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/emmansun/gmsm/sm3"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
)

// Tree is the right edge of an RFC 6962 tree with SM3: enough to append leaves
// and to compute the root. The root of the empty tree is SM3(""). Not safe for
// concurrent use.
type Tree struct {
	f *compact.RangeFactory
	r *compact.Range
}

// NewTree returns the empty tree.
func NewTree() *Tree { return newTreeAt(0) }

// newTreeAt starts a partial tree whose first leaf has index begin.
func newTreeAt(begin uint64) *Tree {
	f := &compact.RangeFactory{Hash: newHasher().node}
	return &Tree{f: f, r: f.NewEmptyRange(begin)}
}

// Append adds the next leaf.
func (t *Tree) Append(leaf Hash) {
	// The only error of a range is one that was built from damaged hashes; ours
	// grow from empty.
	if err := t.r.Append(slices.Clone(leaf[:]), nil); err != nil {
		panic("ledger: tree range: " + err.Error())
	}
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.r.End() }

// Root is the root over all leaves.
func (t *Tree) Root() Hash {
	root, err := t.r.GetRootHash(nil)
	if err != nil || root == nil {
		return sm3.Sum(nil)
	}
	return Hash(root)
}

// Clone returns an independent copy.
func (t *Tree) Clone() *Tree {
	c := newTreeAt(t.r.Begin())
	c.join(t)
	return c
}

// join appends a partial tree that begins where t ends.
func (t *Tree) join(o *Tree) {
	r, err := t.f.NewRange(o.r.Begin(), o.r.End(), slices.Clone(o.r.Hashes()))
	if err == nil {
		err = t.r.AppendRange(r, nil)
	}
	if err != nil {
		panic("ledger: joining trees: " + err.Error())
	}
}

// appendLeaves adds joined leaves, on all cores when there are many.
func (t *Tree) appendLeaves(leaves []byte) {
	const part = 1 << 14
	n := len(leaves) / HashSize
	if n <= part {
		if n > 1 && n&(n-1) == 0 && t.Size()%uint64(n) == 0 {
			t.appendPerfect(leaves)
			return
		}
		for i := 0; i < n; i++ {
			t.Append(Hash(leaves[i*HashSize:]))
		}
		return
	}
	begin := t.Size()
	parts := make([]*Tree, (n+part-1)/part)
	var wg sync.WaitGroup
	sem := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range parts {
		sem <- struct{}{}
		wg.Go(func() {
			defer func() { <-sem }()
			p := newTreeAt(begin + uint64(i*part))
			p.appendLeaves(leaves[i*part*HashSize : min(n, (i+1)*part)*HashSize])
			parts[i] = p
		})
	}
	wg.Wait()
	for _, p := range parts {
		t.join(p)
	}
}

// appendPerfect folds an aligned run of 2^k leaves level by level in one
// buffer: the same nodes as one append each, without an allocation for each.
func (t *Tree) appendPerfect(leaves []byte) {
	h, level := newHasher(), slices.Clone(leaves)
	for len(level) > HashSize {
		for i := 0; i < len(level); i += 2 * HashSize {
			h.nodeInto(level[i/2:i/2], level[i:i+2*HashSize])
		}
		level = level[:len(level)/2]
	}
	end := t.Size() + uint64(len(leaves)/HashSize)
	r, err := t.f.NewRange(t.Size(), end, [][]byte{slices.Clone(level)})
	if err == nil {
		err = t.r.AppendRange(r, nil)
	}
	if err != nil {
		panic("ledger: tree range: " + err.Error())
	}
}

// ErrProof: a proof that does not prove, or cannot be made.
var ErrProof = errors.New("ledger: proof does not hold")

// InclusionProof proves that the leaf at index stands in the tree over leaves
// (32 bytes each, joined).
func InclusionProof(leaves []byte, index uint64) ([][]byte, error) {
	nodes, err := proof.Inclusion(index, uint64(len(leaves)/HashSize))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	return assemble(leaves, nodes)
}

// ConsistencyProof proves that the tree over leaves continues the tree over
// its first size leaves.
func ConsistencyProof(leaves []byte, size uint64) ([][]byte, error) {
	nodes, err := proof.Consistency(size, uint64(len(leaves)/HashSize))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	return assemble(leaves, nodes)
}

// VerifyInclusion checks a proof of exactly the right length (attack 25).
func VerifyInclusion(leaf Hash, index, size uint64, path [][]byte, root Hash) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if err := proof.VerifyInclusion(merkleHasher{}, index, size, leaf[:], path, root[:]); err != nil {
		return fmt.Errorf("%w: %v", ErrProof, err)
	}
	return nil
}

// VerifyConsistency checks that the tree of size2 continues that of size1.
func VerifyConsistency(size1, size2 uint64, path [][]byte, root1, root2 Hash) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if err := proof.VerifyConsistency(merkleHasher{}, size1, size2, path, root1[:], root2[:]); err != nil {
		return fmt.Errorf("%w: %v", ErrProof, err)
	}
	// The library takes any root for the empty tree: anything continues it.
	if size1 == 0 && root1 != sm3.Sum(nil) {
		return fmt.Errorf("%w: root of the empty tree", ErrProof)
	}
	return nil
}

// checkPath: a tree of 2^64 leaves cannot be, so a proof is never longer than
// twice 63 hashes, and each hash is whole.
func checkPath(path [][]byte) error {
	if len(path) > 126 {
		return fmt.Errorf("%w: %d hashes", ErrProof, len(path))
	}
	for _, h := range path {
		if len(h) != HashSize {
			return fmt.Errorf("%w: a hash of %d bytes", ErrProof, len(h))
		}
	}
	return nil
}

// assemble computes the nodes of a proof from the leaves.
func assemble(leaves []byte, nodes proof.Nodes) ([][]byte, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		from, to := id.Coverage()
		t := NewTree() // a perfect subtree hashes like a tree of its own
		t.appendLeaves(leaves[from*HashSize : to*HashSize])
		root := t.Root()
		hashes[i] = root[:]
	}
	out, err := nodes.Rehash(hashes, newHasher().node)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	return out, nil
}

// merkleHasher is the SM3 hasher of the proof library.
type merkleHasher struct{}

func (merkleHasher) EmptyRoot() []byte           { h := sm3.Sum(nil); return h[:] }
func (merkleHasher) HashLeaf(leaf []byte) []byte { h := newHasher().leaf(leaf); return h[:] }
func (merkleHasher) HashChildren(l, r []byte) []byte {
	return newHasher().node(l, r)
}
func (merkleHasher) Size() int { return HashSize }
