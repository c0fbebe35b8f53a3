package ledger_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// rfc6962 is the recursive definition of the tree, RFC 6962 2.1.
func rfc6962(leaves []byte) ledger.Hash {
	n := len(leaves) / 32
	switch n {
	case 0:
		return sm3.Sum(nil)
	case 1:
		return ledger.Hash(leaves)
	}
	k := 1
	for k*2 < n {
		k *= 2
	}
	l, r := rfc6962(leaves[:k*32]), rfc6962(leaves[k*32:])
	return sm3.Sum(slices.Concat([]byte{1}, l[:], r[:]))
}

func someLeaves(t testing.TB, n int) []byte {
	b := make([]byte, n*32)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTreeIsRFC6962(t *testing.T) {
	empty := ledger.NewTree().Root()
	if hex.EncodeToString(empty[:]) != "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b" {
		t.Fatalf("empty root %x", empty)
	}
	leaves := someLeaves(t, 70)
	tree := ledger.NewTree()
	for n := 1; n <= 70; n++ {
		tree.Append(ledger.Hash(leaves[(n-1)*32:]))
		if tree.Root() != rfc6962(leaves[:n*32]) || tree.Size() != uint64(n) {
			t.Fatalf("size %d", n)
		}
	}
}

// TestProofs: attack 25. A proof holds for its own position and size, and for
// no other, and no hash may be missing, changed or added.
func TestProofs(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 7, 8, 9, 16, 33} {
		leaves := someLeaves(t, int(n))
		root := rfc6962(leaves)
		for i := range n {
			leaf := ledger.Hash(leaves[i*32:])
			path, err := ledger.InclusionProof(leaves, i)
			if err != nil {
				t.Fatal(err)
			}
			if err := ledger.VerifyInclusion(leaf, i, n, path, root); err != nil {
				t.Fatalf("%d of %d: %v", i, n, err)
			}
			refused := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, ledger.ErrProof) {
					t.Fatalf("%d of %d, %s: %v", i, n, what, err)
				}
			}
			refused("other index", ledger.VerifyInclusion(leaf, i^1, n, path, root))
			refused("index = size", ledger.VerifyInclusion(leaf, n, n, path, root))
			refused("size 0", ledger.VerifyInclusion(leaf, 0, 0, path, root))
			refused("longer", ledger.VerifyInclusion(leaf, i, n, append(slices.Clone(path), leaf[:]), root))
			refused("endless", ledger.VerifyInclusion(leaf, i, n, slices.Repeat([][]byte{leaf[:]}, 1000), root))
			refused("node as leaf", ledger.VerifyInclusion(root, i, n+1, path, root))
			if len(path) > 0 {
				refused("shorter", ledger.VerifyInclusion(leaf, i, n, path[1:], root))
				bad := slices.Clone(path)
				bad[0] = bytes.Clone(bad[0])
				bad[0][0] ^= 1
				refused("changed", ledger.VerifyInclusion(leaf, i, n, bad, root))
				bad[0] = bad[0][:31]
				refused("cut hash", ledger.VerifyInclusion(leaf, i, n, bad, root))
			}
		}
		for m := uint64(0); m <= n; m++ {
			path, err := ledger.ConsistencyProof(leaves, m)
			if err != nil {
				t.Fatal(err)
			}
			old := rfc6962(leaves[:m*32])
			if err := ledger.VerifyConsistency(m, n, path, old, root); err != nil {
				t.Fatalf("%d to %d: %v", m, n, err)
			}
			old[0] ^= 1
			if err := ledger.VerifyConsistency(m, n, path, old, root); !errors.Is(err, ledger.ErrProof) {
				t.Fatalf("%d to %d with another root: %v", m, n, err)
			}
		}
	}
	if _, err := ledger.InclusionProof(nil, 0); !errors.Is(err, ledger.ErrProof) {
		t.Fatal(err)
	}
	if _, err := ledger.ConsistencyProof(someLeaves(t, 3), 4); !errors.Is(err, ledger.ErrProof) {
		t.Fatal(err)
	}
}
