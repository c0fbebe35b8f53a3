// Package desk is the people's side of the house behind the console's pages:
// requests for a seal with their documents, the life of seals, reports of
// compromised keys, certificates that wait for an officer or are stopped by one, persons and posts.
//
// What a person may do is asked here again, whatever the page has shown, and the
// rooms behind ask it once more; somebody without a part in a thing is told that
// there is none. An answer is a signature of the person over exactly what the
// page showed; it is refused when that is another thing by now. Documents wait
// in drafts, encrypted to a key that does nothing else (GB/T 22239 8.1.4.8);
// each opening and each deletion is on the ledger, and a sweep ends what nobody
// comes for. What only the wiring can do comes in by small interfaces: no key
// of custody is opened here.
package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// Service is the room. It is safe for concurrent use.
type Service struct {
	cfg    Config
	drafts drafts
	asking sync.Mutex // held while a request is counted and recorded
}

var _ console.Desk = (*Service)(nil)

// Pages are those that posts open: of the own unit, and of the unit that runs
// the house for what only that one does.
func (d *Service) Pages(p identity.Person, held []identity.Post) (pages []string) {
	opens := func(page string, unit identity.USCC, roles ...identity.Role) {
		if !slices.Contains(pages, page) && slices.ContainsFunc(held, func(post identity.Post) bool { return post.Agency == unit && slices.Contains(roles, post.Role) }) {
			pages = append(pages, page)
		}
	}
	house := identity.USCC(d.cfg.Unit)
	opens(console.PageUses, p.Agency, identity.RoleClerk, identity.RoleUnitLeader)
	opens(console.PageConsents, p.Agency, identity.RoleClerk, identity.RoleUnitLeader)
	opens(console.PageDomains, p.Agency, ofDomains()...)
	opens(console.PageDomains, house, overDomains()...)
	opens(console.PageGrants, p.Agency, grantPosts()...)
	opens(console.PageGrants, house, grantWatchers()...)
	opens(console.PageReclass, p.Agency, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleAgencySysadmin)
	opens(console.PageReclass, house, grantWatchers()...)
	opens(console.PageCatalogue, p.Agency, identity.RoleClerk, identity.RoleUnitLeader)
	opens(console.PageCatalogue, house, identity.RoleInformationOffice)
	opens(console.PageViolations, p.Agency, identity.RoleClerk, identity.RoleUnitLeader)
	opens(console.PageViolations, house, identity.RoleInformationOffice)
	opens(console.PageApplications, p.Agency, identity.RoleClerk, identity.RoleUnitLeader)
	opens(console.PageApplications, house, identity.RoleInformationOffice)
	opens(console.PageArchive, p.Agency, identity.RoleRecordsOfficer, identity.RoleClerk)
	opens(console.PageSeals, p.Agency, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)
	opens(console.PageCompromise, p.Agency, identity.RoleClerk, identity.RoleUnitLeader, identity.RoleSealAdministrator)
	opens(console.PageRequests, p.Agency, identity.RoleAgencySysadmin)
	opens(console.PageACME, p.Agency, identity.RoleAgencySysadmin)
	opens(console.PageRoutes, p.Agency, identity.RoleAgencySysadmin, identity.RoleUnitLeader)
	opens(console.PageEnrolments, house, identity.RoleRAOfficer, identity.RoleUnitLeader)
	opens(console.PageCertificates, house, identity.RoleRAOfficer)
	opens(console.PageSystems, house, identity.RoleRAOfficer)
	opens(console.PageClearances, house, identity.RoleRAOfficer, identity.RoleInformationOffice)
	opens(console.PagePeople, house, three()...)
	opens(console.PageRecovery, p.Agency, identity.RoleAgencySysadmin, identity.RoleUnitLeader)
	opens(console.PageAnchors, house, identity.RoleRAOfficer, identity.RoleSystemAdmin, identity.RoleAuditor)
	opens(console.PageRetention, house, identity.RoleRAOfficer, identity.RoleSystemAdmin, identity.RoleAuditor)
	opens(console.PageSuccession, house, identity.RoleRAOfficer, identity.RoleSystemAdmin, identity.RoleAuditor)
	opens(console.PageNotices, house, identity.RoleSystemAdmin, identity.RoleAuditor)
	opens(console.PageNotices, p.Agency, identity.RoleAgencySysadmin)
	opens(console.PagePeers, house, identity.RoleRAOfficer, identity.RoleSystemAdmin, identity.RoleAuditor)
	opens(console.PageRecovery, house, identity.RoleRAOfficer, identity.RoleKMCOfficer, identity.RoleAuditor)
	for _, page := range []string{console.PageHistory, console.PageExpiring} {
		opens(page, p.Agency, ownHistory()...)
		opens(page, house, allHistory()...)
		opens(page, p.Agency, identity.RoleSupervision)
	}
	opens(console.PageStatistics, house, allHistory()...)
	opens(console.PageStatistics, p.Agency, identity.RoleSupervision)
	return append(pages, console.PageClosing) // everybody with a certificate is told (电子签名法 art. 23)
}

// now is the clock as events carry it.
func (d *Service) now() time.Time { return d.cfg.Now().UTC().Truncate(time.Millisecond) }

func (d *Service) actor(p console.Person) ledger.Actor {
	return ledger.Actor{Kind: "person", ID: p.ID, Unit: p.Unit}
}

// holds says whether a person holds one of these posts in the own unit now.
func (d *Service) holds(ctx context.Context, p console.Person, roles ...identity.Role) (bool, error) {
	return d.cfg.Posts.Holds(ctx, p.ID, identity.USCC(p.Unit), roles...)
}

// serves is holds in the unit that runs the house.
func (d *Service) serves(ctx context.Context, p console.Person, roles ...identity.Role) (bool, error) {
	return d.cfg.Posts.Holds(ctx, p.ID, identity.USCC(d.cfg.Unit), roles...)
}

// allowed turns an answer of holds into an error.
func allowed(yes bool, err error) error {
	if err == nil && !yes {
		return console.ErrForbidden
	}
	return err
}

// name is what pages call a person; somebody unknown is called by the id.
func (d *Service) name(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	p, err := d.cfg.People.Person(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return id, nil
	}
	return p.Name, err
}

// clerks are the persons of a unit whom an authorisation can name.
func (d *Service) clerks(ctx context.Context, unit string) ([]console.Named, error) {
	all, err := d.cfg.People.Holders(ctx, identity.USCC(unit), identity.RoleClerk)
	if err != nil {
		return nil, fmt.Errorf("desk: clerks of %s: %w", unit, err)
	}
	var out []console.Named
	for _, p := range all {
		now, err := d.cfg.Posts.Holds(ctx, p.ID, identity.USCC(unit), identity.RoleClerk)
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
func (d *Service) sign(ctx context.Context, p console.Person, s approval.Subject, a console.Answer, effect func() error) error {
	_, _, err := d.cfg.Answers.Approve(ctx, s, p.ID, a.PIN, a.Yes, a.Reason)
	if err != nil && !errors.Is(err, approval.ErrDecided) {
		return err
	}
	return errors.Join(err, effect())
}
