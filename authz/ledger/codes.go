package ledger

import "fmt"

// Codes of what a verification finds. They are stable: texts, scripts and
// auditors' reports refer to them.
const (
	CodeManifest     = "ledger.manifest"              // first or last line of the export, its counts, or lines that are missing or too many
	CodeFormat       = "ledger.format"                // a line that is no entry in its one form
	CodeHeader       = "ledger.header"                // not a header
	CodeShard        = "ledger.shard"                 // entry of another shard
	CodeEpoch        = "ledger.epoch"                 // epoch goes back: a leader that had been fenced
	CodeSeqGap       = "ledger.seq.gap"               // a sequence number is missing
	CodeSeqDuplicate = "ledger.seq.duplicate"         // a sequence number stands twice
	CodeSeqOrder     = "ledger.seq.order"             // a sequence number goes back
	CodeTime         = "ledger.time.monotone"         // time goes back
	CodeChain        = "ledger.chain.prev"            // the chain breaks after this entry
	CodeLabel        = "ledger.entry.label"           // id or seq beside an entry is not that of the entry
	CodeDuplicateID  = "ledger.entry.duplicate_id"    // an entry id stands twice
	CodeBodyCommit   = "ledger.body.commit"           // the body is not the one that was committed to
	CodeBodyForm     = "ledger.body.canonical"        // the body is not a canonical event
	CodeBodyHeader   = "ledger.body.header"           // header and body disagree on class or policy
	CodeRedacted     = "ledger.redacted"              // a body is missing without a redaction entry, or half of it is kept
	CodeLeaf         = "ledger.leaf"                  // a stored leaf is not the hash of its header
	CodeRoot         = "ledger.root"                  // the leaves do not give this root
	CodeHead         = "ledger.head"                  // the stored head does not describe the entries
	CodeOutbox       = "ledger.outbox"                // an outbox row that is no event
	CodeNoteForm     = "ledger.checkpoint.form"       // not a checkpoint note
	CodeNoteOrigin   = "ledger.checkpoint.origin"     // a checkpoint of another ledger
	CodeNoteSig      = "ledger.checkpoint.signature"  // the signature does not verify
	CodeNoteSize     = "ledger.checkpoint.size"       // the checkpoint is not over these entries
	CodeRemembered   = "ledger.checkpoint.remembered" // does not continue a checkpoint that the auditor kept
	CodeKey          = "ledger.key"                   // the key in the export is no SM2 key, or not a trusted one
)

// Codes lists every code, for those who must have a text for each.
func Codes() []string {
	return []string{
		CodeManifest, CodeFormat, CodeHeader, CodeShard, CodeEpoch, CodeSeqGap, CodeSeqDuplicate, CodeSeqOrder,
		CodeTime, CodeChain, CodeLabel, CodeDuplicateID, CodeBodyCommit, CodeBodyForm, CodeBodyHeader, CodeRedacted,
		CodeLeaf, CodeRoot, CodeHead, CodeOutbox, CodeNoteForm, CodeNoteOrigin, CodeNoteSig, CodeNoteSize,
		CodeRemembered, CodeKey,
	}
}

// CorruptError says that stored data do not verify: the house must not start,
// or must stop (design law 8). Seq is the first bad entry where it is known.
type CorruptError struct {
	Shard  uint32
	Code   string
	Seq    *uint64
	Detail string
}

func (e *CorruptError) Error() string {
	at := ""
	if e.Seq != nil {
		at = fmt.Sprintf(" at seq %d", *e.Seq)
	}
	if e.Detail != "" {
		at += ": " + e.Detail
	}
	return fmt.Sprintf("ledger: shard %d does not verify: %s%s", e.Shard, e.Code, at)
}

// Results of a Finding.
const (
	ResultFail          = "fail"
	ResultIndeterminate = "indeterminate"
)

// Finding is one thing that a verification found.
type Finding struct {
	Code   string  `json:"code"`
	Result string  `json:"result"`
	Seq    *uint64 `json:"seq,omitempty"`
	Detail string  `json:"detail,omitempty"`
}
