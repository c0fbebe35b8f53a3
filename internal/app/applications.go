package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/internal/workday"
)

// openApplications builds the way of applications for sharing. Ends of answers that
// another calendar gave, of an earlier release, are counted again.
func (h *House) openApplications(ctx context.Context) error {
	calendar, err := workday.Load()
	if err != nil {
		return fmt.Errorf("app: calendar: %w", err)
	}
	h.Applications, err = sharing.NewApplications(sharing.ApplicationsConfig{
		Store: h.rooms.Sharing, Feedback: h.rooms.Sharing, Catalogue: h.rooms.Sharing, Directory: h.rooms.Identity, Posts: h.rooms.Identity,
		Signed: h.applicationSigned, Calendar: calendar, Office: identity.USCC(h.cfg.USCC), Now: h.cfg.Now, NewID: newID,
	})
	if err != nil {
		return err
	}
	return h.Applications.Recount(ctx, h.service())
}

// ApplicationSubject is what the leader of the unit whose turn it is signs.
func (h *House) ApplicationSubject(a sharing.Application) (approval.Subject, error) {
	unit, requester := a.Signer()
	digest, err := a.Digest()
	return approval.Subject{Kind: approval.KindApplication, ID: a.Question(), Digest: digest, Unit: unit, Requester: requester}, err
}

func (h *House) applicationSigned(ctx context.Context, a sharing.Application) (string, bool, error) {
	s, err := h.ApplicationSubject(a)
	if err != nil {
		return "", false, err
	}
	return h.answered(ctx, s)
}

// applicationAsked is the open question under an id.
func (h *House) applicationAsked(ctx context.Context, question string) (approval.Subject, error) {
	a, err := h.Applications.Application(ctx, sharing.ApplicationOf(question))
	if err != nil {
		return approval.Subject{}, err
	}
	if unit, _ := a.Signer(); unit == "" {
		return approval.Subject{}, nil
	}
	return h.ApplicationSubject(a)
}

// TermsSubject implements desk.Agreements.
func (h *House) TermsSubject(a sharing.Agreement, ask sharing.SealAsk) approval.Subject {
	return AgreementSubject(a, ask.Unit, ask.By)
}

// SealApplication implements desk.Agreements: the seal that the clerk asked for goes on
// the terms, once the leader of the party signed for it. The third makes the agreement,
// at once in force for decisions.
func (h *House) SealApplication(ctx context.Context, id string, unit identity.USCC) error {
	a, err := h.Applications.Application(ctx, id)
	if err != nil {
		return err
	}
	ask, is := a.SealAskOf(unit)
	if !is {
		return fmt.Errorf("%w: no seal of %s is asked for", sharing.ErrApplication, unit)
	}
	g, err := a.Agreement()
	if err != nil {
		return err
	}
	clerk := ledger.Actor{Kind: "person", ID: ask.By, Unit: string(unit)}
	seal, err := h.SealAgreement(ctx, clerk, g, ask.Seal)
	if err != nil {
		return err
	}
	if a, _, err = h.Applications.Seal(ctx, clerk, id, seal); err != nil {
		return err
	}
	return h.bind(ctx, clerk, a)
}

// resumeApplications registers what was sealed by all when the house stopped. One that
// cannot be registered, for a seal that was revoked since, stays where it is.
func (h *House) resumeApplications(ctx context.Context) error {
	all, err := h.Applications.Of(ctx, "")
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.State != sharing.ApplicationAgreed || len(a.Seals) < 3 {
			continue
		}
		if err := h.bind(ctx, h.service(), a); err != nil {
			h.cfg.Log.ErrorContext(ctx, "an agreement with its seals is not registered", "application", a.ID, "error", err)
		}
	}
	return nil
}

// bind registers the agreement with its three seals.
func (h *House) bind(ctx context.Context, actor ledger.Actor, a sharing.Application) error {
	g, err := a.Agreement()
	if err != nil || len(a.Seals) < 3 {
		return err
	}
	if _, _, err := h.Sharing.RegisterAgreement(ctx, g, actor); err != nil && !errors.Is(err, sharing.ErrExists) {
		return err
	}
	_, _, err = h.Applications.Bind(ctx, actor, a.ID)
	return err
}

// AgreementsOf implements desk.Agreements.
func (h *House) AgreementsOf(ctx context.Context, unit identity.USCC) ([]sharing.Agreement, error) {
	return h.rooms.Sharing.AgreementsOf(ctx, unit)
}

// EndAgreement implements desk.Agreements: what came under it is to be destroyed.
func (h *House) EndAgreement(ctx context.Context, actor ledger.Actor, id, reason string) error {
	_, err := h.Sharing.TerminateAgreement(ctx, id, reason, actor)
	return err
}
