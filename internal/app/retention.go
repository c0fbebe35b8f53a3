package app

import (
	"context"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca/retention"
)

// validYears is asked when settings are read: a house that keeps too little does
// not start.
func validYears(years int) error {
	if years != 0 && years < retention.LeastYears {
		return fmt.Errorf("%w: retention_years %d is less than %d (电子签名法 art. 24)", ErrConfig, years, retention.LeastYears)
	}
	return nil
}

// openRetention builds what keeps, and ends, what belongs to certificates.
func (h *House) openRetention() (err error) {
	h.Retention, err = retention.New(retention.Config{
		Store: h.rooms.Retention, Approver: retentionApprover{h}, Posts: posts{h}, House: h.cfg.USCC, Years: h.cfg.RetentionYears, Now: h.cfg.Now, NewID: newID,
	})
	return err
}

// RetentionSubject is what a registration officer signs.
func (h *House) RetentionSubject(a retention.Act) approval.Subject {
	return approval.Subject{Kind: approval.KindPurge, ID: a.ID, Digest: a.Digest(), Unit: identity.USCC(h.cfg.USCC), Requester: a.AskedBy}
}

// retentionApprover verifies the signature over an act.
type retentionApprover struct{ h *House }

func (p retentionApprover) Answer(ctx context.Context, a retention.Act) (retention.Answer, error) {
	id, yes, err := p.h.answered(ctx, p.h.RetentionSubject(a))
	if err != nil {
		err = fmt.Errorf("%w: %w", retention.ErrNotApproved, err)
	}
	return retention.Answer{ID: id, Yes: yes}, err
}
