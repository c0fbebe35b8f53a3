// Package signin lets persons into the console: one-time links for the first
// visit, a PIN that takes part in unlocking the person's own key, and sessions.
// It keeps no password and no token in clear, only SM3 digests of random
// 256-bit values, and compares in constant time.
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
	Purpose string // "activate": set a PIN; "console": sign in once (demo)
	Expires time.Time
	Used    time.Time
}

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
}
