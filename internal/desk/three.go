package desk

import (
	"context"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// The posts of the three administrators (三员分立). Each is filled and ended by the
// holder of another one, and never by the system administrator: who runs the
// house cannot do away with those who watch it. The last holder of such a post
// does not go before a successor has a certificate.

// three are the posts that hold each other in check.
func three() []identity.Role {
	return []identity.Role{identity.RoleSystemAdmin, identity.RoleSecurityOfficer, identity.RoleAuditor}
}

// filledBy is whose post fills and ends a post.
func filledBy(r identity.Role) identity.Role {
	switch r {
	case identity.RoleSystemAdmin, identity.RoleAuditor, identity.RoleSupervision:
		return identity.RoleSecurityOfficer
	case identity.RoleSecurityOfficer:
		return identity.RoleAuditor
	}
	return identity.RoleSystemAdmin
}

// fills are the posts that a person may fill and end.
func (d *Service) fills(ctx context.Context, p console.Person) (out []identity.Role, err error) {
	for _, r := range append(appointed(), three()...) {
		yes, err := d.serves(ctx, p, filledBy(r))
		if err != nil {
			return nil, err
		}
		if yes {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, console.ErrForbidden
	}
	return out, nil
}

// mayEnd says whether a person may end these posts of another, all that somebody
// holds. Who holds none of the three goes by the system administrator's word.
func (d *Service) mayEnd(ctx context.Context, p console.Person, held []identity.Post) error {
	fills, err := d.fills(ctx, p)
	if err != nil {
		return err
	}
	watched := false
	for _, post := range held {
		if !post.HeldAt(d.cfg.Now()) || !slices.Contains(three(), post.Role) {
			continue
		}
		watched = true
		if !slices.Contains(fills, post.Role) {
			return fmt.Errorf("%w: %s", console.ErrThree, post.Role)
		}
		if err := d.succeeded(ctx, post); err != nil {
			return err
		}
	}
	if !watched {
		return allowed(d.serves(ctx, p, identity.RoleSystemAdmin))
	}
	return nil
}

// succeeded refuses to leave one of the three posts empty.
func (d *Service) succeeded(ctx context.Context, post identity.Post) error {
	holders, err := d.cfg.People.Holders(ctx, post.Agency, post.Role)
	if err != nil {
		return fmt.Errorf("desk: holders of %s: %w", post.Role, err)
	}
	if !slices.ContainsFunc(holders, func(q identity.Person) bool { return q.ID != post.Person && q.LeftAt.IsZero() && len(q.CertDER) > 0 }) {
		return fmt.Errorf("%w: %s", console.ErrLast, post.Role)
	}
	return nil
}

// endable finds a post of a person, and whether it may be ended.
func (d *Service) endable(ctx context.Context, p console.Person, person, post string) error {
	held, err := d.cfg.People.PostsOf(ctx, person)
	if err != nil {
		return fmt.Errorf("desk: posts: %w", err)
	}
	i := slices.IndexFunc(held, func(q identity.Post) bool { return q.ID == post })
	if i < 0 { // told by who ends it, to those who may end any
		_, err := d.fills(ctx, p)
		return err
	}
	fills, err := d.fills(ctx, p)
	switch {
	case err != nil:
		return err
	case slices.Contains(fills, held[i].Role) && slices.Contains(three(), held[i].Role):
		return d.succeeded(ctx, held[i])
	case slices.Contains(fills, held[i].Role):
		return nil
	case slices.Contains(three(), held[i].Role):
		return console.ErrThree
	}
	return console.ErrForbidden
}
