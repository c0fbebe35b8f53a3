package signin

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// start makes a session; the cookie's value is seen here and by the browser only.
func (s *Service) start(ctx context.Context, p identity.Person, by string) (string, Session, error) {
	cookie, hash, err := newSecret(s.cfg.Rand)
	if err != nil {
		return "", Session{}, err
	}
	ev := s.event("signin.session.started", "session", hash, personActor(p))
	ev.Details = map[string]string{"by": by}
	session := Session{Hash: hash, Person: p.ID, Expires: s.cfg.Now().UTC().Add(SessionTime)}
	if _, err := s.cfg.Store.AddSession(ctx, session, ev); err != nil {
		return "", Session{}, err
	}
	return cookie, session, nil
}

// Session returns the live session of a cookie and its person, or ErrSession:
// unknown, ended, expired, and that of a person who has left.
func (s *Service) Session(ctx context.Context, cookie string) (Session, identity.Person, error) {
	if !wellFormed(cookie) {
		return Session{}, identity.Person{}, ErrSession
	}
	hash, now := hashOf(cookie), s.cfg.Now().UTC()
	session, err := s.cfg.Store.SessionByHash(ctx, hash, now)
	if err != nil {
		return Session{}, identity.Person{}, err
	}
	if !same(session.Hash, hash) || !session.Ended.IsZero() || !now.Before(session.Expires) {
		return Session{}, identity.Person{}, ErrSession
	}
	p, err := s.present(ctx, session.Person)
	if errors.Is(err, ErrInvalid) {
		return Session{}, identity.Person{}, ErrSession
	}
	if err != nil {
		return Session{}, identity.Person{}, err
	}
	return session, p, nil
}

// Logout ends the session of a cookie.
func (s *Service) Logout(ctx context.Context, cookie string) (ledger.Receipt, error) {
	session, p, err := s.Session(ctx, cookie)
	if err != nil {
		return ledger.Receipt{}, err
	}
	ev := s.event("signin.session.ended", "session", session.Hash, personActor(p))
	return s.cfg.Store.EndSession(ctx, session.Hash, ev.Time, ev)
}
