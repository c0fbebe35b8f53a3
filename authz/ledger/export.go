package ledger

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"fmt"
	"io"
)

// The export (ledger.jsonl) is lines of JSON that others can read:
//
//	{"kind":"yinxin-ledger-export","version":1,"shard":0,"entries":N,"checkpoint":"<note>","key":"<PEM>"}
//	{"seq":0,"id":"<entry id>","header":"<base64>","salt":"<base64>","body":"<base64>"}     N times, seq 0 to N-1
//	{"kind":"yinxin-ledger-export-end","entries":N,"root":"<base64>"}
//
// It holds every entry of a shard that the checkpoint covers. salt and body are
// null once erased. Each line has one form, byte for byte (key order as above,
// no spaces, standard base64), and ends with \n; nothing follows the last one.
// The key only says which key signed: whether to trust it is the auditor's
// affair. testdata/verify.py is a verifier in Python that shares no code with
// this one.
const (
	exportKind    = "yinxin-ledger-export"
	exportEndKind = "yinxin-ledger-export-end"
	exportVersion = 1

	maxLine    = 128 << 10 // a body of 64 KiB in base64, its header and names
	maxEntries = 1 << 28   // an auditor's memory, about 100 B an entry, is the limit before this
)

type manifest struct {
	Kind       string `json:"kind"`
	Version    int    `json:"version"`
	Shard      uint32 `json:"shard"`
	Entries    uint64 `json:"entries"`
	Checkpoint string `json:"checkpoint"`
	Key        string `json:"key"`
}

type endManifest struct {
	Kind    string `json:"kind"`
	Entries uint64 `json:"entries"`
	Root    []byte `json:"root"`
}

// Export writes the entries that a checkpoint covers. key is the key that
// signed it. It stops with an error rather than write an export that is short.
func Export(ctx context.Context, w io.Writer, r Reader, shard uint32, note []byte, key *ecdsa.PublicKey) error {
	n, err := ParseNote(note)
	if err != nil {
		return err
	}
	if err := n.Verify(key); err != nil {
		return err
	}
	pem, err := MarshalKey(key)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	line, err := marshalLine(manifest{exportKind, exportVersion, shard, n.Size, string(note), string(pem)})
	if err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return fmt.Errorf("ledger: writing the export: %w", err)
	}
	const step = 1024
	for from := uint64(0); from < n.Size; from += step {
		to := min(from+step, n.Size)
		entries, err := r.Entries(ctx, shard, from, to)
		if err != nil {
			return fmt.Errorf("ledger: reading entries: %w", err)
		}
		if uint64(len(entries)) != to-from {
			at := from + uint64(len(entries))
			return &CorruptError{Shard: shard, Code: CodeSeqGap, Seq: &at}
		}
		for i := range entries {
			line = appendLine(line[:0], &entries[i])
			if _, err := out.Write(line); err != nil {
				return fmt.Errorf("ledger: writing the export: %w", err)
			}
		}
	}
	if line, err = marshalLine(endManifest{exportEndKind, n.Size, n.Root[:]}); err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return fmt.Errorf("ledger: writing the export: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("ledger: writing the export: %w", err)
	}
	return nil
}

// Export signs a checkpoint over all that is committed and exports it.
func (s *Sequencer) Export(ctx context.Context, w io.Writer) error {
	note, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	key, ok := s.cfg.Signer.Public().(*ecdsa.PublicKey)
	if !ok {
		return ErrKey
	}
	return Export(ctx, w, s.cfg.Store, s.cfg.Shard, note, key)
}
