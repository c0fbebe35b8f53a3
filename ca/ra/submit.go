package ra

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// Limits of what people write.
const (
	maxText   = 64 // X.520 upper bound of CN and O, in characters
	maxReason = 500
)

// Submit takes a request of an agency's administrator. Id, state, submitter and
// time are set here; an empty purpose is production.
func (s *Service) Submit(ctx context.Context, actor ledger.Actor, r ca.Request) (ca.Request, ledger.Receipt, error) {
	none := ledger.Receipt{}
	r, err := s.fresh(ctx, actor, r)
	if err != nil {
		return ca.Request{}, none, err
	}
	ev := s.event("ca.request.submitted", actor, r, map[string]string{"purpose": string(r.Purpose)})
	receipt, err := s.cfg.Requests.AddRequests(ctx, []ca.Request{r}, ev)
	if err != nil {
		return ca.Request{}, none, fmt.Errorf("ra: submit request: %w", err)
	}
	return r, receipt, nil
}

// fresh makes the submitted request out of what was asked for, or says why not.
func (s *Service) fresh(ctx context.Context, actor ledger.Actor, r ca.Request) (ca.Request, error) {
	if err := s.form(r); err != nil {
		return ca.Request{}, err
	}
	if err := s.applicant(ctx, actor, r); err != nil {
		return ca.Request{}, err
	}
	hosts := slices.Compact(slices.Sorted(slices.Values(r.Hosts)))
	if err := s.hosts.Admit(ctx, r.System, hosts); err != nil {
		return ca.Request{}, err
	}
	if r.Purpose == "" {
		r.Purpose = ca.PurposeProduction
	}
	return ca.Request{
		ID: s.cfg.NewID(), Agency: r.Agency, System: r.System, CommonName: r.CommonName, Organization: r.Organization, Hosts: hosts,
		Purpose: r.Purpose, SubmittedBy: actor.ID, State: ca.RequestSubmitted, CreatedAt: s.now(),
	}, nil
}

// form checks what can be checked without asking anybody.
func (s *Service) form(r ca.Request) error {
	if r.Agency == "" || r.System == "" || r.CommonName == "" || r.Organization == "" {
		return fmt.Errorf("%w: agency, system, CN and O", ca.ErrInvalid)
	}
	for _, v := range []string{r.CommonName, r.Organization} {
		if !s.written(v, maxText) {
			return fmt.Errorf("%w: CN and O are one line of %d characters at most, without a personal number", ca.ErrInvalid, maxText)
		}
	}
	if r.Purpose != "" && r.Purpose != ca.PurposeProduction && r.Purpose != ca.PurposeTest {
		return fmt.Errorf("%w: purpose %.40q", ca.ErrInvalid, r.Purpose)
	}
	return nil
}

func (s *Service) written(v string, most int) bool { return written(s.personal, v, most) }

// written: plain text of bounded length that holds no personal number.
func written(personal *regexp.Regexp, v string, most int) bool {
	return utf8.RuneCountInString(v) <= most && text.Plain(v) == v && strings.TrimSpace(v) == v && !personal.MatchString(v)
}

// errOtherAgency is an ErrApplicant.
var errOtherAgency = fmt.Errorf("%w: the system is another agency's", ErrApplicant)

// errName is a ca.ErrInvalid.
var errName = fmt.Errorf("%w: O is not the registered name of the agency", ca.ErrInvalid)

// applicant: the actor administers the agency, or is the system itself, known by
// the certificate that it has; the system is that agency's, and the certificate
// will carry its registered name.
func (s *Service) applicant(ctx context.Context, actor ledger.Actor, r ca.Request) error {
	if actor.ID == "" {
		return fmt.Errorf("%w: who asks", ca.ErrInvalid)
	}
	agency, name, err := s.cfg.Systems.AgencyOf(ctx, r.System)
	if err != nil {
		return fmt.Errorf("ra: system %.80q: %w", r.System, err)
	}
	if agency != r.Agency {
		return errOtherAgency
	}
	yes := actor.Kind == "system" && actor.ID == r.System
	if !yes {
		if yes, err = s.cfg.Staff.Administers(ctx, actor.ID, r.Agency); err != nil {
			return fmt.Errorf("ra: posts of the applicant: %w", err)
		}
	}
	if !yes {
		return ErrApplicant
	}
	if name != r.Organization {
		return errName
	}
	return nil
}

// Withdraw takes a request back, for the applicant, until the certificates are
// issued. A token that was drawn ends with it.
func (s *Service) Withdraw(ctx context.Context, actor ledger.Actor, id, reason string) (ca.Request, ledger.Receipt, error) {
	none := ledger.Receipt{}
	r, err := s.cfg.Requests.Request(ctx, id)
	if err != nil {
		return ca.Request{}, none, fmt.Errorf("ra: read request: %w", err)
	}
	switch {
	case actor.ID == "" || actor.ID != r.SubmittedBy:
		return ca.Request{}, none, ErrApplicant
	case r.State != ca.RequestSubmitted && r.State != ca.RequestReviewed && r.State != ca.RequestApproved:
		return ca.Request{}, none, ca.ErrDecided
	case !s.written(reason, maxReason):
		return ca.Request{}, none, fmt.Errorf("%w: reason", ca.ErrInvalid)
	}
	r.State, r.Reason, r.TokenHash = ca.RequestWithdrawn, reason, ""
	receipt, err := s.cfg.Requests.WithdrawRequest(ctx, r, s.event("ca.request.withdrawn", actor, r, nil))
	if err != nil {
		return ca.Request{}, none, fmt.Errorf("ra: withdraw request: %w", err)
	}
	return r, receipt, nil
}
