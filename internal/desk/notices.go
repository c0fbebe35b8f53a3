package desk

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/notify"
)

// Notices implements console.Notices: channels for those who run the house and
// its auditors, notices of the own unit for administrators of agencies.
func (d *Service) Notices(ctx context.Context, p console.Person) (out console.NoticeList, err error) {
	if out.MayWrite, err = d.serves(ctx, p, identity.RoleSystemAdmin); err != nil {
		return out, err
	}
	if out.Sees, err = d.serves(ctx, p, identity.RoleSystemAdmin, identity.RoleAuditor); err != nil {
		return out, err
	}
	unit := ""
	if !out.Sees {
		if err := allowed(d.holds(ctx, p, identity.RoleAgencySysadmin)); err != nil {
			return out, err
		}
		unit = p.Unit
	} else if out.Channels, err = d.cfg.Notices.Board(ctx); err != nil {
		return out, err
	}
	out.Recent, err = d.cfg.Notices.Recent(ctx, unit)
	return out, err
}

// administers lets the system administrator act on channels.
func (d *Service) administers(ctx context.Context, p console.Person) error {
	return allowed(d.serves(ctx, p, identity.RoleSystemAdmin))
}

// AddChannel implements console.Notices.
func (d *Service) AddChannel(ctx context.Context, p console.Person, c notify.Channel) (string, error) {
	if err := d.administers(ctx, p); err != nil {
		return "", err
	}
	if c.Unit != "" {
		if _, err := d.cfg.People.Agency(ctx, identity.USCC(c.Unit)); errors.Is(err, identity.ErrNotFound) {
			return "", errors.Join(console.ErrForm, err)
		} else if err != nil {
			return "", err
		}
	}
	_, secret, err := d.cfg.Notices.Register(ctx, d.actor(p), c)
	return secret, err
}

// MoveChannel implements console.Notices.
func (d *Service) MoveChannel(ctx context.Context, p console.Person, id string, to notify.State) error {
	if err := d.administers(ctx, p); err != nil {
		return err
	}
	return d.cfg.Notices.Move(ctx, d.actor(p), id, to)
}

// TestChannel implements console.Notices.
func (d *Service) TestChannel(ctx context.Context, p console.Person, id string) error {
	if err := d.administers(ctx, p); err != nil {
		return err
	}
	return d.cfg.Notices.Test(ctx, d.actor(p), id)
}

// RetryNotice implements console.Notices.
func (d *Service) RetryNotice(ctx context.Context, p console.Person, channel, notice string) error {
	if err := d.administers(ctx, p); err != nil {
		return err
	}
	return d.cfg.Notices.Retry(ctx, d.actor(p), channel, notice)
}
