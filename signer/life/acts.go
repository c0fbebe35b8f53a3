package life

import (
	"context"
	"errors"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
)

// Open lists the lines of the table that a person may act on now: by the state
// of the seal, the person's posts, and what waits for the leader. Pages offer
// these and no others; each act checks again.
func (s *Service) Open(ctx context.Context, actor ledger.Actor, e signer.Seal) ([]Rule, error) {
	var out []Rule
	for _, r := range Rules() {
		if _, err := ruleOf(r.Act, e); err != nil || e.State == "" || !fits(r.Act, e) {
			continue
		}
		switch err := s.may(ctx, r, actor, e.Unit); {
		case errors.Is(err, ErrRole):
		case err != nil:
			return nil, err
		default:
			out = append(out, r)
		}
	}
	return out, nil
}

// fits says whether an act has a sense beside the open question about a seal.
func fits(act Act, e signer.Seal) bool {
	switch act {
	case ActApprove, ActAdopt, ActRefuse, ActDecline, ActResume, ActAuthorise:
		return false // the record of a signature: see Settle
	case ActCompromise:
		return e.KeyID != ""
	case ActImport:
		return false // brings its own seal: see Import
	case ActAsk:
		return e.Ask == nil && (e.State != signer.SealSuspended || e.CompromisedAt.IsZero())
	}
	return true
}
