package ra

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// Review records the identity check of a submitted request.
func (s *Service) Review(ctx context.Context, actor ledger.Actor, id string, shown []Shown) (ca.Request, ledger.Receipt, error) {
	none := ledger.Receipt{}
	r, err := s.waiting(ctx, actor, id)
	if err != nil {
		return ca.Request{}, none, err
	}
	if r.State != ca.RequestSubmitted {
		return ca.Request{}, none, ca.ErrDecided
	}
	if err := s.officer(ctx, actor); err != nil {
		return ca.Request{}, none, err
	}
	if r.Evidence, err = s.taken(r, shown); err != nil {
		return ca.Request{}, none, err
	}
	r.State, r.ReviewedBy, r.ReviewedAt = ca.RequestReviewed, actor.ID, s.now().Truncate(time.Second)
	ev := s.event("ca.request.reviewed", actor, r, map[string]string{"documents": strconv.Itoa(len(r.Evidence))})
	receipt, err := s.cfg.Requests.ReviewRequest(ctx, r, ev)
	if err != nil {
		return ca.Request{}, none, fmt.Errorf("ra: record review: %w", err)
	}
	return r, receipt, nil
}

// Approvable returns a request that this officer may approve now, or why not.
// Ask before the officer signs: a subject takes one answer, and one that cannot
// take effect must not stand in its place.
func (s *Service) Approvable(ctx context.Context, actor ledger.Actor, id string) (ca.Request, error) {
	r, err := s.waiting(ctx, actor, id)
	if err != nil {
		return ca.Request{}, err
	}
	switch {
	case r.State != ca.RequestReviewed:
		return ca.Request{}, fmt.Errorf("%w: identity is not checked", ErrEvidence)
	case actor.ID == r.ReviewedBy:
		return ca.Request{}, ca.ErrSelf
	}
	// A host may have been taken off the register, or the grading have lapsed.
	if err := s.hosts.Admit(ctx, r.System, r.Hosts); err != nil {
		return ca.Request{}, err
	}
	if s.cfg.Gate != nil {
		if _, err := s.cfg.Gate.MayIssue(ctx, r.System, r.Purpose); err != nil {
			return ca.Request{}, fmt.Errorf("ra: system may not have certificates: %w", err)
		}
	}
	return r, nil
}

// Approve lets a reviewed request be turned into certificates. It counts only
// when Approver has verified the actor's own signature over ca.RequestDigest.
func (s *Service) Approve(ctx context.Context, actor ledger.Actor, id string) (ca.Request, ledger.Receipt, error) {
	none := ledger.Receipt{}
	r, err := s.Approvable(ctx, actor, id)
	if err != nil {
		return ca.Request{}, none, err
	}
	approval, approver, err := s.cfg.Approver.Approved(ctx, ca.ApprovalKind, r.ID, ca.RequestDigest(r))
	switch {
	case err != nil:
		return ca.Request{}, none, fmt.Errorf("%w: %w", ca.ErrNotApproved, err)
	case approval == "" || approver == "":
		return ca.Request{}, none, fmt.Errorf("%w: approval names nobody", ca.ErrNotApproved)
	case approver == r.SubmittedBy, approver == r.ReviewedBy:
		return ca.Request{}, none, ca.ErrSelf
	case approver != actor.ID:
		return ca.Request{}, none, fmt.Errorf("%w: the approval is another person's", ca.ErrNotApproved)
	}
	r.State, r.DecidedBy, r.Approval, r.TokenExpires = ca.RequestApproved, actor.ID, approval, s.now().Add(s.cfg.ApprovalLife)
	return s.decide(ctx, actor, r, "ca.request.approved")
}

// Refuse ends a request that is not approved, with a reason for the applicant.
func (s *Service) Refuse(ctx context.Context, actor ledger.Actor, id, reason string) (ca.Request, ledger.Receipt, error) {
	none := ledger.Receipt{}
	r, err := s.waiting(ctx, actor, id)
	if err != nil {
		return ca.Request{}, none, err
	}
	if err := s.officer(ctx, actor); err != nil {
		return ca.Request{}, none, err
	}
	if reason == "" || !s.written(reason, maxReason) {
		return ca.Request{}, none, fmt.Errorf("%w: a refusal needs a reason", ca.ErrInvalid)
	}
	r.State, r.DecidedBy, r.Reason = ca.RequestRefused, actor.ID, reason
	return s.decide(ctx, actor, r, "ca.request.refused")
}

func (s *Service) decide(ctx context.Context, actor ledger.Actor, r ca.Request, kind string) (ca.Request, ledger.Receipt, error) {
	receipt, err := s.cfg.Requests.DecideRequest(ctx, r, s.event(kind, actor, r, map[string]string{"approval": r.Approval}))
	if err != nil {
		return ca.Request{}, ledger.Receipt{}, fmt.Errorf("ra: decide request: %w", err)
	}
	return r, receipt, nil
}

// waiting reads a request that has no decision, for somebody who did not submit it.
func (s *Service) waiting(ctx context.Context, actor ledger.Actor, id string) (ca.Request, error) {
	r, err := s.cfg.Requests.Request(ctx, id)
	switch {
	case err != nil:
		return ca.Request{}, fmt.Errorf("ra: read request: %w", err)
	case r.State != ca.RequestSubmitted && r.State != ca.RequestReviewed:
		return ca.Request{}, ca.ErrDecided
	case actor.ID == "":
		return ca.Request{}, fmt.Errorf("%w: who acts", ca.ErrInvalid)
	case actor.ID == r.SubmittedBy:
		return ca.Request{}, ca.ErrSelf
	}
	return r, nil
}

func (s *Service) officer(ctx context.Context, actor ledger.Actor) error {
	yes, err := s.cfg.Staff.Checks(ctx, actor.ID)
	if err != nil {
		return fmt.Errorf("ra: posts of the officer: %w", err)
	}
	if !yes {
		return ErrOfficer
	}
	return nil
}

// Drawn is an enrolment token, here and never again: only its SM3 is kept.
type Drawn struct {
	Request ca.Request
	Token   string
	Receipt ledger.Receipt
}

// Draw makes the enrolment token of an approved request, for the applicant alone:
// no officer ever sees it. Drawing again ends the token before, one that was lost
// or never arrived.
func (s *Service) Draw(ctx context.Context, actor ledger.Actor, id string) (Drawn, error) {
	r, err := s.cfg.Requests.Request(ctx, id)
	if err != nil {
		return Drawn{}, fmt.Errorf("ra: read request: %w", err)
	}
	if actor.ID != r.SubmittedBy {
		return Drawn{}, ErrApplicant
	}
	if err := s.applicant(ctx, actor, r); err != nil { // the post may have ended
		return Drawn{}, err
	}
	now := s.now()
	switch {
	case r.State != ca.RequestApproved:
		return Drawn{}, fmt.Errorf("%w: the request is %s", ca.ErrNotApproved, r.State)
	case !now.Before(r.TokenExpires):
		return Drawn{}, ErrEnded
	}
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.cfg.Rand, raw); err != nil {
		return Drawn{}, fmt.Errorf("ra: draw enrolment token: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	again := strconv.FormatBool(r.TokenHash != "")
	r.TokenHash = ca.TokenHash(token)
	receipt, err := s.cfg.Requests.SetToken(ctx, r.ID, r.TokenHash, now, s.event("ca.token.drawn", actor, r, map[string]string{"again": again}))
	if err != nil {
		return Drawn{}, fmt.Errorf("ra: record token: %w", err)
	}
	return Drawn{Request: r, Token: token, Receipt: receipt}, nil
}
