package ledger

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// Policy is what an auditor holds against an export.
type Policy struct {
	// Keys are trusted to sign checkpoints. None: the verdict is at best
	// indeterminate, since an export that carries its own key proves only that
	// it agrees with itself.
	Keys []*ecdsa.PublicKey
	// Origin is the ledger it must be; "": any.
	Origin string
	// Remembered are checkpoint notes that the auditor kept. The export must
	// continue each of them: this finds what no ledger can show by itself, a
	// tail cut off, a history rewritten and signed again, a restored backup.
	Remembered [][]byte
}

// Verdict of a Report.
type Verdict string

// Verdicts.
const (
	Valid         Verdict = "valid"
	Invalid       Verdict = "invalid"
	Indeterminate Verdict = "indeterminate"
)

// Report is the outcome of Verify; it holds data only, the edges have the words.
type Report struct {
	Verdict     Verdict   `json:"verdict"`
	Origin      string    `json:"origin"`
	Shard       uint32    `json:"shard"`
	Entries     uint64    `json:"entries"`
	Bodies      uint64    `json:"bodies"`
	Redacted    uint64    `json:"redacted"`
	Root        string    `json:"root"`          // of the entries as read, hex
	KeySM3      string    `json:"key_sm3"`       // SM3 of the SubjectPublicKeyInfo that signed, hex
	First       time.Time `json:"first_time"`    // of the first header
	Last        time.Time `json:"last_time"`     // of the last header
	FirstBadSeq *uint64   `json:"first_bad_seq"` // null when no entry is bad
	Faults      uint64    `json:"faults"`        // number of failed findings, also of those left out
	Findings    []Finding `json:"findings"`
}

// maxFindings bounds a report on garbage; Faults counts them all.
const maxFindings = 200

// verification is one run of Verify.
type verification struct {
	policy Policy
	kind   string // of the file: export or slice
	report Report
	man    manifest
	note   *Note
	key    *ecdsa.PublicKey
	*joined
}

// Verify checks an export with public keys only. Bad content is a Report; the
// error is for a reader that fails. It holds about 100 bytes an entry in memory
// and works on all cores.
func Verify(r io.Reader, p Policy) (*Report, error) {
	v := &verification{policy: p, kind: exportKind, report: Report{Findings: []Finding{}}}
	in := bufio.NewReaderSize(r, maxLine)
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	if !v.open(line) {
		return v.finish(), nil
	}
	v.joined = newJoined(v.man.Shard, v.cuts())
	end, err := v.readEntries(in)
	if err != nil {
		return nil, err
	}
	v.close(in, end)
	v.trust()
	v.remembered()
	return v.finish(), nil
}

// readLine returns the next line with its end; nil for one that is too long
// or has no end. The slice lives until the next read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull):
		return nil, nil
	}
	return nil, fmt.Errorf("ledger: reading the export: %w", err)
}

func (v *verification) fail(code, detail string) {
	v.add(Finding{Code: code, Result: ResultFail, Detail: detail})
}

func (v *verification) add(f Finding) {
	if f.Result == ResultFail {
		v.report.Faults++
		if f.Seq != nil && (v.report.FirstBadSeq == nil || *f.Seq < *v.report.FirstBadSeq) {
			v.report.FirstBadSeq = f.Seq
		}
	}
	if len(v.report.Findings) < maxFindings {
		v.report.Findings = append(v.report.Findings, f)
	}
}

// open reads the first line: without it nothing can be checked.
func (v *verification) open(line []byte) bool {
	if line == nil || unmarshalLine(line, &v.man) != nil || v.man.Kind != v.kind ||
		v.man.Version != exportVersion || v.man.Entries > maxEntries {
		v.fail(CodeManifest, "first line")
		return false
	}
	v.report.Shard = v.man.Shard
	if n, err := ParseNote([]byte(v.man.Checkpoint)); err != nil {
		v.fail(CodeNoteForm, "")
	} else {
		v.note, v.report.Origin = &n, n.Origin
	}
	key, err := ParseKey([]byte(v.man.Key))
	if err == nil {
		// One form for the key too: nothing may hide around the PEM block.
		if again, err := MarshalKey(key); err == nil && string(again) == v.man.Key {
			v.key = key
		}
	}
	if v.key == nil {
		v.fail(CodeKey, "key in the export")
	}
	return true
}

// cuts are the sizes at which the root is needed.
func (v *verification) cuts() (sizes []uint64) {
	for _, text := range v.policy.Remembered {
		if n, err := ParseNote(text); err == nil {
			sizes = append(sizes, n.Size)
		}
	}
	return sizes
}

// close checks counts, the last line and the root.
func (v *verification) close(in *bufio.Reader, end []byte) {
	size, root := v.tree.Size(), v.tree.Root()
	v.report.Entries, v.report.Root = size, hex.EncodeToString(root[:])
	v.report.Redacted, v.report.Bodies = uint64(len(v.erased)), size-uint64(len(v.erased))
	if size > 0 {
		v.report.First, v.report.Last = time.UnixMilli(v.firstTime).UTC(), time.UnixMilli(v.lastTime).UTC()
	}
	var last endManifest
	switch {
	case end == nil || unmarshalLine(end, &last) != nil || last.Kind != exportEndKind:
		f := Finding{Code: CodeManifest, Result: ResultFail, Detail: "last line"}
		if size < v.man.Entries {
			f.Seq = &size // the first entry that is not there
		}
		v.add(f)
	case last.Entries != size || v.man.Entries != size:
		v.fail(CodeManifest, fmt.Sprintf("%d entries, the first line says %d, the last %d", size, v.man.Entries, last.Entries))
	case !bytes.Equal(last.Root, root[:]):
		v.fail(CodeRoot, "last line")
	}
	if _, err := in.ReadByte(); err == nil {
		v.fail(CodeManifest, "something follows the last line")
	}
	relinked := false
	if v.note != nil && v.note.Size == size && v.note.Root != root {
		v.fail(CodeRoot, "checkpoint")
		relinked = v.relinked(v.note.Root)
	}
	for _, seq := range blame(v.broken, size-1, relinked) {
		v.findings = append(v.findings, Finding{Code: CodeChain, Result: ResultFail, Seq: &seq})
	}
	v.checkRedactions()
	slices.SortStableFunc(v.findings, func(a, b Finding) int { return cmp.Compare(*a.Seq, *b.Seq) })
	for _, f := range v.findings {
		v.add(f)
	}
}

// trust checks the checkpoint: over these entries, by this key, trusted.
func (v *verification) trust() {
	if v.note == nil || v.key == nil {
		return
	}
	if v.joined != nil && v.note.Size != v.tree.Size() { // a slice has proofs instead of all entries
		v.fail(CodeNoteSize, fmt.Sprintf("checkpoint over %d of %d entries", v.note.Size, v.tree.Size()))
	}
	if v.policy.Origin != "" && v.policy.Origin != v.note.Origin {
		v.fail(CodeNoteOrigin, v.note.Origin)
	}
	if err := v.note.Verify(v.key); err != nil {
		v.fail(CodeNoteSig, "")
		return
	}
	if der, err := marshalKey(v.key); err == nil {
		sum := sm3.Sum(der)
		v.report.KeySM3 = hex.EncodeToString(sum[:])
	}
	switch {
	case len(v.policy.Keys) == 0:
		v.add(Finding{Code: CodeKey, Result: ResultIndeterminate, Detail: "no trusted key was given"})
	case !slices.ContainsFunc(v.policy.Keys, func(k *ecdsa.PublicKey) bool { return k.Equal(v.key) }):
		v.fail(CodeKey, "signed with a key that is not trusted")
	}
}

// remembered holds the auditor's own checkpoints against the entries.
func (v *verification) remembered() {
	keys := v.policy.Keys
	if len(keys) == 0 && v.key != nil {
		keys = []*ecdsa.PublicKey{v.key}
	}
	for i, text := range v.policy.Remembered {
		n, err := ParseNote(text)
		root, have := v.roots[n.Size]
		switch {
		case err != nil || !slices.ContainsFunc(keys, func(k *ecdsa.PublicKey) bool { return n.Verify(k) == nil }):
			v.fail(CodeRemembered, fmt.Sprintf("remembered checkpoint %d is not signed by a trusted key", i+1))
		case v.note != nil && n.Origin != v.note.Origin:
			v.fail(CodeNoteOrigin, fmt.Sprintf("remembered checkpoint %d", i+1))
		case n.Size > v.tree.Size():
			v.fail(CodeRemembered, fmt.Sprintf("%d entries, a remembered checkpoint has %d", v.tree.Size(), n.Size))
		case !have || root != n.Root:
			v.fail(CodeRemembered, fmt.Sprintf("another history up to entry %d", n.Size))
		}
	}
}

func (v *verification) finish() *Report {
	v.report.Verdict = Valid
	for _, f := range v.report.Findings {
		if f.Result == ResultIndeterminate {
			v.report.Verdict = Indeterminate
		}
	}
	if v.report.Faults > 0 {
		v.report.Verdict = Invalid
	}
	return &v.report
}
