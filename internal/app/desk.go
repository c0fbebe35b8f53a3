package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// desk is the people's side of seals, for the console. What a person may do is
// asked here again, whatever the page has shown; the rooms behind ask it once more.
type desk struct {
	h      *House
	asking *sync.Mutex // held while a request is counted and recorded
}

var _ console.Desk = desk{}

func (h *House) desk() desk { return desk{h, &sync.Mutex{}} }

// pagesOf are the pages that posts open: those of the own unit, and of the unit
// that runs the house for what only that one does.
func (h *House) pagesOf(p identity.Person, held []identity.Post) (pages []string) {
	opens := func(page string, unit identity.USCC, roles ...identity.Role) {
		if slices.ContainsFunc(held, func(post identity.Post) bool { return post.Agency == unit && slices.Contains(roles, post.Role) }) {
			pages = append(pages, page)
		}
	}
	house := identity.USCC(h.cfg.USCC)
	opens(console.PageUses, p.Agency, identity.RoleClerk, identity.RoleUnitLeader)
	opens(console.PageSeals, p.Agency, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)
	opens(console.PageCompromise, p.Agency, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)
	opens(console.PageCertificates, house, identity.RoleRAOfficer)
	opens(console.PagePeople, house, identity.RoleSystemAdmin)
	return pages
}

func (d desk) actor(p console.Person) ledger.Actor {
	return d.h.PersonActor(p.ID, identity.USCC(p.Unit))
}

// holds says whether a person holds one of these posts in the own unit now.
func (d desk) holds(ctx context.Context, p console.Person, roles ...identity.Role) (bool, error) {
	return d.h.holds(ctx, p.ID, identity.USCC(p.Unit), roles...)
}

// serves is holds in the unit that runs the house.
func (d desk) serves(ctx context.Context, p console.Person, roles ...identity.Role) (bool, error) {
	return d.h.holds(ctx, p.ID, identity.USCC(d.h.cfg.USCC), roles...)
}

// allowed turns an answer of holds into an error.
func allowed(yes bool, err error) error {
	if err == nil && !yes {
		return console.ErrForbidden
	}
	return err
}

// name is what pages call a person; somebody unknown is called by the id.
func (d desk) name(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	p, err := d.h.rooms.Identity.Person(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return id, nil
	}
	return p.Name, err
}

// clerks are the persons of a unit whom an authorisation can name.
func (d desk) clerks(ctx context.Context, unit string) ([]console.Named, error) {
	all, err := d.h.rooms.Identity.Holders(ctx, identity.USCC(unit), identity.RoleClerk)
	if err != nil {
		return nil, fmt.Errorf("app: clerks of %s: %w", unit, err)
	}
	var out []console.Named
	for _, p := range all {
		now, err := d.h.holds(ctx, p.ID, identity.USCC(unit), identity.RoleClerk)
		if err != nil {
			return nil, err
		}
		if now {
			out = append(out, console.Named{ID: p.ID, Name: p.Name})
		}
	}
	return out, nil
}

// sign answers a subject with the person's own key, then has the answer take
// effect. An answer that was signed before, and did not take effect, does so now;
// the caller is told that it was not this one.
func (d desk) sign(ctx context.Context, p console.Person, s approval.Subject, a console.Answer, effect func() error) error {
	_, _, err := d.h.Approve(ctx, s, p.ID, a.PIN, a.Yes, a.Reason)
	if err != nil && !errors.Is(err, approval.ErrDecided) {
		return err
	}
	return errors.Join(err, effect())
}
