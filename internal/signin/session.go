package signin

import (
	"context"
	"errors"
	"fmt"

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

// ChangePIN puts the key of the person of a live session under another PIN. A
// wrong old one counts as a try. Every other session of the person ends first, as
// the ledger says; what it says of the change comes after it.
func (s *Service) ChangePIN(ctx context.Context, cookie, old, pin string) error {
	session, p, err := s.Session(ctx, cookie)
	if err != nil {
		return err
	}
	if err := s.cfg.Keyring.CheckPIN(pin); err != nil {
		return err
	}
	key, _, err := s.Open(ctx, p.ID, old)
	if err != nil {
		return err
	}
	if err := key.Close(); err != nil {
		return fmt.Errorf("closing the key: %w", err)
	}
	if old == pin {
		return ErrSamePIN
	}
	ev := s.event("signin.pin.changing", "person", p.ID, personActor(p))
	if _, err := s.cfg.Store.EndOthers(ctx, p.ID, session.Hash, ev.Time, ev); err != nil {
		return err
	}
	changed := s.cfg.Keyring.ChangeKey(ctx, p.ID, old, pin)
	ev = s.event("signin.pin.changed", "person", p.ID, personActor(p))
	if changed != nil {
		ev.Outcome = ledger.Failure
	}
	_, err = s.cfg.Recorder.Record(context.WithoutCancel(ctx), ev)
	return errors.Join(changed, err)
}

// EndAll ends every session of a person, for one who has left.
func (s *Service) EndAll(ctx context.Context, person string, actor ledger.Actor) error {
	ev := s.event("signin.sessions.ended", "person", person, actor)
	if _, err := s.cfg.Store.EndOthers(ctx, person, "", ev.Time, ev); err != nil {
		return fmt.Errorf("ending the sessions of %s: %w", person, err)
	}
	return nil
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
