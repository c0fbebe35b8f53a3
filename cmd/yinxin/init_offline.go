package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/ceremony"
	"github.com/yinxin-gov/yinxin/internal/app"
)

// offlineInit is init with the roots in a ceremony room, in two parts: roots
// begins the house and writes the order, signed ends it.
type offlineInit struct {
	roots, sm3, order string
	signed            string
}

// begin founds the house up to what the roots have to sign.
func (o offlineInit) begin(ctx context.Context, u *ui, cfg app.Config) error {
	if o.order == "" {
		return fail(errors.New("--order is missing"), "ceremony.hint.out")
	}
	if err := free(o.order, false); err != nil {
		return fail(err, "ceremony.hint.out")
	}
	raw, err := readFile(o.roots, 2*ceremony.MaxSize)
	if err != nil {
		return fail(err, "ceremony.hint.order")
	}
	out, err := ceremony.ReadOutcome(raw)
	if err != nil {
		return fail(err, ceremonyHint(err))
	}
	// Who begins the house says which root it hangs on; the file may be anybody's.
	if is := app.SM3Hex(out.Roots[0]); is != strings.ToLower(o.sm3) {
		return fail(fmt.Errorf("%w: the SM3 of its SM2 root is %s", ceremony.ErrRecord, is), "ceremony.hint.root_sm3")
	}
	order, err := app.Begin(ctx, cfg, raw)
	if err != nil {
		return fail(err, ceremonyHint(err))
	}
	return u.ordered(o.order, order)
}

// end founds the rest.
func (o offlineInit) end(ctx context.Context, u *ui, dir string, admins []app.Administrator) error {
	raw, err := readFile(o.signed, 2*ceremony.MaxSize)
	if err != nil {
		return fail(err, "ceremony.hint.order")
	}
	return u.onHouse(ctx, dir, func(ctx context.Context, cfg app.Config) error {
		made, err := app.Complete(ctx, cfg, raw, admins)
		if err != nil {
			return err
		}
		return u.printFounded(dir, made)
	})
}

func administrators(sysadmin, security, auditor string) []app.Administrator {
	return []app.Administrator{
		{Role: identity.RoleSystemAdmin, Name: sysadmin}, {Role: identity.RoleSecurityOfficer, Name: security}, {Role: identity.RoleAuditor, Name: auditor},
	}
}
