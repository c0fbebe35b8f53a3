// Package signin lets persons into the console: one-time links for the first
// visit, a PIN that takes part in unlocking the person's own key, and sessions.
// It keeps no password and no token in clear, only SM3 digests of random
// 256-bit values, and compares in constant time.
//
// It refuses a link that was used, has expired or is for something else, all
// with one answer; a sixth try after five wrong ones, for a quarter of an hour
// (GB/T 22239 8.1.4.1 b); and everything of a person who has left.
package signin

import (
	"context"
	"errors"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Link is a one-time link; Hash is the SM3 of its secret, hex.
type Link struct {
	Hash    string
	Person  string
	Purpose string // PurposeActivate or PurposeConsole
	Expires time.Time
	Used    time.Time
}

// Purposes of a Link.
const (
	PurposeActivate = "activate" // set a PIN, which makes the person's key
	PurposeConsole  = "console"  // sign in once, without a key
)

// Session is a signed-in browser; Hash is the SM3 of the cookie value, hex.
type Session struct {
	Hash    string
	Person  string
	Expires time.Time
	Ended   time.Time
}

// Outcomes that callers branch on.
var (
	ErrLink    = errors.New("signin: link unknown, used or expired")
	ErrSession = errors.New("signin: no such session")
	ErrPIN     = errors.New("signin: wrong person or PIN")
	ErrWeakPIN = errors.New("signin: PIN does not meet the rules")
	ErrSamePIN = errors.New("signin: the new PIN is the old one")
	ErrLocked  = errors.New("signin: too many wrong tries")
	ErrInvalid = errors.New("signin: invalid request")
	// ErrActivation: the link was used up, but the key could not be made; the
	// person needs another link.
	ErrActivation = errors.New("signin: activation failed")
)

// Store is the store of this room: row and event in one transaction.
type Store interface {
	AddLink(ctx context.Context, l Link, ev ledger.Event) (ledger.Receipt, error)
	// LinkByHash looks without using; ErrLink when unknown, used or expired at now.
	LinkByHash(ctx context.Context, hash string, now time.Time) (Link, error)
	// UseLink marks it used exactly once; ErrLink as above.
	UseLink(ctx context.Context, hash string, now time.Time, ev ledger.Event) (Link, ledger.Receipt, error)
	AddSession(ctx context.Context, s Session, ev ledger.Event) (ledger.Receipt, error)
	// SessionByHash returns ErrSession when unknown, ended or expired at now.
	SessionByHash(ctx context.Context, hash string, now time.Time) (Session, error)
	EndSession(ctx context.Context, hash string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
	// EndOthers ends every session of a person but this one; none is no error.
	EndOthers(ctx context.Context, person, but string, at time.Time, ev ledger.Event) (ledger.Receipt, error)
}
