package identity

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// EndPost ends a term of office that a person holds now, at once. Nobody ends
// the own term: who may not hold it any more is for another to say.
func (s *Service) EndPost(ctx context.Context, person, post string, actor ledger.Actor) (ledger.Receipt, error) {
	if actor.ID == person {
		return ledger.Receipt{}, fmt.Errorf("%w: a term is ended by another person", ErrInvalid)
	}
	ev, err := s.event("identity.post.ended", "post", post, actor)
	if err != nil {
		return ledger.Receipt{}, err
	}
	held, err := s.cfg.Register.PostsOf(ctx, person)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("posts of %s: %w", person, err)
	}
	i := slices.IndexFunc(held, func(p Post) bool { return p.ID == post && p.HeldAt(ev.Time) })
	if i < 0 {
		return ledger.Receipt{}, fmt.Errorf("%w: no such term in force", ErrNotFound)
	}
	ev.Details = map[string]string{"person": person, "agency": string(held[i].Agency), "role": string(held[i].Role)}
	return s.cfg.Register.EndPost(ctx, post, ev.Time, ev)
}

// Leave marks a person as gone from this moment: every term ends with it, and
// nothing opens to the person any more. What hangs on the person elsewhere, the
// certificate and the key, ends the same day; that is the house's to do.
func (s *Service) Leave(ctx context.Context, person string, actor ledger.Actor) (time.Time, ledger.Receipt, error) {
	none := ledger.Receipt{}
	if actor.ID == person {
		return time.Time{}, none, fmt.Errorf("%w: leaving is recorded by another person", ErrInvalid)
	}
	p, err := s.cfg.Register.Person(ctx, person)
	if err != nil {
		return time.Time{}, none, fmt.Errorf("person %s: %w", person, err)
	}
	if !p.LeftAt.IsZero() {
		return time.Time{}, none, ErrLeft
	}
	ev, err := s.event("identity.person.left", "person", person, actor)
	if err != nil {
		return time.Time{}, none, err
	}
	held, err := s.cfg.Register.PostsOf(ctx, person)
	if err != nil {
		return time.Time{}, none, fmt.Errorf("posts of %s: %w", person, err)
	}
	open := slices.DeleteFunc(held, func(p Post) bool { return !p.Until.IsZero() && !p.Until.After(ev.Time) })
	ev.Details = map[string]string{"agency": string(p.Agency), "posts": strconv.Itoa(len(open))}
	rc, err := s.cfg.Register.Leave(ctx, person, ev.Time, ev)
	return ev.Time, rc, err
}
