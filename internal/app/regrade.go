package app

import (
	"context"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
)

// DeniedError carries the decision that stopped an act.
type DeniedError struct{ Decision authz.Decision }

func (e *DeniedError) Error() string {
	if len(e.Decision.Reasons) == 0 {
		return "app: refused by the decision point"
	}
	return "app: refused by the decision point: " + e.Decision.Reasons[0].Code
}

// mayRegrade asks the decision point for the grading room.
type mayRegrade struct{ pdp *authz.PDP }

func (m mayRegrade) MayRegrade(ctx context.Context, system string, to level.Grade) error {
	d, err := m.pdp.Decide(ctx, authz.Request{SubjectType: "system", SubjectID: system, Action: authz.ActionRegrade, Target: system, NewGrade: &to})
	if err != nil {
		return fmt.Errorf("app: decide: %w", err)
	}
	if !d.Allow {
		return &DeniedError{d}
	}
	return nil
}

// Regrade changes the grade of a system (等级变更), if nothing that it holds or
// carries needs more.
func (h *House) Regrade(ctx context.Context, r grading.Record, actor ledger.Actor) (grading.Record, ledger.Receipt, error) {
	return h.Grading.Regrade(ctx, mayRegrade{h.PDP}, r, actor)
}
