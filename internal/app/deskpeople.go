package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/keys"
)

// appointed are the posts that a system administrator fills. The three
// administrators are not among them (三员分立).
func appointed() []identity.Role {
	return []identity.Role{
		identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator, identity.RoleRAOfficer, identity.RoleAgencySysadmin,
	}
}

// Staff implements console.People.
func (d desk) Staff(ctx context.Context, p console.Person, unit string) (out console.StaffList, err error) {
	if err := allowed(d.serves(ctx, p, identity.RoleSystemAdmin)); err != nil {
		return out, err
	}
	if unit == "" {
		unit = d.h.cfg.USCC
	}
	all, err := d.h.rooms.Identity.Agencies(ctx)
	if err != nil {
		return out, fmt.Errorf("app: agencies: %w", err)
	}
	for _, a := range all {
		out.Units = append(out.Units, console.Named{ID: string(a.USCC), Name: a.Name})
		if string(a.USCC) == unit {
			out.Unit = out.Units[len(out.Units)-1]
		}
	}
	for _, r := range appointed() {
		out.Roles = append(out.Roles, string(r))
	}
	people, err := d.h.rooms.Identity.Persons(ctx, identity.USCC(out.Unit.ID))
	if err != nil {
		return out, fmt.Errorf("app: persons: %w", err)
	}
	for _, q := range people {
		m := console.Member{Named: console.Named{ID: q.ID, Name: q.Name}, Certified: len(q.CertDER) > 0}
		if m.Activated, err = d.activated(ctx, q.ID); err != nil {
			return out, err
		}
		if m.Posts, err = d.posts(ctx, q.ID); err != nil {
			return out, err
		}
		out.People = append(out.People, m)
	}
	return out, nil
}

func (d desk) activated(ctx context.Context, person string) (bool, error) {
	_, err := d.h.custody.public(ctx, personKey(person))
	if errors.Is(err, keys.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Hire implements console.People. A person who has not come yet gets another
// link, so that a form sent twice makes one person; of two with one name in a
// unit the second is told apart in the name.
func (d desk) Hire(ctx context.Context, p console.Person, f console.PostForm) (console.Hired, error) {
	if err := allowed(d.serves(ctx, p, identity.RoleSystemAdmin)); err != nil {
		return console.Hired{}, err
	}
	role := identity.Role(f.Role)
	if !slices.Contains(appointed(), role) {
		return console.Hired{}, console.ErrForm
	}
	d.asking.Lock()
	defer d.asking.Unlock()
	people, err := d.h.rooms.Identity.Persons(ctx, identity.USCC(f.Unit))
	if err != nil {
		return console.Hired{}, fmt.Errorf("app: persons: %w", err)
	}
	var l Link
	i := slices.IndexFunc(people, func(q identity.Person) bool { return q.Name == f.Name })
	if i < 0 {
		l, err = d.h.invite(ctx, d.actor(p), identity.Person{Name: f.Name, Agency: identity.USCC(f.Unit)}, identity.Post{Role: role, Title: f.Title}, linkLife)
	} else {
		l, err = d.again(ctx, p, people[i], role)
	}
	if err != nil {
		return console.Hired{}, err
	}
	return console.Hired{Name: l.Name, URL: l.URL, Expires: l.Expires}, nil
}

// again is a further link of the first visit.
func (d desk) again(ctx context.Context, p console.Person, q identity.Person, role identity.Role) (Link, error) {
	here, err := d.activated(ctx, q.ID)
	if err != nil {
		return Link{}, err
	}
	has, err := d.h.holds(ctx, q.ID, q.Agency, role)
	if err != nil {
		return Link{}, err
	}
	if here || !has {
		return Link{}, console.ErrRepeated
	}
	return d.h.link(ctx, d.actor(p), q, role, "activate", linkLife)
}

// posts are the Chinese names of the posts that a person holds now.
func (d desk) posts(ctx context.Context, person string) (out []string, err error) {
	held, err := d.h.rooms.Identity.PostsOf(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("app: posts: %w", err)
	}
	for _, post := range held {
		if post.HeldAt(d.h.cfg.Now()) {
			out = append(out, d.h.words.Get("role."+string(post.Role)).Zh)
		}
	}
	return out, nil
}
