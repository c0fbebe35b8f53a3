package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// AccountKeys makes external account keys; ca.ErrKeyGiven when the request gave one.
type AccountKeys interface {
	ACMEKeyOf(ctx context.Context, actor ledger.Actor, r ca.Request) (wire.ACMEKeyAnswer, error)
}

// Texts are the TXT records for dns-01: see acmestore.Texts.
type Texts interface {
	TextsOf(ctx context.Context, system string, now time.Time) ([]acmestore.Text, error)
	RemoveText(ctx context.Context, t acmestore.Text, ev ledger.Event) (ledger.Receipt, error)
}

// ACME implements console.ACME.
func (d *Service) ACME(ctx context.Context, p console.Person) (out console.ACMEList, err error) {
	list, err := d.Enrolments(ctx, p)
	if err != nil {
		return out, err
	}
	for _, r := range list.Requests {
		if d.mayDrawKey(p, r.Request) == nil {
			out.Requests = append(out.Requests, console.ACMERequest{ID: r.ID, System: r.System, Hosts: r.Hosts, Until: r.TokenExpires})
		}
	}
	for _, s := range list.Systems {
		texts, err := d.cfg.Texts.TextsOf(ctx, s.ID, d.now())
		if err != nil {
			return out, fmt.Errorf("desk: text records: %w", err)
		}
		out.Texts = append(out.Texts, texts...)
	}
	return out, nil
}

// mayDrawKey: of an approved request, for who asked, within the time in which the
// approval can be turned into certificates.
func (d *Service) mayDrawKey(p console.Person, r ca.Request) error {
	switch {
	case r.Agency != p.Unit:
		return ca.ErrNotFound
	case r.SubmittedBy != p.ID:
		return ra.ErrApplicant
	case r.State != ca.RequestApproved && r.State != ca.RequestIssued:
		return ca.ErrState
	case !d.now().Before(r.TokenExpires):
		return ra.ErrEnded
	}
	return nil
}

// DrawACMEKey implements console.ACME.
func (d *Service) DrawACMEKey(ctx context.Context, p console.Person, request string) (wire.ACMEKeyAnswer, error) {
	none := wire.ACMEKeyAnswer{}
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return none, err
	}
	r, err := d.cfg.Requests.Request(ctx, request)
	if err == nil {
		err = d.mayDrawKey(p, r)
	}
	if err != nil {
		return none, err
	}
	drawn, err := d.cfg.AccountKeys.ACMEKeyOf(ctx, d.actor(p), r)
	if errors.Is(err, ca.ErrKeyGiven) {
		return none, fmt.Errorf("%w: %w", console.ErrDrawn, err)
	}
	return drawn, err
}

// DropText implements console.ACME.
func (d *Service) DropText(ctx context.Context, p console.Person, t acmestore.Text) error {
	if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
		return err
	}
	s, err := d.cfg.People.System(ctx, t.System)
	if errors.Is(err, identity.ErrNotFound) || err == nil && string(s.Agency) != p.Unit {
		return acmestore.ErrNotFound // another agency's is nobody's business
	}
	if err != nil {
		return err
	}
	_, err = d.cfg.Texts.RemoveText(ctx, t, ledger.Event{
		ID: d.cfg.NewID(), Type: "ca.acme_text.removed", Class: ledger.ClassCertificate, Time: d.now(), Actor: d.actor(p),
		Object: ledger.Object{Kind: "host", ID: acmestore.Host(t.Name)}, Outcome: ledger.Success, Details: map[string]string{"system": t.System},
	})
	return err
}
