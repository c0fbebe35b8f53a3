package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// appointed are the posts that a system administrator fills; see three.go.
func appointed() []identity.Role {
	return []identity.Role{
		identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator, identity.RoleRAOfficer, identity.RoleAgencySysadmin, identity.RoleKMCOfficer,
		identity.RoleInformationOffice, identity.RoleRecordsOfficer, identity.RoleSharingContact, identity.RoleFirstResponsible, identity.RoleSupervision,
	}
}

// answering are the posts that every unit fills and that open nothing: whom others
// turn to (西政办发〔2014〕14号 art. 13, 京政发〔2017〕37号 art. 32). One of the
// unit's people holds them beside the own post.
func answering() []identity.Role {
	return []identity.Role{identity.RoleSharingContact, identity.RoleFirstResponsible}
}

// lacking are the units that have not filled a post that every unit fills.
func (d *Service) lacking(ctx context.Context, units []console.Named) (out []console.Lack, err error) {
	for _, r := range answering() {
		l := console.Lack{Role: d.cfg.Words.Get("role." + string(r)).Zh}
		for _, u := range units {
			filled, err := identity.Filled(ctx, d.cfg.People, identity.USCC(u.ID), r, d.cfg.Now())
			if err != nil {
				return nil, fmt.Errorf("desk: %w", err)
			}
			if !filled {
				l.Units = append(l.Units, u)
			}
		}
		if len(l.Units) > 0 {
			out = append(out, l)
		}
	}
	return out, nil
}

// Staff implements console.People.
func (d *Service) Staff(ctx context.Context, p console.Person, unit string) (out console.StaffList, err error) {
	fills, err := d.fills(ctx, p)
	if err != nil {
		return out, err
	}
	if unit == "" {
		unit = d.cfg.Unit
	}
	all, err := d.cfg.People.Agencies(ctx)
	if err != nil {
		return out, fmt.Errorf("desk: agencies: %w", err)
	}
	for _, a := range all {
		out.Units = append(out.Units, console.Named{ID: string(a.USCC), Name: a.Name})
		if string(a.USCC) == unit {
			out.Unit = out.Units[len(out.Units)-1]
		}
	}
	for _, r := range fills {
		out.Roles = append(out.Roles, string(r))
	}
	if slices.Contains(fills, identity.RoleSharingContact) {
		if out.Lacks, err = d.lacking(ctx, out.Units); err != nil {
			return out, err
		}
	}
	people, err := d.cfg.People.Persons(ctx, identity.USCC(out.Unit.ID))
	if err != nil {
		return out, fmt.Errorf("desk: persons: %w", err)
	}
	for _, q := range people {
		m := console.Member{Named: console.Named{ID: q.ID, Name: q.Name}, Certified: len(q.CertDER) > 0, Left: q.LeftAt, Self: q.ID == p.ID}
		if m.Activated, err = d.activated(ctx, q.ID); err != nil {
			return out, err
		}
		if m.Terms, err = d.terms(ctx, q.ID, fills); err != nil {
			return out, err
		}
		out.People = append(out.People, m)
	}
	return out, nil
}

func (d *Service) activated(ctx context.Context, person string) (bool, error) {
	_, err := d.cfg.Persons.Key(ctx, PrefixPerson+person)
	if errors.Is(err, ErrNoKey) {
		return false, nil
	}
	return err == nil, err
}

// Hire implements console.People. A person who has not come yet gets another
// link, so that a form sent twice makes one person; of two with one name in a
// unit the second is told apart in the name. Somebody who is there already takes
// on a named post without a link.
func (d *Service) Hire(ctx context.Context, p console.Person, f console.PostForm) (console.Hired, error) {
	fills, err := d.fills(ctx, p)
	if err != nil {
		return console.Hired{}, err
	}
	role := identity.Role(f.Role)
	if !slices.Contains(fills, role) || slices.Contains(three(), role) && f.Unit != d.cfg.Unit {
		return console.Hired{}, console.ErrForm
	}
	d.asking.Lock()
	defer d.asking.Unlock()
	people, err := d.cfg.People.Persons(ctx, identity.USCC(f.Unit))
	if err != nil {
		return console.Hired{}, fmt.Errorf("desk: persons: %w", err)
	}
	i := slices.IndexFunc(people, func(q identity.Person) bool { return q.Name == f.Name && q.LeftAt.IsZero() })
	if i < 0 {
		return d.cfg.Links.Invite(ctx, d.actor(p), identity.Person{Name: f.Name, Agency: identity.USCC(f.Unit)}, identity.Post{Role: role, Title: f.Title})
	}
	if slices.Contains(answering(), role) {
		return console.Hired{Name: f.Name}, d.takesOn(ctx, p, people[i], role, f.Title)
	}
	return d.again(ctx, p, people[i], role)
}

// takesOn gives a person of the unit a named post.
func (d *Service) takesOn(ctx context.Context, p console.Person, q identity.Person, role identity.Role, title string) error {
	has, err := d.cfg.Posts.Holds(ctx, q.ID, q.Agency, role)
	if err != nil {
		return err
	}
	if has {
		return console.ErrRepeated
	}
	return d.cfg.Links.Appoint(ctx, d.actor(p), identity.Post{Person: q.ID, Agency: q.Agency, Role: role, Title: title})
}

// again is a further link of the first visit.
func (d *Service) again(ctx context.Context, p console.Person, q identity.Person, role identity.Role) (console.Hired, error) {
	here, err := d.activated(ctx, q.ID)
	if err != nil {
		return console.Hired{}, err
	}
	has, err := d.cfg.Posts.Holds(ctx, q.ID, q.Agency, role)
	if err != nil {
		return console.Hired{}, err
	}
	if here || !has {
		return console.Hired{}, console.ErrRepeated
	}
	return d.cfg.Links.Again(ctx, d.actor(p), q, role)
}

// terms are the posts that a person holds now, and which of them whoever fills
// these may end.
func (d *Service) terms(ctx context.Context, person string, fills []identity.Role) (out []console.Term, err error) {
	held, err := d.cfg.People.PostsOf(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("desk: posts: %w", err)
	}
	for _, post := range held {
		if post.HeldAt(d.cfg.Now()) {
			out = append(out, console.Term{ID: post.ID, Role: d.cfg.Words.Get("role." + string(post.Role)).Zh, Ends: slices.Contains(fills, post.Role)})
		}
	}
	return out, nil
}

// EndPost implements console.People.
func (d *Service) EndPost(ctx context.Context, p console.Person, person, post string) error {
	d.asking.Lock() // of the last two holders of a post one stays
	defer d.asking.Unlock()
	if err := d.endable(ctx, p, person, post); err != nil {
		return err
	}
	return d.cfg.Leavers.EndPost(ctx, d.actor(p), person, post)
}

// PersonLeft implements console.People. Nobody lets himself go: what it ends
// needs another administrator to see it.
func (d *Service) PersonLeft(ctx context.Context, p console.Person, person string) error {
	if person == p.ID {
		return console.ErrForbidden
	}
	d.asking.Lock()
	defer d.asking.Unlock()
	held, err := d.cfg.People.PostsOf(ctx, person)
	if err != nil {
		return fmt.Errorf("desk: posts: %w", err)
	}
	if err := d.mayEnd(ctx, p, held); err != nil {
		return err
	}
	return d.cfg.Leavers.Leave(ctx, d.actor(p), person)
}

// posts are the Chinese names of the posts that a person holds now.
func (d *Service) posts(ctx context.Context, person string) (out []string, err error) {
	held, err := d.cfg.People.PostsOf(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("desk: posts: %w", err)
	}
	for _, post := range held {
		if post.HeldAt(d.cfg.Now()) {
			out = append(out, d.cfg.Words.Get("role."+string(post.Role)).Zh)
		}
	}
	return out, nil
}
