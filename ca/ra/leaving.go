package ra

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// WithdrawAll takes back every request of a person who has left, and ends the
// tokens that were drawn: nobody else may draw them, and another administrator of
// the agency asks anew. It returns how many it withdrew.
func (s *Service) WithdrawAll(ctx context.Context, actor ledger.Actor, person string) (n int, err error) {
	if actor.ID == "" || person == "" {
		return 0, fmt.Errorf("%w: who left, and who says so", ca.ErrInvalid)
	}
	open, err := s.cfg.Requests.Requests(ctx, Query{SubmittedBy: person, States: []ca.RequestState{ca.RequestSubmitted, ca.RequestReviewed, ca.RequestApproved}, Limit: maxWithdrawn})
	if err != nil {
		return 0, fmt.Errorf("ra: requests of a person: %w", err)
	}
	var failed []error
	for _, r := range open {
		ev := s.event("ca.request.withdrawn", actor, r, map[string]string{"reason": "applicant left"})
		r.State, r.Reason, r.TokenHash = ca.RequestWithdrawn, "申请人已离岗 / the applicant has left", ""
		switch _, err := s.cfg.Requests.WithdrawRequest(ctx, r, ev); {
		case err == nil:
			n++
		case !errors.Is(err, ca.ErrDecided): // decided in this moment
			failed = append(failed, fmt.Errorf("ra: withdraw request %s: %w", r.ID, err))
		}
	}
	return n, errors.Join(failed...)
}

// maxWithdrawn bounds one call; more than an import brings.
const maxWithdrawn = 5000
