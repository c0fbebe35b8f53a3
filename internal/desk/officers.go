package desk

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/internal/console"
)

// stewardship says what a person may do with a register of the authority: those
// who look after it write, its officers answer, the house's auditors read.
// console.ErrForbidden for everybody else.
func (d *Service) stewardship(ctx context.Context, p console.Person) (writes, answers bool, err error) {
	if err = allowed(d.serves(ctx, p, identity.RoleSystemAdmin, identity.RoleRAOfficer, identity.RoleAuditor)); err != nil {
		return false, false, err
	}
	if writes, err = d.serves(ctx, p, identity.RoleSystemAdmin, identity.RoleRAOfficer); err != nil {
		return false, false, err
	}
	answers, err = d.serves(ctx, p, identity.RoleRAOfficer)
	return writes, answers, err
}

// officerAnswers signs an officer's answer to a question of such a register, in the
// words that the officer saw, and has it take effect, whoever leaves meanwhile.
// asked reads the question, and whether it is open still.
func (d *Service) officerAnswers(ctx context.Context, p console.Person, a console.Answer, asked func() (approval.Subject, bool, error), settle func(context.Context) error) error {
	if err := allowed(d.serves(ctx, p, identity.RoleRAOfficer)); err != nil {
		return err
	}
	s, open, err := asked()
	switch {
	case err != nil:
		return err
	case !open:
		return console.ErrAnswered
	case a.Digest != s.Digest:
		return approval.ErrInvalid
	}
	return d.sign(ctx, p, s, a, func() error { return settle(context.WithoutCancel(ctx)) })
}
