package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/signin"
)

// Signin keeps one-time links and sessions, both by the digest of their secret.
type Signin struct{ acts }

var _ signin.Store = (*Signin)(nil)

type linkRow struct {
	bun.BaseModel `bun:"table:signin_link"`

	Hash    string       `bun:"hash,pk"`
	Person  string       `bun:"person"`
	Purpose string       `bun:"purpose"`
	Expires bun.NullTime `bun:"expires_at"`
	Used    bun.NullTime `bun:"used_at"`
}

func (r linkRow) link() signin.Link {
	return signin.Link{Hash: r.Hash, Person: r.Person, Purpose: r.Purpose, Expires: utc(r.Expires), Used: utc(r.Used)}
}

// AddLink implements signin.Store; a hash that exists is ErrLink.
func (s *Signin) AddLink(ctx context.Context, l signin.Link, ev ledger.Event) (ledger.Receipt, error) {
	if l.Hash == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: no digest", signin.ErrLink)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &linkRow{
			Hash: l.Hash, Person: l.Person, Purpose: l.Purpose, Expires: at(l.Expires), Used: at(l.Used),
		}, signin.ErrLink, signin.ErrLink, "link of", l.Person)
	})
}

// LinkByHash implements signin.Store.
func (s *Signin) LinkByHash(ctx context.Context, hash string, now time.Time) (signin.Link, error) {
	return usable(ctx, s.s.r, hash, now)
}

// UseLink implements signin.Store: the guarded update decides who used it.
func (s *Signin) UseLink(ctx context.Context, hash string, now time.Time, ev ledger.Event) (signin.Link, ledger.Receipt, error) {
	var used signin.Link
	receipt, err := s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		l, err := usable(ctx, tx, hash, now)
		if err != nil {
			return err
		}
		n, err := changed(ctx, tx, "UPDATE signin_link SET used_at = ? WHERE hash = ? AND used_at IS NULL", at(now), hash)
		if err != nil {
			return fmt.Errorf("using a link: %w", err)
		}
		if n != 1 {
			return signin.ErrLink
		}
		l.Used = utc(at(now))
		used = l
		return nil
	})
	if err != nil && !errors.Is(err, ErrUnintegrated) {
		return signin.Link{}, ledger.Receipt{}, err
	}
	return used, receipt, err
}

// usable never says why a link is refused.
func usable(ctx context.Context, db bun.IDB, hash string, now time.Time) (signin.Link, error) {
	row, err := one[linkRow](ctx, db, "hash = ?", hash)
	if errors.Is(err, sql.ErrNoRows) {
		return signin.Link{}, signin.ErrLink
	}
	if err != nil {
		return signin.Link{}, fmt.Errorf("reading a link: %w", err)
	}
	l := row.link()
	if !l.Used.IsZero() || !now.Before(l.Expires) {
		return signin.Link{}, signin.ErrLink
	}
	return l, nil
}

type sessionRow struct {
	bun.BaseModel `bun:"table:signin_session"`

	Hash    string       `bun:"hash,pk"`
	Person  string       `bun:"person"`
	Expires bun.NullTime `bun:"expires_at"`
	Ended   bun.NullTime `bun:"ended_at"`
}

// AddSession implements signin.Store; a hash that exists is ErrSession.
func (s *Signin) AddSession(ctx context.Context, n signin.Session, ev ledger.Event) (ledger.Receipt, error) {
	if n.Hash == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: no digest", signin.ErrSession)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		return insert(ctx, tx, &sessionRow{Hash: n.Hash, Person: n.Person, Expires: at(n.Expires), Ended: at(n.Ended)},
			signin.ErrSession, signin.ErrSession, "session of", n.Person)
	})
}

// SessionByHash implements signin.Store.
func (s *Signin) SessionByHash(ctx context.Context, hash string, now time.Time) (signin.Session, error) {
	r, err := one[sessionRow](ctx, s.s.r, "hash = ?", hash)
	if errors.Is(err, sql.ErrNoRows) {
		return signin.Session{}, signin.ErrSession
	}
	if err != nil {
		return signin.Session{}, fmt.Errorf("reading a session: %w", err)
	}
	if !r.Ended.IsZero() || !now.Before(utc(r.Expires)) {
		return signin.Session{}, signin.ErrSession
	}
	return signin.Session{Hash: r.Hash, Person: r.Person, Expires: utc(r.Expires)}, nil
}

// EndOthers implements signin.Store.
func (s *Signin) EndOthers(ctx context.Context, person, but string, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	if when.IsZero() || person == "" {
		return ledger.Receipt{}, fmt.Errorf("%w: of nobody, or ended at no time", signin.ErrSession)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		_, err := changed(ctx, tx, "UPDATE signin_session SET ended_at = ? WHERE person = ? AND hash <> ? AND ended_at IS NULL", at(when), person, but)
		return err
	})
}

// EndSession implements signin.Store; one that is unknown or has ended is
// ErrSession.
func (s *Signin) EndSession(ctx context.Context, hash string, when time.Time, ev ledger.Event) (ledger.Receipt, error) {
	if when.IsZero() {
		return ledger.Receipt{}, fmt.Errorf("%w: ended at no time", signin.ErrSession)
	}
	return s.commit(ctx, ev, func(ctx context.Context, tx bun.Tx) error {
		n, err := changed(ctx, tx, "UPDATE signin_session SET ended_at = ? WHERE hash = ? AND ended_at IS NULL", at(when), hash)
		if err == nil && n == 0 {
			err = signin.ErrSession
		}
		return err
	})
}
