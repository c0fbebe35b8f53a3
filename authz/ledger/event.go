// Package ledger is the access ledger (存证台账): what happened in the house,
// as a hash chain inside an RFC 6962 tree with SM3, signed by SM2 checkpoints,
// that an auditor verifies offline with public keys only.
//
// The package imports no database. A store implements Backend; the Sequencer
// behind it groups commits, one compare-and-set on (shard, epoch, seq) a batch.
// Layout and promises: docs/architecture.md and the comments of header.go.
package ledger

import (
	"context"
	"errors"
	"time"
)

// Class decides how long a body must be kept; the header is never purged.
type Class uint8

// Classes of events. The value is part of the header: never renumber.
const (
	ClassAccess      Class = 1 // decisions, transfers, receipts: network and audit logs, 6 months and more
	ClassCertificate Class = 2 // certification information: expiry + 5 years (电子签名法 art. 24)
	ClassSeal        Class = 3 // making and use of seals
	ClassPersonal    Class = 4 // bodies with personal information; may be erased on legal ground
	ClassAdmin       Class = 5 // identity, grading, policies, keys, configuration
	ClassLog         Class = 6 // the ledger about itself: key change, redaction, checkpoint policy
)

// Actor is who acted: the person or system, by which certificate, for which
// unit, in which role.
type Actor struct {
	Kind        string `json:"kind"` // "person", "system" or "service"
	ID          string `json:"id"`
	Unit        string `json:"unit,omitempty"`        // unified social credit code
	Role        string `json:"role,omitempty"`        // identity.Role
	Certificate string `json:"certificate,omitempty"` // serial, hex
	Token       string `json:"token,omitempty"`       // id of the access token that the call came with
}

// Object is what was acted on.
type Object struct {
	Kind string `json:"kind"` // "certificate", "seal", "resource", "holding", "transfer", …
	ID   string `json:"id"`
}

// Event is one fact for the ledger: the smallest set of
// reference/regulations §13. It never holds a payload, a secret or a personal
// number, only digests. ID is made by the caller (UUIDv7) and is the
// idempotency key: recording the same Event twice returns the first Receipt.
type Event struct {
	ID        string            `json:"id"`
	Type      string            `json:"type"` // "room.object.verb_ed": "ca.certificate.issued"
	Class     Class             `json:"class"`
	Time      time.Time         `json:"time"` // of the act, UTC, truncated to milliseconds
	Actor     Actor             `json:"actor"`
	Object    Object            `json:"object"`
	Action    string            `json:"action,omitempty"`
	Purpose   string            `json:"purpose,omitempty"`
	Outcome   string            `json:"outcome"`            // "success" or "failure"
	Decision  string            `json:"decision,omitempty"` // "allow" or "deny"
	Reasons   []string          `json:"reasons,omitempty"`  // reason codes of policies
	Before    string            `json:"label_before,omitempty"`
	After     string            `json:"label_after,omitempty"`
	Target    string            `json:"target,omitempty"` // receiving system
	Agreement string            `json:"agreement,omitempty"`
	Payload   string            `json:"payload_sm3,omitempty"` // SM3 of what was handled, lower-case hex
	Request   string            `json:"request_id,omitempty"`
	Policy    string            `json:"policy_digest,omitempty"` // SM3 of the policy bundle in force, hex; also in the header
	Details   map[string]string `json:"details,omitempty"`       // further small facts; keys are snake_case
}

// Outcomes of an Event.
const (
	Success = "success"
	Failure = "failure"
)

// Promise says what already holds for an entry. Later values include earlier.
type Promise uint8

// Promises of a Receipt.
const (
	Durable    Promise = 1 // committed, will not be lost; no sequence number yet
	Integrated Promise = 2 // has a sequence number and stands in the chain
	Witnessed  Promise = 3 // a checkpoint over it has its quorum of cosignatures
)

// Receipt is the answer to an append. Seq counts from 0 in its shard and is
// valid when Promise >= Integrated.
type Receipt struct {
	EntryID string  `json:"entry_id"`
	Shard   uint32  `json:"shard"`
	Seq     uint64  `json:"seq"`
	Leaf    []byte  `json:"leaf,omitempty"` // SM3 leaf hash, 32 bytes
	Promise Promise `json:"promise"`
}

// Outcomes that callers branch on.
var (
	// ErrFenced: another writer moved the head; this one must stop and reload.
	ErrFenced = errors.New("ledger: fenced by another writer")
	// ErrClosed: the sequencer does not take entries any more.
	ErrClosed = errors.New("ledger: closed")
	// ErrInvalidEvent: an event that may not be written (no id, bad outcome, too large).
	ErrInvalidEvent = errors.New("ledger: invalid event")
	// ErrIDReused: the id stands in the ledger with another body. The event was
	// not recorded: answering with the first receipt would be a lie.
	ErrIDReused = errors.New("ledger: entry id was used for another event")
	// ErrNotFound: no such entry or head.
	ErrNotFound = errors.New("ledger: not found")
)

// Entry is one position of a shard: Header is the fixed layout that is hashed
// into Leaf; Body is the canonical event; Body and Salt are nil once redacted.
type Entry struct {
	ID     string
	Shard  uint32
	Seq    uint64
	Leaf   []byte // 32
	Header []byte
	Salt   []byte // 32
	Body   []byte
}

// Head is the last position of a shard. Size is the number of entries: the
// next entry gets Seq == Size. Checkpoint is the newest signed note, or nil.
type Head struct {
	Shard      uint32
	Epoch      uint64
	Size       uint64
	LastLeaf   []byte // zero-filled 32 bytes when Size is 0
	Root       []byte // SM3 tree root over all leaves
	Time       int64  // time_ms of the last header
	Checkpoint []byte
}

// Pending is an event that a store committed together with its row (the
// outbox) and that has no sequence number yet.
type Pending struct {
	ID   string
	Body []byte // canonical event
	Salt []byte
}

// Batch moves a shard from Old to New. OutboxIDs are the outbox rows that the
// batch integrates; they are deleted in the same transaction.
type Batch struct {
	Old, New  Head
	Entries   []Entry
	OutboxIDs []string
}

// Store is everything a Sequencer needs from a database. Methods are safe for
// concurrent use and never keep or change a slice that they were given.
type Store interface {
	Backend
	Reader
	CheckpointStore
}

// Backend is the write side of a store.
type Backend interface {
	// Head returns the head of a shard, creating it at size 0, epoch 1 when it
	// does not exist (zero LastLeaf, Root of the empty tree, no Checkpoint).
	Head(ctx context.Context, shard uint32) (Head, error)
	// AppendBatch commits head, entries and the deletion of the outbox rows
	// durably, all or nothing, if the stored head equals b.Old in Size and
	// Epoch; else it returns ErrFenced and changes nothing (this is looked at
	// first). A duplicate entry id is an error wrapping ErrDuplicate and changes
	// nothing. Any other error means "unknown": the caller looks before it
	// retries.
	//
	// The stored head becomes b.New in Epoch, Size, LastLeaf, Root and Time; its
	// Checkpoint stays as stored, b.New.Checkpoint is not read. b.Entries may be
	// empty: a leader takes a shard over by New.Epoch = Old.Epoch+1 at the same
	// Size. b.OutboxIDs may name rows without an entry in this batch (their
	// entry is in the ledger already) and rows that are gone.
	AppendBatch(ctx context.Context, b Batch) error
	// Outbox returns up to limit pending events, oldest first.
	Outbox(ctx context.Context, limit int) ([]Pending, error)
}

// ErrDuplicate: an entry id is already in the ledger; nothing was written.
var ErrDuplicate = errors.New("ledger: duplicate entry id")

// Reader is the read side of a store.
type Reader interface {
	// Entries returns entries with from <= Seq < to in order; it may return
	// fewer when the shard is shorter.
	Entries(ctx context.Context, shard uint32, from, to uint64) ([]Entry, error)
	// EntryByID returns ErrNotFound when the id is not (yet) integrated.
	EntryByID(ctx context.Context, id string) (Entry, error)
	// Leaves returns the leaf hashes of from <= Seq < to, 32 bytes each, joined
	// in order; fewer when the shard is shorter. Every start reads all of them
	// (1 M entries, 2 s in all), so a store keeps them where a scan does not
	// drag the bodies along.
	Leaves(ctx context.Context, shard uint32, from, to uint64) ([]byte, error)
}

// CheckpointStore keeps signed heads.
type CheckpointStore interface {
	// SetCheckpoint stores note as the newest checkpoint of the shard if the
	// stored head has this epoch, holds at least size entries, and the stored
	// checkpoint (if any) is for fewer than size entries; else ErrFenced.
	SetCheckpoint(ctx context.Context, shard uint32, epoch, size uint64, note []byte) error
}
