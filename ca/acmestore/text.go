package acmestore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// MaxTexts is how many records a name may have at once: two orders of one host
// and what a broken-off client left behind.
const MaxTexts = 8

// TextPrefix is the label of the challenge (RFC 8555 8.4).
const TextPrefix = "_acme-challenge."

// ErrFull: the name has MaxTexts records that are not expired.
var ErrFull = errors.New("acmestore: too many text records for the name")

// Text is a TXT record for dns-01 (RFC 8555 8.4) in the register: nobody's DNS
// is asked, so this is the only place where one can stand.
type Text struct {
	Name      string // _acme-challenge.<host>, lower case, without the last dot
	Value     string
	System    string // that set it
	ExpiresAt time.Time
}

// Host is what a record is about: its name without the label of the challenge.
func Host(name string) string { return strings.TrimPrefix(name, TextPrefix) }

// Texts are the records. They expire by themselves.
type Texts interface {
	// SetText adds a record, or gives it a new end; ErrFull.
	SetText(ctx context.Context, t Text, now time.Time, ev ledger.Event) (ledger.Receipt, error)
	// RemoveText takes away a record that the same system set; ErrNotFound.
	RemoveText(ctx context.Context, t Text, ev ledger.Event) (ledger.Receipt, error)
	// Texts lists the values of a name that are not expired.
	Texts(ctx context.Context, name string, now time.Time) ([]string, error)
	// TextsOf lists the records of a system that are not expired, by name and value.
	TextsOf(ctx context.Context, system string, now time.Time) ([]Text, error)
	// DropTexts forgets those that expired before a time.
	DropTexts(ctx context.Context, before time.Time) error
}
