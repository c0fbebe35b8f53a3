package app

import (
	"context"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/sharing"
)

// openCatalogue builds what people and systems do with the catalogue, with copies and
// about breaches. Decisions read the same store from memory.
func (h *House) openCatalogue(ctx context.Context) (err error) {
	now := h.cfg.Now
	if h.Entries, err = sharing.NewEntries(sharing.EntriesConfig{Store: h.rooms.Sharing, Directory: h.rooms.Identity, Now: now, NewID: newID}); err != nil {
		return err
	}
	certs := certificates{h.rooms.CA, h.Peering, now}
	if h.Copies, err = sharing.NewCopies(sharing.CopiesConfig{Store: h.rooms.Sharing, Signing: certs.Signing, Now: now, NewID: newID}); err != nil {
		return err
	}
	h.Violations, err = sharing.NewViolations(sharing.ViolationsConfig{
		Store: h.rooms.Sharing, Catalogue: h.rooms.Sharing, Directory: h.rooms.Identity, Posts: h.rooms.Identity,
		Settled: h.violationSettled, Unit: identity.USCC(h.cfg.USCC), Now: now, NewID: newID,
	})
	if err != nil {
		return err
	}
	return h.openApplications(ctx)
}

// ViolationSubject is what the second person signs: that use is resumed.
func (h *House) ViolationSubject(v sharing.Violation) approval.Subject {
	return approval.Subject{Kind: approval.KindViolation, ID: v.Question(), Digest: v.Digest(), Unit: v.By, Requester: v.AskedBy}
}

func (h *House) violationSettled(ctx context.Context, v sharing.Violation) (string, bool, error) {
	return h.answered(ctx, h.ViolationSubject(v))
}

// violationAsked is the open question under an id.
func (h *House) violationAsked(ctx context.Context, question string) (approval.Subject, error) {
	v, err := h.Violations.Violation(ctx, sharing.ViolationOf(question))
	if err != nil || v.State != sharing.ViolationAsked {
		return approval.Subject{}, err
	}
	return h.ViolationSubject(v), nil
}
