package signer

import (
	"context"
	"crypto"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
)

// Sealed is the result of a use of seal.
type Sealed struct {
	Document []byte
	Use      Use
	Sealing  ledger.Receipt // the record before the signature
	Receipt  ledger.Receipt // the record of the sealed document
}

// Seal puts an approved seal on the document that was approved (GB/T 33481;
// design §2 law 4): it checks and lints everything, records that it will sign,
// signs, verifies the result as a receiver would, and records the result. When
// the first record fails nothing is signed; when the last one fails the sealed
// document is not returned.
func (s *Service) Seal(ctx context.Context, actor ledger.Actor, useID string, doc []byte, place Placement) (Sealed, error) {
	u, err := s.use(ctx, useID, UseApproved)
	if err != nil {
		return Sealed{}, err
	}
	if subtle.ConstantTimeCompare([]byte(Digest(doc)), []byte(u.Document)) != 1 {
		return Sealed{}, ErrChanged
	}
	now := s.now()
	head, err := s.stands(ctx, actor, u, now)
	if err == nil {
		err = head.approvedPlace(place)
	}
	if err != nil {
		return Sealed{}, err
	}
	if err := s.typed(u.Type); err != nil { // the table may have grown since the request
		return Sealed{}, err
	}
	e, key, err := s.open(ctx, actor, u.Seal, now)
	if err != nil {
		return Sealed{}, err
	}
	job := s.job(e, now, place, false)
	job.Citations = u.Citations
	if job, err = Locate(ctx, doc, job, s.cfg.Finder); err != nil {
		return Sealed{}, err
	}
	prepared, err := Prepare(doc, job, key.Public())
	if err != nil {
		return Sealed{}, err
	}
	// Asked again: a consent may have been withdrawn since the request.
	if err := s.consented(ctx, prepared.cited, e.Unit, u.Document, now); err != nil {
		return Sealed{}, err
	}
	var out []byte
	done, err := s.record(ctx, actor, u, now, func() (signed []byte, err error) {
		out, err = prepared.Sign(ctx, key)
		return out, err
	})
	if err != nil {
		return Sealed{}, err
	}
	done.Document = out
	return done, nil
}

// stands verifies the approval of a use again, here and now: the row says only
// that it was there once. It must not have been left unused for too long. It
// returns the use that was approved: of an item its batch.
func (s *Service) stands(ctx context.Context, actor ledger.Actor, u Use, now time.Time) (head Use, err error) {
	if head, err = s.headOf(ctx, u); err != nil {
		return head, err
	}
	approval, err := s.cfg.Approver.ApprovedUse(ctx, head)
	if err != nil {
		return head, fmt.Errorf("signer: approval of use %s: %w", u.ID, err)
	}
	if approval == "" || approval != u.Approval {
		return head, fmt.Errorf("%w: another approval than the recorded one", ErrNotApproved)
	}
	if now.Sub(u.ApprovedAt) > s.cfg.ApprovalLife {
		return head, s.lapse(ctx, actor, u, now)
	}
	return head, nil
}

// open returns a seal that the actor may use now, and its key.
func (s *Service) open(ctx context.Context, actor ledger.Actor, sealID string, now time.Time) (Seal, crypto.Signer, error) {
	e, err := s.usable(ctx, actor, sealID, now, 1)
	if err != nil {
		return Seal{}, nil, err
	}
	key, err := s.cfg.Keys.Signer(ctx, e.KeyID)
	if err != nil {
		return Seal{}, nil, fmt.Errorf("signer: key of seal %s: %w", e.ID, err)
	}
	return e, key, nil
}

// record is record → sign → record (design §2 law 4); the first one counts the
// use. On an error what was signed is not to be returned.
func (s *Service) record(ctx context.Context, actor ledger.Actor, u Use, now time.Time, sign func() (signed []byte, err error)) (Sealed, error) {
	details := filled("seal", u.Seal, "approval", u.Approval, "requester", u.Requester, "batch", u.Batch, "consents", consentsOf(u.Citations))
	u.State, u.TakenAt = UseSealing, now
	before, err := s.cfg.Register.MoveUse(ctx, u, UseApproved,
		s.event("signer.document.sealing", now, actor, useObject(u.ID), u.Document, details))
	if err != nil {
		return Sealed{}, fmt.Errorf("signer: record before signing: %w", err)
	}
	out, err := sign()
	if err != nil {
		// The record must not stay open because the caller went away.
		_, moveErr := s.reopen(context.WithoutCancel(ctx), actor, u, "signing failed")
		return Sealed{}, errors.Join(err, moveErr)
	}
	u.State, u.Sealed, u.SealedAt = UseSealed, Digest(out), now
	details["document_sm3"] = u.Document
	after, err := s.cfg.Register.MoveUse(context.WithoutCancel(ctx), u, UseSealing,
		s.event("signer.document.sealed", s.now(), actor, useObject(u.ID), u.Sealed, details))
	if err != nil {
		return Sealed{}, fmt.Errorf("signer: record the sealed document: %w", err)
	}
	return Sealed{Use: u, Sealing: before, Receipt: after}, nil
}

// Lapse records that a request was not answered, or an approval not used, in
// time, and says whether it was so. A batch lapses with everything on its list
// that is not sealed, an item with its batch.
func (s *Service) Lapse(ctx context.Context, actor ledger.Actor, useID string) (bool, error) {
	u, err := s.Use(ctx, useID)
	if err != nil {
		return false, err
	}
	if u.Batch != "" {
		if done, err := s.Lapse(ctx, actor, u.Batch); done || err != nil || u.State != UseApproved {
			return done, err
		}
	}
	now := s.now()
	switch {
	case u.State == UseRequested && now.Sub(u.CreatedAt) > s.cfg.RequestLife:
	case u.State == UseApproved && now.Sub(u.ApprovedAt) > s.cfg.ApprovalLife:
	default:
		return false, nil
	}
	if err = s.lapse(ctx, actor, u, now); errors.Is(err, ErrLapsed) {
		err = nil
	}
	return err == nil, err
}

// WithdrawAll ends what a person asked for and what is not sealed yet, for one
// who has left: the person cannot come back for it. What is being sealed at this
// moment is left to its end; a batch ends with its list. It returns how many it ended.
func (s *Service) WithdrawAll(ctx context.Context, actor ledger.Actor, person string) (n int, err error) {
	if person == "" {
		return 0, fmt.Errorf("%w: whose requests", ErrNotFound)
	}
	var failed []error
	open, err := s.cfg.Register.Uses(ctx, UseQuery{Requester: person, Heads: true, States: []UseState{UseRequested, UseApproved}, Limit: MaxUses})
	if err != nil {
		return 0, fmt.Errorf("signer: requests of a person: %w", err)
	}
	for _, u := range open {
		from := u.State
		u.State = UseLapsed
		ev := s.event("signer.use.lapsed", s.now(), actor, useObject(u.ID), u.Document, filled("seal", u.Seal, "approval", u.Approval, "reason", "requester left"))
		switch _, err := s.cfg.Register.MoveUse(ctx, u, from, ev); {
		case err == nil:
			n++
		case !errors.Is(err, ErrNotApproved): // moved meanwhile: the next call finds it
			failed = append(failed, fmt.Errorf("signer: withdraw use %s: %w", u.ID, err))
		}
	}
	return n, errors.Join(failed...)
}

// lapse records that a use was not answered or not made in time. The document
// needs a new request.
func (s *Service) lapse(ctx context.Context, actor ledger.Actor, u Use, now time.Time) error {
	from, since := u.State, u.ApprovedAt
	if from == UseRequested {
		since = u.CreatedAt
	}
	u.State = UseLapsed
	_, err := s.cfg.Register.MoveUse(ctx, u, from, s.event("signer.use.lapsed", now, actor, useObject(u.ID), u.Document,
		filled("seal", u.Seal, "approval", u.Approval)))
	if err != nil {
		return fmt.Errorf("signer: record that use %s lapsed: %w", u.ID, err)
	}
	return fmt.Errorf("%w: use %s is %s since %s", ErrLapsed, u.ID, from, date(since))
}
