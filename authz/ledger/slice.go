package ledger

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"fmt"
	"io"

	"github.com/transparency-dev/merkle/proof"
)

// A slice (台账摘录) is some entries of a shard with the proof that each stands in
// the tree of one checkpoint, for those who may see these entries and no others:
//
//	{"kind":"yinxin-ledger-slice","version":1,"shard":0,"entries":N,"checkpoint":"<note>","key":"<PEM>"}
//	{"seq":7,"id":"<entry id>","header":"<base64>","salt":"<base64>","body":"<base64>"}
//	{"path":["<base64>",…]}                                     the RFC 6962 inclusion proof of the line before
//	{"kind":"yinxin-ledger-slice-end","entries":N,"root":"<base64>"}
//
// Entry lines are those of an export, in order of seq. It shows that these entries
// were recorded as they are; it cannot show that there are no further ones.
const (
	sliceKind    = "yinxin-ledger-slice"
	sliceEndKind = "yinxin-ledger-slice-end"
	maxSlice     = 10_000
)

type slicePath struct {
	Path [][]byte `json:"path"`
}

// Source calls yield with every entry of a shard from seq 0 on.
type Source func(yield func(Entry) error) error

// Stored is the source over a store.
func Stored(ctx context.Context, r Reader, shard uint32, size uint64) Source {
	return func(yield func(Entry) error) error {
		const step = 1024
		for from := uint64(0); from < size; from += step {
			entries, err := r.Entries(ctx, shard, from, min(from+step, size))
			if err != nil {
				return fmt.Errorf("ledger: reading entries: %w", err)
			}
			for _, e := range entries {
				if err := yield(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// Slice writes the entries whose event match accepts, and says how many there are.
// It refuses (CorruptError) entries that do not give the root of the checkpoint:
// proofs of a broken tree would only fail somebody else.
func Slice(w io.Writer, all Source, shard uint32, note []byte, key *ecdsa.PublicKey, match func(*Event) bool) (int, error) {
	n, err := ParseNote(note)
	if err != nil {
		return 0, err
	}
	if err := n.Verify(key); err != nil {
		return 0, err
	}
	pem, err := MarshalKey(key)
	if err != nil {
		return 0, err
	}
	var leaves []byte
	var kept []Entry
	err = all(func(e Entry) error {
		at := uint64(len(leaves) / HashSize)
		if at == n.Size {
			return nil // younger than the checkpoint
		}
		if e.Seq != at {
			return &CorruptError{Shard: shard, Code: CodeSeqGap, Seq: &at}
		}
		leaf := LeafHash(e.Header)
		leaves = append(leaves, leaf[:]...)
		if e.Body == nil {
			return nil
		}
		ev, err := Decode(e.Body)
		if err != nil {
			return &CorruptError{Shard: shard, Code: CodeBodyForm, Seq: &at}
		}
		if !match(&ev) {
			return nil
		}
		if len(kept) == maxSlice {
			return fmt.Errorf("ledger: a slice of more than %d entries", maxSlice)
		}
		kept = append(kept, e)
		return nil
	})
	if err != nil {
		return 0, err
	}
	t := NewTree()
	t.appendLeaves(leaves)
	if t.Size() != n.Size || t.Root() != n.Root {
		return 0, &CorruptError{Shard: shard, Code: CodeRoot, Detail: "entries and checkpoint"}
	}
	return len(kept), writeSlice(w, manifest{sliceKind, exportVersion, shard, uint64(len(kept)), string(note), string(pem)}, n.Root, kept, levelsOf(leaves))
}

func writeSlice(w io.Writer, m manifest, root Hash, kept []Entry, tree levels) error {
	out := bufio.NewWriter(w)
	put := func(v any) error {
		line, err := marshalLine(v)
		if err == nil {
			_, err = out.Write(line)
		}
		return err
	}
	if err := put(m); err != nil {
		return err
	}
	for i := range kept {
		path, err := tree.inclusion(kept[i].Seq)
		if err != nil {
			return err
		}
		if _, err = out.Write(appendLine(nil, &kept[i])); err != nil {
			return fmt.Errorf("ledger: writing a slice: %w", err)
		}
		if err := put(slicePath{path}); err != nil {
			return err
		}
	}
	if err := put(endManifest{sliceEndKind, m.Entries, root[:]}); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("ledger: writing a slice: %w", err)
	}
	return nil
}

// levels are the perfect nodes of a tree, leaves first: every proof is looked up,
// and a thousand proofs do not hash the tree a thousand times.
type levels [][]byte

func levelsOf(leaves []byte) levels {
	h, out := newHasher(), levels{leaves}
	for last := leaves; len(last) >= 2*HashSize; last = out[len(out)-1] {
		next := make([]byte, 0, len(last)/2)
		for i := 0; i+2*HashSize <= len(last); i += 2 * HashSize {
			next = append(next, h.node(last[i:i+HashSize], last[i+HashSize:i+2*HashSize])...)
		}
		out = append(out, next)
	}
	return out
}

func (l levels) inclusion(index uint64) ([][]byte, error) {
	nodes, err := proof.Inclusion(index, uint64(len(l[0])/HashSize))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		hashes[i] = l[id.Level][id.Index*HashSize : (id.Index+1)*HashSize]
	}
	out, err := nodes.Rehash(hashes, newHasher().node)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	if out == nil {
		out = [][]byte{} // of a tree of one leaf; null would be another form
	}
	return out, nil
}

// Exported is the source over an export, with its shard and checkpoint. It verifies
// nothing, and takes no key from the export: the caller has the one that he trusts.
func Exported(r io.Reader) (all Source, shard uint32, note []byte, err error) {
	in := bufio.NewReaderSize(r, maxLine)
	line, err := readLine(in)
	if err != nil {
		return nil, 0, nil, err
	}
	var m manifest
	if line == nil || unmarshalLine(line, &m) != nil || m.Kind != exportKind || m.Version != exportVersion {
		return nil, 0, nil, fmt.Errorf("%w: no ledger export", ErrExport)
	}
	return func(yield func(Entry) error) error {
		return walkEntries(in, m.Shard, func(e Entry, _ Header) error { return yield(e) })
	}, m.Shard, []byte(m.Checkpoint), nil
}
