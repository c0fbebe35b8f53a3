// Package notify tells systems outside the house what happened in it (通知):
// certificates that end, are held or revoked, systems that nobody uses, keys that
// were recovered, seals whose key is compromised, lists of offline roots that run
// out. It tells by webhook (HTTPS, CloudEvents 1.0 signed after Standard Webhooks)
// or syslog (RFC 5424 over TLS, TCP or UDP).
//
// A notice is recorded in the transaction of the act that causes it: the store
// asks Of about every event. Reminders of dates come from a sweep, under ids that
// make each of them once. From there on everything is at least once: a notice is
// spread to the channels that want it, one sender at a time holds the lease of a
// channel, and what was sent but not marked is sent again with the same id, by
// which a receiver drops it. A channel is served in the order of its notices
// while its receiver takes them; one that it refuses (4xx) steps aside and is
// tried again. What nobody took within DeadAfter is a dead letter, which an
// administrator may send again.
//
// A notice holds ids, unit, system and dates: never a name, a personal number or
// a text that a person wrote. Addresses are checked when a connection is made
// (guard.go); no redirect is followed; a secret is shown once, kept wrapped, and
// is in no error. Syslog has no receipts: a notice counts as taken when it was
// written and the connection ended in order; over UDP, when it was sent.
package notify

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Outcomes that callers branch on.
var (
	ErrNotFound = errors.New("notify: not found")
	ErrInvalid  = errors.New("notify: the channel cannot be as it is written")
	ErrState    = errors.New("notify: it is in another state")
	ErrTooMany  = errors.New("notify: too many channels")
	// ErrLeased: another sender has the channel, or it rests.
	ErrLeased = errors.New("notify: the channel is not free")
	// ErrWaiting: nobody of the unit took the notice yet.
	ErrWaiting = errors.New("notify: the notice waits")
)

// Severity of a notice, ordered; the value is the one of syslog (RFC 5424 6.2.1).
type Severity int

// Severities.
const (
	Critical Severity = 2
	Warning  Severity = 4
	Info     Severity = 5 // "notice" in RFC 5424
)

// Severities from the worst.
func Severities() []Severity { return []Severity{Critical, Warning, Info} }

func (s Severity) String() string {
	switch s {
	case Critical:
		return "critical"
	case Warning:
		return "warning"
	}
	return "notice"
}

// Notice is one thing to tell.
type Notice struct {
	ID       string // of the event that caused it, or made of what it reminds of
	Kind     Kind
	Severity Severity
	Unit     string // unified social credit code; "": the house itself
	System   string
	Object   ledger.Object
	At       time.Time         // when it happened, or will
	Details  map[string]string // small facts, no text of a person
}

// ChannelKind is how a channel tells.
type ChannelKind string

// Kinds of channels.
const (
	Webhook ChannelKind = "webhook"
	Syslog  ChannelKind = "syslog"
)

// State of a channel: active ⇄ paused; removed is an end.
type State string

// States.
const (
	Active  State = "active"
	Paused  State = "paused" // its notices wait
	Removed State = "removed"
)

// Channel is a receiver that an administrator registered.
type Channel struct {
	ID       string
	Name     string
	Kind     ChannelKind
	Address  string   // https://…, or tls://, tcp://, udp:// and host:port
	Unit     string   // gets only notices of this unit; "": of all
	Kinds    []Kind   // that it gets; none: all
	Severity Severity // and what is at least so grave
	Roots    []byte   // PEM that its certificate is verified against; nil: the roots of the machine
	Secret   []byte   // wrapped; of a webhook
	State    State
	MadeBy   string
	MadeAt   time.Time

	Failures  int // since it last took something
	LastError string
	FailedAt  time.Time
	SentAt    time.Time // when it last took something
}

// wants says whether a channel gets a notice.
func (c Channel) wants(n Notice) bool {
	return (c.Unit == "" || c.Unit == n.Unit) && n.Severity <= c.Severity && (len(c.Kinds) == 0 || slices.Contains(c.Kinds, n.Kind))
}

// Delivery is one notice on its way to one channel.
type Delivery struct {
	Notice
	Channel  string
	Attempts int
	Made     time.Time // when it was put in the queue
}

// id is what the receiver knows repeats by: one for each channel and notice.
func (d Delivery) id() string { return d.ID + "_" + d.Channel }

// Result is what became of one attempt.
type Result struct {
	Delivery
	At    time.Time
	Error string    // "": taken
	Next  time.Time // when to try again
	// Rests: the fault is the channel's, which rests until Next, and not the
	// notice's, which steps aside.
	Rests bool
	// Dead: what is older is given up; of all its notices when the channel rests.
	Dead time.Time
}

// Letter is a notice that nobody took.
type Letter struct {
	Delivery
	Error string
}

// Count of the deliveries of a channel.
type Count struct{ Queued, Dead int }

// Channels is the register of receivers. A change commits with its event.
type Channels interface {
	// AddChannel refuses with ErrTooMany what would be more than most.
	AddChannel(ctx context.Context, c Channel, most int, ev ledger.Event) (ledger.Receipt, error)
	// MoveChannel changes a state: ErrState when it is not in from. One that is
	// removed loses its secret and what is queued for it.
	MoveChannel(ctx context.Context, id string, from, to State, ev ledger.Event) (ledger.Receipt, error)
	Channel(ctx context.Context, id string) (Channel, error)
	Channels(ctx context.Context) ([]Channel, error) // but those removed, oldest first
}

// Notices keeps what is to be told.
type Notices interface {
	// PutNotices records notices and returns how many were not known.
	PutNotices(ctx context.Context, ns []Notice) (int, error)
	// PutTest records a notice for one channel.
	PutTest(ctx context.Context, n Notice, channel string, ev ledger.Event) (ledger.Receipt, error)
	// Unspread are notices that no channel was chosen for yet, oldest first.
	Unspread(ctx context.Context, limit int) ([]Notice, error)
	// SpreadNotice queues a notice, whose unit and system are known now, for channels.
	// Of several callers one does; the others change nothing.
	SpreadNotice(ctx context.Context, n Notice, channels []string) error
	// Taken says whether a webhook of the unit itself took the notice.
	Taken(ctx context.Context, id, unit string) (bool, error)
	// Recent are the newest notices, of a unit or of all.
	Recent(ctx context.Context, unit string, limit int) ([]Notice, error)
	// ForgetNotices drops notices from before a time that nobody waits for any more.
	ForgetNotices(ctx context.Context, before time.Time) (int64, error)
}

// Queue is what senders share.
type Queue interface {
	// Waiting are active channels with something due that do not rest.
	Waiting(ctx context.Context, now time.Time) ([]Channel, error)
	// LeaseChannel gives the channel to owner until then, or longer than before: ErrLeased.
	LeaseChannel(ctx context.Context, channel, owner string, now, until time.Time) error
	// ReleaseChannel ends a lease, if owner has it.
	ReleaseChannel(ctx context.Context, channel, owner string) error
	// Due are deliveries in order.
	Due(ctx context.Context, channel string, now time.Time, limit int) ([]Delivery, error)
	// SettleDelivery keeps a result: ErrLeased when owner lost the channel.
	SettleDelivery(ctx context.Context, owner string, r Result) error
	Counts(ctx context.Context) (map[string]Count, error)
	// Letters are the dead letters of a channel, newest first.
	Letters(ctx context.Context, channel string, limit int) ([]Letter, error)
	// Retry queues a dead letter anew: ErrState when it is none.
	Retry(ctx context.Context, channel, notice string, now time.Time, ev ledger.Event) (ledger.Receipt, error)
}

// Store is all of it.
type Store interface {
	Channels
	Notices
	Queue
}

// Directory knows whose a certificate is. Unit and system are empty where there
// is none; ErrNotFound for an unknown one.
type Directory interface {
	HolderOf(ctx context.Context, issuer, serial string) (unit, system string, err error)
}

// Wrapper is a key-encryption key in custody. Associated data is bound.
type Wrapper interface {
	Wrap(ctx context.Context, key, associated []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, associated []byte) ([]byte, error)
}
