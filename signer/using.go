package signer

import (
	"context"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/cite"
)

// UseRequest asks for one seal on one document (用印申请).
type UseRequest struct {
	Seal     string // esID
	Document []byte
	Title    string
	Type     string // kind of document (文种); may be empty
	Purpose  string // what the seal is wanted for; may be empty
	// Citations are the shared resources that the document quotes, with the
	// providers' consents (BJ17-19b). They are written into it when it is sealed.
	Citations []cite.Citation
}

// RequestUse records a request for the use of a seal. It refuses a document
// that could not be sealed, so that a leader is not asked in vain.
func (s *Service) RequestUse(ctx context.Context, actor ledger.Actor, req UseRequest) (Use, ledger.Receipt, error) {
	fail := func(err error) (Use, ledger.Receipt, error) { return Use{}, ledger.Receipt{}, err }
	now := s.now()
	e, err := s.usable(ctx, actor, req.Seal, now)
	if err != nil {
		return fail(err)
	}
	job := s.job(e, now, Placement{}, false)
	job.Citations = req.Citations
	quotes, err := sealable(ctx, req.Document, job)
	if err != nil {
		return fail(err)
	}
	u := Use{
		ID: s.cfg.NewID(), Seal: e.ID, Document: Digest(req.Document), Title: req.Title, Citations: quotes.list,
		Requester: actor.ID, State: UseRequested, CreatedAt: now,
	}
	if err := s.consented(ctx, quotes, e.Unit, u.Document, now); err != nil {
		return fail(err)
	}
	ev := s.event("signer.use.requested", now, actor, useObject(u.ID), u.Document,
		filled("seal", e.ID, "type", req.Type, "purpose", req.Purpose, "consents", consentsOf(u.Citations)))
	receipt, err := s.cfg.Register.AddUse(ctx, u, ev)
	if err != nil {
		return fail(fmt.Errorf("signer: record the request: %w", err))
	}
	return u, receipt, nil
}

// filled are the details that have a value, from pairs of name and value.
func filled(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out[pairs[i]] = pairs[i+1]
		}
	}
	return out
}

// MarkApproved moves a use to approved when the leader's signature over it
// verifies. It is not the approval, only the record that there is one.
func (s *Service) MarkApproved(ctx context.Context, actor ledger.Actor, useID string) (Use, ledger.Receipt, error) {
	fail := func(err error) (Use, ledger.Receipt, error) { return Use{}, ledger.Receipt{}, err }
	u, err := s.use(ctx, useID, UseRequested)
	if err != nil {
		return fail(err)
	}
	if u.Approval, err = s.cfg.Approver.ApprovedUse(ctx, u); err != nil {
		return fail(fmt.Errorf("signer: approval of use %s: %w", useID, err))
	}
	u.State = UseApproved
	ev := s.event("signer.use.approved", s.now(), actor, useObject(u.ID), u.Document,
		map[string]string{"seal": u.Seal, "approval": u.Approval})
	receipt, err := s.cfg.Register.MoveUse(ctx, u, UseRequested, ev)
	if err != nil {
		return fail(fmt.Errorf("signer: record the approval: %w", err))
	}
	return u, receipt, nil
}

// Reopen puts a use that was interrupted between its two records back to
// approved. A signature may have been made and lost; both records stay.
func (s *Service) Reopen(ctx context.Context, actor ledger.Actor, useID, reason string) (ledger.Receipt, error) {
	u, err := s.use(ctx, useID, UseSealing)
	if err != nil {
		return ledger.Receipt{}, err
	}
	return s.reopen(ctx, actor, u, reason)
}

func (s *Service) reopen(ctx context.Context, actor ledger.Actor, u Use, reason string) (ledger.Receipt, error) {
	u.State = UseApproved
	ev := s.event("signer.document.sealing_failed", s.now(), actor, useObject(u.ID), u.Document,
		map[string]string{"seal": u.Seal, "approval": u.Approval, "reason": reason})
	ev.Outcome = ledger.Failure
	receipt, err := s.cfg.Register.MoveUse(ctx, u, UseSealing, ev)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("signer: record the failure: %w", err)
	}
	return receipt, nil
}

// use loads a use that must be in a state.
func (s *Service) use(ctx context.Context, id string, in UseState) (Use, error) {
	u, err := s.cfg.Register.Use(ctx, id)
	if err != nil {
		return Use{}, fmt.Errorf("signer: use %s: %w", id, err)
	}
	if u.State != in {
		return Use{}, fmt.Errorf("%w: use %s is %s, %s expected", ErrNotApproved, id, u.State, in)
	}
	return u, nil
}

// usable loads a seal that the actor's unit may use now (电子印章管理办法
// art. 21: 谁所有、谁控制).
func (s *Service) usable(ctx context.Context, actor ledger.Actor, sealID string, now time.Time) (Seal, error) {
	e, err := s.cfg.Register.Seal(ctx, sealID)
	if err != nil {
		return Seal{}, fmt.Errorf("signer: seal %s: %w", sealID, err)
	}
	switch {
	case actor.Unit == "" || actor.Unit != e.Unit:
		return Seal{}, fmt.Errorf("%w: seal %s", ErrUnit, sealID)
	case e.State != SealActive:
		return Seal{}, fmt.Errorf("%w: seal %s is %s", ErrSealState, sealID, e.State)
	case now.Before(e.ValidFrom) || now.After(e.ValidUntil):
		return Seal{}, fmt.Errorf("%w: seal %s is outside its period %s to %s", ErrSealState, sealID,
			e.ValidFrom.Format(time.RFC3339), e.ValidUntil.Format(time.RFC3339))
	}
	return e, nil
}

func (s *Service) job(e Seal, at time.Time, place Placement, whole bool) Job {
	return Job{SealDER: e.DER, CertDER: e.CertDER, Time: at, Placement: place, Whole: whole, Provider: s.cfg.Provider, Stamper: s.cfg.Stamper}
}
