package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/domain"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/route"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/anchor"
	"github.com/yinxin-gov/yinxin/ca/authority"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/kmc"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/ca/retention"
	"github.com/yinxin-gov/yinxin/internal/desk"
	"github.com/yinxin-gov/yinxin/internal/keys"
	"github.com/yinxin-gov/yinxin/signer"
)

// asked implements approval.Config.Asked: an answer is taken only to what is on
// record as asked, and waits. A subject has one answer; without this whoever may
// answer a kind could occupy another's question with a signature that counts for
// nothing, in other words or before it was asked.
func (h *House) asked(ctx context.Context, s approval.Subject) error {
	want, err := h.question(ctx, s)
	for _, unknown := range []error{signer.ErrNotFound, sharing.ErrNotFound, kmc.ErrNotFound, ca.ErrNotFound, anchor.ErrNotFound, closing.ErrNotFound, retention.ErrNotFound, authority.ErrNotFound, peer.ErrNotFound, domain.ErrNotFound, identity.ErrNotFound, keys.ErrNotFound, route.ErrNotFound} {
		if errors.Is(err, unknown) {
			want, err = approval.Subject{}, nil
		}
	}
	if err != nil {
		return fmt.Errorf("app: what is to be approved: %w", err)
	}
	if want != s || want == (approval.Subject{}) {
		return fmt.Errorf("%w: nobody asked for this", approval.ErrInvalid)
	}
	return nil
}

// question is what stands open under the kind and id of a subject; the zero
// Subject when nothing does. A kind that no room of this house asks for (signed steps
// of the grading procedure) has no question.
func (h *House) question(ctx context.Context, s approval.Subject) (approval.Subject, error) {
	none := approval.Subject{}
	switch s.Kind {
	case approval.KindSealUse:
		u, err := h.rooms.Seals.Use(ctx, s.ID)
		if err != nil || u.State != signer.UseRequested {
			return none, err
		}
		return h.UseSubject(ctx, u)
	case approval.KindSeal:
		number, _, _ := strings.Cut(s.ID, "/") // of the seal: questions are numbered under it
		e, err := h.rooms.Seals.Seal(ctx, number)
		return h.SealSubject(e), err
	case approval.KindCitation:
		c, err := h.Consents.Consent(ctx, s.ID)
		if err != nil || c.StateAt(h.now()) != sharing.ConsentAsked {
			return none, err
		}
		return h.ConsentSubject(c), nil
	case approval.KindRecovery, approval.KindJudicial: // before the registration officer's check that is another kind
		return h.recoveryAsked(ctx, s.ID)
	case approval.KindGrant, approval.KindEmergency:
		return h.grantAsked(ctx, s.ID)
	case approval.KindDelegation:
		return h.delegationAsked(ctx, s.ID)
	case approval.KindRelabel:
		return h.relabelAsked(ctx, s.ID)
	case approval.KindAgreement:
		return h.agreementAsked(ctx, s)
	case approval.KindAnchor:
		a, err := h.Anchored.Anchor(ctx, s.ID)
		if err != nil || a.State != anchor.Proposed {
			return none, err
		}
		return h.AnchorSubject(a), nil
	case approval.KindClosing:
		a, err := h.Closing.Act(ctx, s.ID)
		if err != nil || a.State != closing.Proposed {
			return none, err
		}
		return h.ClosingSubject(a), nil
	case approval.KindPurge:
		a, err := h.Retention.Act(ctx, s.ID)
		if err != nil || a.State != retention.Proposed {
			return none, err
		}
		return h.RetentionSubject(a), nil
	case approval.KindAuthority:
		return h.generationAsked(ctx, s.ID)
	case approval.KindPeer:
		e, err := h.Peering.Entry(ctx, s.ID)
		if err != nil || e.State != peer.Proposed {
			return none, err
		}
		return h.PeerSubject(e), nil
	case approval.KindViolation:
		return h.violationAsked(ctx, s.ID)
	case approval.KindApplication:
		return h.applicationAsked(ctx, s.ID)
	case approval.KindRoute:
		r, err := h.Routing.Route(ctx, s.ID)
		if err != nil || r.State != route.Proposed {
			return none, err
		}
		return h.RouteSubject(r), nil
	case approval.KindDomain:
		v, err := h.Domains.Version(ctx, s.ID)
		if err != nil || v.State != domain.Proposed {
			return none, err
		}
		return h.DomainSubject(v), nil
	case approval.KindCertificate:
		return h.certificateAsked(ctx, s.ID)
	}
	return none, nil
}

// certificateAsked is the open question of a registration officer: the
// certificate of a person or of a seal, the end of a hold, the request for the
// certificates of a system, or the check of a request for an escrowed key.
func (h *House) certificateAsked(ctx context.Context, id string) (approval.Subject, error) {
	none := approval.Subject{}
	if person, is := strings.CutPrefix(id, desk.PrefixPerson); is {
		p, err := h.rooms.Identity.Person(ctx, person)
		if err != nil || len(p.CertDER) > 0 {
			return none, err
		}
		return h.PersonOrder(ctx, person)
	}
	if number, is := strings.CutPrefix(id, desk.PrefixSeal); is {
		e, err := h.rooms.Seals.Seal(ctx, number)
		if err != nil || e.State != signer.SealApproved {
			return none, err
		}
		return h.sealOrder(ctx, SealOrder{ID: e.ID, Unit: identity.USCC(e.Unit)}, e.Applicant)
	}
	if hold, _, is := strings.Cut(id, "/"); is {
		x, err := h.rooms.CA.Suspension(ctx, hold)
		if err != nil || x.State != ca.SuspensionAsked {
			return none, err
		}
		return approval.Subject{
			Kind: approval.KindCertificate, ID: x.Question(), Digest: ca.ResumptionDigest(x), Unit: identity.USCC(h.cfg.USCC), Requester: x.AskedBy,
		}, nil
	}
	r, err := h.RA.Request(ctx, id)
	if errors.Is(err, ca.ErrNotFound) {
		return h.recoveryAsked(ctx, id)
	}
	if err != nil || r.State != ca.RequestReviewed {
		return none, err
	}
	return h.RequestSubject(r), nil
}

// recoveryAsked is what the next officer signs about an escrowed key.
func (h *House) recoveryAsked(ctx context.Context, id string) (approval.Subject, error) {
	r, err := h.Recoveries.Recovery(ctx, id)
	if err != nil || r.State != kmc.Asked && r.State != kmc.Checked || !h.now().Before(r.LapsesAt) {
		return approval.Subject{}, err
	}
	return h.RecoverySubject(r), nil
}

// agreementAsked: terms stay with the parties until they are sealed, so that their
// digest is on no record. What can be known is asked: the party's own part of an
// agreement that is not registered yet, at the request of one of its clerks.
func (h *House) agreementAsked(ctx context.Context, s approval.Subject) (approval.Subject, error) {
	none := approval.Subject{}
	id, is := strings.CutSuffix(s.ID, "/"+string(s.Unit))
	if !is || id == "" {
		return none, nil
	}
	switch _, err := h.rooms.Sharing.Agreement(ctx, id); {
	case err == nil:
		return none, nil
	case !errors.Is(err, sharing.ErrNotFound):
		return none, err
	}
	if clerk, err := h.holds(ctx, s.Requester, s.Unit, identity.RoleClerk); err != nil || !clerk {
		return none, err
	}
	return agreementSubject(id, s.Digest, s.Unit, s.Requester), nil
}

// answered is the verified answer to exactly this subject, yes or no.
func (h *House) answered(ctx context.Context, want approval.Subject) (id string, yes bool, err error) {
	got, err := h.Approvals.Verified(ctx, want.Kind, want.ID, want.Digest)
	switch {
	case errors.Is(err, approval.ErrRefused) && got.Subject == want:
		return got.ID, false, nil
	case err != nil:
		return "", false, err
	case got.Subject != want:
		return "", false, errors.New("the answer is about something else")
	}
	return got.ID, true, nil
}
