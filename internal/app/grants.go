package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grant"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// openGrants builds the room of grants. Its deputies answer for the approvals.
func (h *House) openGrants() error {
	calendar, err := workday.Load()
	if err != nil {
		return fmt.Errorf("app: calendar: %w", err)
	}
	h.Grants, err = grant.New(grant.Config{
		Store: h.rooms.Grants, People: h.rooms.Identity, Answers: h.Approvals, House: identity.USCC(h.cfg.USCC), Calendar: calendar, Now: h.cfg.Now, NewID: newID,
	})
	h.granted = granted{house: h, signed: map[string]bool{}}
	return err
}

// deputy is approval.Config.Deputy; approvals are built before grants are.
func (h *House) deputy(ctx context.Context, s approval.Subject, person string, at time.Time) (bool, error) {
	return h.Grants.Stands(ctx, s, person, at)
}

// GrantSubject is what the leader of the unit signs; in an emergency the security
// officer of the house.
func (h *House) GrantSubject(g grant.Grant) approval.Subject {
	return g.Subject(identity.USCC(h.cfg.USCC))
}

// grantAsked is the open question about a grant: its terms, its last suspension, or
// the review of an emergency.
func (h *House) grantAsked(ctx context.Context, id string) (approval.Subject, error) {
	number, further, _ := strings.Cut(id, "/")
	g, err := h.Grants.Grant(ctx, number)
	switch {
	case errors.Is(err, grant.ErrNotFound):
		return approval.Subject{}, nil
	case err != nil:
		return approval.Subject{}, err
	case further == "review" && g.Unreviewed() && g.Review.At.IsZero():
		return g.ReviewSubject()
	case strings.HasPrefix(further, "suspension-") && g.State == grant.Suspended:
		return g.SuspensionSubject()
	case further == "" && g.StateAt(h.now()) == grant.Proposed:
		return h.GrantSubject(g), nil
	}
	return approval.Subject{}, nil
}

func (h *House) delegationAsked(ctx context.Context, id string) (approval.Subject, error) {
	d, err := h.Grants.Delegation(ctx, id)
	if errors.Is(err, grant.ErrNotFound) || err == nil && d.StateAt(h.now()) != grant.Proposed {
		return approval.Subject{}, nil
	}
	return d.Subject(), err
}

// explainFor is for how long a grant that is over still tells why it opens nothing.
const explainFor = 90 * 24 * time.Hour

// granted answers the decision point. The signature under each grant is verified
// when the facts are read; a signature that stood is not verified again before the
// facts have changed.
type granted struct {
	house *House

	mu       sync.Mutex
	revision int64
	signed   map[string]bool // by id, digest and approval, at revision
}

func (r *granted) GrantsFor(ctx context.Context, person string) ([]authz.Granted, error) {
	h := r.house
	revision, err := h.store.Revision(ctx)
	if err != nil {
		return nil, err
	}
	all, err := h.rooms.Grants.GrantsFor(ctx, person, h.now().Add(-explainFor))
	if err != nil {
		return nil, err
	}
	out := make([]authz.Granted, len(all))
	for i, g := range all {
		signed := false
		if g.State != grant.Proposed {
			if signed, err = r.stands(ctx, g, revision); err != nil {
				return nil, err
			}
		}
		out[i] = authz.GrantedOf(g, signed)
	}
	return out, nil
}

func (r *granted) stands(ctx context.Context, g grant.Grant, revision int64) (bool, error) {
	raw, err := g.Terms() // the row itself, and not the digest that it claims
	if err != nil {
		return false, nil
	}
	key := string(raw) + g.Digest + g.Approval
	r.mu.Lock()
	if r.revision != revision {
		clear(r.signed)
		r.revision = revision
	}
	yes := r.signed[key]
	r.mu.Unlock()
	if yes {
		return true, nil
	}
	err = r.house.Grants.Signed(ctx, g)
	if errors.Is(err, grant.ErrNotSigned) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("app: signature of grant %s: %w", g.ID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.revision == revision {
		r.signed[key] = true
	}
	return true, nil
}
