package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/cite"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// UseRequest asks for one seal on one document (用印申请).
type UseRequest struct {
	Seal     string // esID
	Document []byte
	Title    string
	Type     string // kind of document (文种); may be empty
	Purpose  string // what the seal is wanted for; may be empty
	// Place is where the stamp shall go, and part of what the leader approves. A place
	// that the document does not have is refused now and not after the approval.
	Place Placement
	// Citations are the shared resources that the document quotes, with the
	// providers' consents (BJ17-19b). They are written into it when it is sealed.
	Citations []cite.Citation
}

// Check refuses what could not be sealed: a document, a kind of document, a
// person, a quota, a quotation without consent. For the documents of a batch,
// before the leader is asked about their list.
func (s *Service) Check(ctx context.Context, actor ledger.Actor, req UseRequest) error {
	_, _, err := s.admissible(ctx, actor, req, s.now())
	return err
}

func (s *Service) admissible(ctx context.Context, actor ledger.Actor, req UseRequest, now time.Time) (e Seal, quotes cited, err error) {
	if err = s.typed(req.Type); err != nil {
		return e, quotes, err
	}
	if e, err = s.usable(ctx, actor, req.Seal, now, 1); err != nil {
		return e, quotes, err
	}
	job := s.job(e, now, req.Place, false)
	job.Citations = req.Citations
	if job, err = Locate(ctx, req.Document, job, s.cfg.Finder); err != nil {
		return e, quotes, err
	}
	if quotes, err = sealable(ctx, req.Document, job); err != nil {
		return e, quotes, err
	}
	return e, quotes, s.consented(ctx, quotes, e.Unit, Digest(req.Document), now)
}

// RequestUse records a request for the use of a seal. It refuses what Check
// does, so that a leader is not asked in vain.
func (s *Service) RequestUse(ctx context.Context, actor ledger.Actor, req UseRequest) (Use, ledger.Receipt, error) {
	fail := func(err error) (Use, ledger.Receipt, error) { return Use{}, ledger.Receipt{}, err }
	now := s.now()
	e, quotes, err := s.admissible(ctx, actor, req, now)
	if err != nil {
		return fail(err)
	}
	u := Use{
		ID: s.cfg.NewID(), Seal: e.ID, Document: Digest(req.Document), Title: req.Title, Citations: quotes.list,
		Type: req.Type, Purpose: req.Purpose, Place: &req.Place, Requester: actor.ID, State: UseRequested, CreatedAt: now,
	}
	ev := s.event("signer.use.requested", now, actor, useObject(u.ID), u.Document,
		filled("seal", e.ID, "type", req.Type, "purpose", req.Purpose, "consents", consentsOf(u.Citations)))
	receipt, err := s.cfg.Register.AddUse(ctx, u, ev)
	if err != nil {
		return fail(fmt.Errorf("signer: record the request: %w", err))
	}
	return u, receipt, nil
}

// Spots are where the stamp of a seal will stand on the pages of a document: for
// who approves a place that names a text or an edge.
func (s *Service) Spots(ctx context.Context, sealID string, doc []byte, place Placement) ([]ofd.Place, error) {
	e, err := s.cfg.Register.Seal(ctx, sealID)
	if err != nil {
		return nil, fmt.Errorf("signer: seal %s: %w", sealID, err)
	}
	job, err := Locate(ctx, doc, s.job(e, s.now(), place, false), s.cfg.Finder)
	if err != nil {
		return nil, err
	}
	parsed, err := job.seal()
	if err != nil {
		return nil, err
	}
	w, h := float64(parsed.Picture.Width), float64(parsed.Picture.Height)
	if isPDF(doc) {
		p, err := openPaper(doc)
		if err != nil {
			return nil, err
		}
		return job.places(p, w, h)
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return job.places(ofdPaper{pkg}, w, h)
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
// verifies, and to refused, with ErrRefused, when the leader signed a refusal.
// It is not the approval, only the record that there is one.
func (s *Service) MarkApproved(ctx context.Context, actor ledger.Actor, useID string) (Use, ledger.Receipt, error) {
	fail := func(err error) (Use, ledger.Receipt, error) { return Use{}, ledger.Receipt{}, err }
	u, err := s.use(ctx, useID, UseRequested)
	if err != nil {
		return fail(err)
	}
	now := s.now()
	u.Approval, err = s.cfg.Approver.ApprovedUse(ctx, u)
	if errors.Is(err, ErrRefused) {
		u.State = UseRefused
		receipt, moveErr := s.cfg.Register.MoveUse(ctx, u, UseRequested,
			s.event("signer.use.refused", now, actor, useObject(u.ID), u.Document, map[string]string{"seal": u.Seal}))
		return u, receipt, errors.Join(err, moveErr)
	}
	if err != nil {
		return fail(fmt.Errorf("signer: approval of use %s: %w", useID, err))
	}
	u.State, u.ApprovedAt = UseApproved, now
	ev := s.event("signer.use.approved", now, actor, useObject(u.ID), u.Document,
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
	u.State, u.TakenAt = UseApproved, time.Time{}
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

// usable loads a seal that the actor may use now so many times (电子印章管理办法
// art. 21: 谁所有、谁控制).
func (s *Service) usable(ctx context.Context, actor ledger.Actor, sealID string, now time.Time, uses int) (Seal, error) {
	e, err := s.cfg.Register.Seal(ctx, sealID)
	if err != nil {
		return Seal{}, fmt.Errorf("signer: seal %s: %w", sealID, err)
	}
	if actor.Unit == "" || actor.Unit != e.Unit {
		return Seal{}, fmt.Errorf("%w: seal %s", ErrUnit, sealID)
	}
	all, window := e.Counted(now)
	taken, err := s.cfg.Register.Taken(ctx, sealID, all, window)
	if err != nil {
		return Seal{}, fmt.Errorf("signer: counting the uses of seal %s: %w", sealID, err)
	}
	taken.All, taken.Window = taken.All+uses-1, taken.Window+uses-1 // the last of them has to find room too
	if err := e.Admit(actor.ID, now, taken); err != nil {
		if s.cfg.Ender != nil && now.After(e.ValidUntil) {
			err = errors.Join(err, s.cfg.Ender.End(ctx, sealID))
		}
		return Seal{}, err
	}
	return e, nil
}

// typed refuses a kind of document that is excluded from electronic form.
func (s *Service) typed(documentType string) error {
	if documentType == TypeTerms {
		return fmt.Errorf("%w: terms are no document", ErrInvalid)
	}
	return CheckType(documentType, Exclusions(s.cfg.Excluded...))
}

// job is a use of a seal in the form that its layout asks for.
func (s *Service) job(e Seal, at time.Time, place Placement, whole bool) Job {
	j := Job{SealDER: e.DER, CertDER: e.CertDER, Time: at, Placement: place, Whole: whole, Provider: s.cfg.Provider, Stamper: s.cfg.Stamper}
	if parsed, err := seal.ParseSeal(e.DER); err == nil && parsed.Layout == seal.LayoutV1 {
		j.Standard, j.Stamper = StandardV1, nil // an imported seal; V1 has no place for a time-stamp
	}
	return j
}
